//go:build unix

package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

// BenchmarkOAuth measures a token by client_credentials, and an introspection, from the request to the answer but without a
// socket, durable and with 32 callers at once. cpu-µs/op is the time of all processors of this process: a
// database server is another one.
func BenchmarkOAuth(b *testing.B) {
	for name, open := range map[string]func() (sqlstoretest.Whole, error){
		"SQLite": func() (sqlstoretest.Whole, error) {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "doorward.db"))
			if err != nil {
				return sqlstoretest.Whole{}, err
			}
			b.Cleanup(func() { _ = s.Close() })
			return sqlstoretest.In(s.Store), nil
		},
		"Postgres": func() (sqlstoretest.Whole, error) {
			s, err := postgres.Open(b.Context(), postgres.Config{URL: postgrestest.URL(b)})
			if err != nil {
				return sqlstoretest.Whole{}, err
			}
			b.Cleanup(func() { _ = s.Close() })
			return sqlstoretest.In(s.Store), nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			store, err := open()
			if err != nil {
				b.Fatal(err)
			}
			w := newBenchWorld(b, store)
			b.Run("client_credentials", func(b *testing.B) {
				w.each(b, func(p program, _ string) *http.Request {
					return benchForm("/oauth/token", p, url.Values{"grant_type": {"client_credentials"}})
				})
			})
			b.Run("introspect", func(b *testing.B) {
				w.each(b, func(p program, token string) *http.Request {
					return benchForm("/oauth/introspect", p, url.Values{"token": {token}})
				})
			})
		})
	}
}

// benchClients is how many clients take turns: more than it takes for none of them to ask for tokens too often.
const benchClients = 128

type benchWorld struct {
	server   *server.Server
	programs []program
	tokens   []string
}

func newBenchWorld(b *testing.B, store sqlstoretest.Whole) *benchWorld {
	b.Helper()
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	hasher := password.New(password.Config{})
	people, err := account.New(account.Config{
		Store: store, Resets: store, Devices: store, Throttle: store, Hasher: hasher, Reserved: hasher.Reserved(),
	})
	ok(err)
	revoked := feed.New(store)
	iss, err := issuer.New(b.Context(), issuer.Config{
		Issuer: issuerURL, Store: store, MasterKey: issuer.GenerateMasterKey(), Subjects: people, Followed: revoked.Publish,
	})
	ok(err)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = iss.Run(ctx) })
	b.Cleanup(func() { stop(); running.Wait() })
	w := &benchWorld{}
	clients := account.NewClients(account.ClientsConfig{Store: store})
	w.server, err = server.New(server.Config{
		Issuer: iss, People: people, Clients: clients, Feed: revoked, Logger: slog.New(slog.DiscardHandler),
	})
	ok(err)
	for i := range benchClients {
		c, secret, err := clients.Add(b.Context(), account.NewClient{
			Name: fmt.Sprint("c", i), Scope: []string{"read", account.ScopeIntrospect},
		}, issuer.Event{})
		ok(err)
		p := program{c, secret}
		attempt, err := iss.BeginGrant(b.Context(), c.ID, c.ID)
		ok(err)
		set, err := iss.Grant(b.Context(), attempt, issuer.GrantRequest{Holder: issuer.Subject{Active: true}})
		ok(err)
		w.programs, w.tokens = append(w.programs, p), append(w.tokens, set.AccessToken)
	}
	return w
}

// each sends a request of one of the clients after the other.
func (w *benchWorld) each(b *testing.B, request func(program, string) *http.Request) {
	b.ReportAllocs()
	b.SetParallelism(16) // times GOMAXPROCS
	var next atomic.Int64
	used := processorTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1)) % len(w.programs)
			answer := httptest.NewRecorder()
			w.server.ServeHTTP(answer, request(w.programs[i], w.tokens[i]))
			if answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), `"active":false`) {
				b.Errorf("%d %s", answer.Code, answer.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(processorTime()-used)/1e3/float64(b.N), "cpu-µs/op")
}

func benchForm(path string, p program, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, io.NopCloser(strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", formMedia)
	r.SetBasicAuth(p.ID, p.secret)
	return r
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
