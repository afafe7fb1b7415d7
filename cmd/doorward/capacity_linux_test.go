package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

// BenchmarkCapacity asks a real server over HTTP, eight clients at once, and shows what docs/operate.md says under
// "Sizing": processor time of the server and of PostgreSQL for each request, which other programs on the machine spoil
// less than rates, and the bytes that the database grew by.
func BenchmarkCapacity(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, work := range []struct {
			name string
			run  func(*capacity, *testing.B)
		}{
			{"verify", (*capacity).verify},
			{"login", (*capacity).login},
			{"refresh", (*capacity).refresh},
			{"session", (*capacity).session},
			{"logout", (*capacity).logout},
		} {
			b.Run(engine+"/"+work.name, func(b *testing.B) { work.run(newCapacity(b, engine), b) })
		}
	}
}

// capacity is a server, and its database from behind.
type capacity struct {
	server *process
	pg     *postgrestest.Server // nil for SQLite
	db     *sql.DB
	issuer *issuer.Issuer
	flags  []string // of commands beside it
}

func newCapacity(b *testing.B, engine string) *capacity {
	b.Helper()
	c, base := &capacity{}, b.TempDir()
	dir, config, key := filepath.Join(base, "data"), filepath.Join(base, "doorward.yaml"), filepath.Join(base, "master.key")
	secret := issuer.GenerateMasterKey()
	settings := "refresh: {window: 1ms, limit: 100000}\nmaster_key_file: " + key + "\n"
	if err := errors.Join(os.WriteFile(key, []byte(secret.Text()), 0o600), os.WriteFile(config, []byte(settings), 0o600)); err != nil {
		b.Fatal(err)
	}
	c.flags = []string{"--config", config, "--data", dir}
	var env []string
	if engine == "postgres" {
		c.pg = postgrestest.Start(b)
		url := c.pg.Database(b)
		c.flags, env = []string{"--config", config, "--database", url}, []string{"DOORWARD_DATABASE=" + url}
	}
	var err error
	if c.server, err = startServer(dir, env, "--config", config); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.server.stop() })
	store := c.open(b, filepath.Join(dir, "doorward.db"), strings.TrimPrefix(strings.Join(env, ""), "DOORWARD_DATABASE="))
	c.issuer, err = issuer.New(b.Context(), issuer.Config{Issuer: c.server.url, Store: store, MasterKey: secret, Subjects: everyone{}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// open opens the store beside the server.
func (c *capacity) open(b *testing.B, path, url string) issuer.Store {
	b.Helper()
	var store interface {
		issuer.Store
		Close() error
	}
	var err error
	if c.pg != nil {
		if store, err = postgres.Open(b.Context(), postgres.Config{URL: url}); err == nil {
			c.db, err = sql.Open("pgx", url)
		}
	} else if store, err = sqlite.Open(b.Context(), path); err == nil {
		c.db, err = sql.Open("sqlite", path)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(store.Close(), c.db.Close()); err != nil {
			b.Error(err)
		}
	})
	return store
}

// verify shows one of 64 tokens, which the server has seen before.
func (c *capacity) verify(b *testing.B) {
	sets := c.mint(b, 64)
	c.each(b, b.N, func(i int) (answer, error) {
		return call("GET", c.server.url+"/protected", sets[i%len(sets)].AccessToken, "")
	})
}

// login is by one of 50 users, whose devices keep nothing.
func (c *capacity) login(b *testing.B) {
	users := c.users(b, 50)
	c.each(b, b.N, func(i int) (answer, error) {
		for {
			if got, err := call("POST", c.server.url+"/login", "", users[i%len(users)]); got.status != 503 || err != nil {
				return got, err // 503 is a queue that is full, and costs next to nothing.
			}
		}
	})
}

// users adds users, and returns their credentials.
func (c *capacity) users(b *testing.B, n int) (bodies []string) {
	b.Helper()
	for i := range n {
		name := fmt.Sprint("user", i)
		var out, errs strings.Builder
		if run(b.Context(), append([]string{"user", "add", name}, c.flags...), strings.NewReader(""), &out, &errs) != failure.ExitDone {
			b.Fatal(errs.String())
		}
		bodies = append(bodies, credentials(name, firstLine(out.String())))
	}
	return bodies
}

// refresh uses each of 64 sessions in turn, so that each refresh rotates.
func (c *capacity) refresh(b *testing.B) {
	user := c.users(b, 1)[0]
	tokens := make(chan string, 64)
	for range cap(tokens) {
		got, err := call("POST", c.server.url+"/login", "", user)
		if err != nil || got.status != 200 {
			b.Fatal(got.body, err)
		}
		tokens <- got.member("refresh_token")
	}
	c.each(b, b.N, func(int) (answer, error) {
		token := <-tokens
		got, err := call("POST", c.server.url+"/refresh", "", refreshBody(token))
		next := got.member("refresh_token")
		if next == token {
			err = errors.New("it did not rotate")
		}
		tokens <- next
		return got, err
	})
}

// session makes sessions behind the server's back, to show what one takes on the disk.
func (c *capacity) session(b *testing.B) {
	before := c.stored(b)
	c.mint(b, b.N)
	b.ReportMetric(float64(c.stored(b)-before)/float64(b.N), "stored-B/op")
}

func (c *capacity) logout(b *testing.B) {
	sets := c.mint(b, b.N)
	c.each(b, b.N, func(i int) (answer, error) { return call("POST", c.server.url+"/logout", sets[i].AccessToken, "") })
}

func (c *capacity) mint(b *testing.B, n int) []issuer.TokenSet {
	b.Helper()
	sets := make([]issuer.TokenSet, n)
	var next atomic.Int64
	var minting sync.WaitGroup
	for range 8 {
		minting.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				attempt, err := c.issuer.Begin(b.Context(), fmt.Sprint("minted", i%1000))
				if err == nil {
					sets[i], err = c.issuer.Login(b.Context(), attempt, issuer.LoginRequest{})
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	minting.Wait()
	return sets
}

// each asks n times, eight at once, and reports.
func (c *capacity) each(b *testing.B, n int, ask func(int) (answer, error)) {
	b.Helper()
	server, database := c.used(b)
	stored := c.stored(b)
	b.ResetTimer()
	var next atomic.Int64
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if got, err := ask(int(i)); err != nil || got.status/100 != 2 {
					b.Errorf("%d %s, %v", got.status, got.body, err)
				}
			}
		})
	}
	asking.Wait()
	b.StopTimer()
	serverNow, databaseNow := c.used(b)
	micros := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	b.ReportMetric(micros(serverNow-server), "cpu-µs/op")
	b.ReportMetric(micros(databaseNow-database), "db-cpu-µs/op")
	b.ReportMetric(float64(c.stored(b)-stored)/float64(n), "stored-B/op")
}

// used is the processor time of the server and of PostgreSQL so far.
func (c *capacity) used(b *testing.B) (server, database time.Duration) {
	b.Helper()
	server = processor(fmt.Sprintf("/proc/%d/stat", c.server.cmd.Process.Pid)).used
	if c.pg == nil {
		return server, 0
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(c.pg.Socket()), "data", "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	first := firstLine(string(text))
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		if p := processor(stat); p.parent == first || stat == "/proc/"+first+"/stat" {
			database += p.used
		}
	}
	return server, database
}

// spent is what the kernel says of a process in its file stat: ticks are hundredths of a second.
type spent struct {
	parent string
	used   time.Duration
}

func processor(stat string) spent {
	text, _ := os.ReadFile(stat) // It may be over.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return spent{}
	}
	var user, system int64
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return spent{fields[1], time.Duration(user+system) * 10 * time.Millisecond}
}

// stored is how large the database is.
func (c *capacity) stored(b *testing.B) (bytes int64) {
	b.Helper()
	query := `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`
	if c.pg != nil {
		query = `SELECT pg_database_size(current_database())`
	}
	if err := c.db.QueryRowContext(b.Context(), query).Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	return bytes
}
