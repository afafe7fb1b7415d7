package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

// benchStore is all that is in a database, and what closes it.
type benchStore struct {
	sqlstoretest.Whole
	io.Closer
}

const (
	benchUsers   = 64
	benchCallers = 32
	benchSecret  = "a password of the bench"
)

// BenchmarkLogin is logins while a Sealer runs, and without one, each durable when it returns: with argon2, and with a hash
// that costs nothing, which leaves the store.
func BenchmarkLogin(b *testing.B) {
	stores := map[string]func(b *testing.B) benchStore{"sqlite": onFile, "postgres": onServer}
	hashers := map[string]account.Hasher{"plain": accounttest.Plain{}, "argon2": password.New(password.Config{})}
	for _, on := range []string{"sqlite", "postgres"} {
		for _, with := range []string{"plain", "argon2"} {
			for _, sealed := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/sealed=%v", on, with, sealed), func(b *testing.B) {
					store := stores[on](b)
					benchLogins(b, store, hashers[with], sealed)
					if err := store.Close(); err != nil {
						b.Error(err)
					}
				})
			}
		}
	}
}

func benchLogins(b *testing.B, store benchStore, hasher account.Hasher, sealed bool) {
	b.Helper()
	master := issuer.GenerateMasterKey()
	people, err := account.New(account.Config{Store: store, Throttle: store, Hasher: hasher})
	if err != nil {
		b.Fatal(err)
	}
	iss, err := issuer.New(b.Context(), issuer.Config{Issuer: "https://api.example.com", Store: store, MasterKey: master, Subjects: people})
	if err != nil {
		b.Fatal(err)
	}
	for i := range benchUsers {
		if _, err := people.Add(b.Context(), account.NewUser{Name: fmt.Sprint("user", i), Password: benchSecret}, issuer.Event{}); err != nil {
			b.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(b.Context())
	var sealing sync.WaitGroup
	if sealed {
		s, err := audit.NewSealer(audit.Config{Store: store, MasterKey: master})
		if err != nil {
			b.Fatal(err)
		}
		sealing.Go(func() { s.Run(ctx) })
	}
	var callers atomic.Int64
	b.SetParallelism(benchCallers / runtime.GOMAXPROCS(0))
	before := processorTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		name := fmt.Sprint("user", callers.Add(1)%benchUsers)
		for pb.Next() {
			_, attempt, err := people.Authenticate(b.Context(), iss, name, benchSecret, account.Device{}, issuer.Event{})
			for errors.Is(err, password.ErrBusy) {
				_, attempt, err = people.Authenticate(b.Context(), iss, name, benchSecret, account.Device{}, issuer.Event{})
			}
			if err == nil {
				_, err = iss.Login(b.Context(), attempt, issuer.LoginRequest{})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/login")
	stop()
	sealing.Wait()
}

// processorTime is what this process has used of the processors, which says something on a busy machine too. That of a
// PostgreSQL server is not in it.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func onFile(b *testing.B) benchStore {
	b.Helper()
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "doorward.db"))
	if err != nil {
		b.Fatal(err)
	}
	return benchStore{sqlstoretest.In(s.Store), s}
}

func onServer(b *testing.B) benchStore {
	b.Helper()
	s, err := postgres.Open(b.Context(), postgres.Config{URL: postgrestest.Start(b).Database(b)})
	if err != nil {
		b.Fatal(err)
	}
	return benchStore{sqlstoretest.In(s.Store), s}
}

// BenchmarkSeal is one block of as many records as a block has, durable when it returns: the work behind the writers.
func BenchmarkSeal(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) benchStore{"sqlite": onFile, "postgres": onServer} {
		b.Run(name, func(b *testing.B) {
			store := open(b)
			s, err := audit.NewSealer(audit.Config{Store: store, MasterKey: issuer.GenerateMasterKey()})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				benchRecords(b, store, audit.MaxRecords)
				b.StartTimer()
				if err := s.Seal(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/audit.MaxRecords, "µs/record")
			if err := store.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkVerify reads and checks a record of 50 full blocks.
func BenchmarkVerify(b *testing.B) {
	const blocks = 50
	for name, open := range map[string]func(b *testing.B) benchStore{"sqlite": onFile, "postgres": onServer} {
		b.Run(name, func(b *testing.B) {
			store, master := open(b), issuer.GenerateMasterKey()
			s, err := audit.NewSealer(audit.Config{Store: store, MasterKey: master})
			if err != nil {
				b.Fatal(err)
			}
			for range blocks {
				benchRecords(b, store, audit.MaxRecords)
				if err := s.Seal(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := audit.Verify(b.Context(), store, master, nil, func(int64, int64) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*blocks*audit.MaxRecords)/b.Elapsed().Seconds(), "records/s")
			if err := store.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// benchRecords writes records, many at once.
func benchRecords(b *testing.B, store benchStore, n int) {
	b.Helper()
	var writers sync.WaitGroup
	for range benchCallers {
		writers.Go(func() {
			for range n / benchCallers {
				ev := issuer.Event{Kind: "login", Subject: "u_abcdefghijklmnopqrstuvwxyz", Address: "192.0.2.1", RequestID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
				if err := store.Record(b.Context(), ev); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
}
