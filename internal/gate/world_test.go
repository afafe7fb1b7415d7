package gate_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const (
	issuerURL  = "https://auth.example"
	apiName    = "https://api.example"
	ordersName = "orders"
)

// people is who the tests know; account has the real ones.
type people map[string]issuer.Subject

func (p people) Subject(_ context.Context, id string) (issuer.Subject, error) {
	s, ok := p[id]
	if !ok {
		return s, issuer.ErrNotFound
	}
	return s, nil
}

var everybody = people{
	"u_alice": {Active: true, Name: "alice", Roles: []string{"staff"}, Scope: doorward.Scope{"reports:read", "reports:write"}},
	"u_admin": {Active: true, Name: "admin", Roles: []string{"admin", "staff"}},
	"u_odd":   {Active: true, Name: "zoë 100%,\u00a0x"},
	"u_line":  {Active: true, Name: "x\r\nDoorward-Roles: admin\t\x7f"},
}

// world is an issuer on a store of its own, which follows the store until the test ends.
type world struct {
	*issuer.Issuer
	t     testing.TB
	store sqlstoretest.Whole
}

func newWorld(t testing.TB, adjust ...func(*issuer.Config)) *world {
	t.Helper()
	w := newWorldAlone(t, adjust...)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil { // Only the test's own goroutine may call t.Fatal.
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// newWorldAlone is newWorld with an issuer that nobody keeps up to date.
func newWorldAlone(t testing.TB, adjust ...func(*issuer.Config)) *world {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	cfg := issuer.Config{
		Issuer: issuerURL, Store: store, MasterKey: issuer.GenerateMasterKey(), Subjects: everybody,
		Audiences: []string{ordersName, apiName}, Username: true,
	}
	for _, f := range adjust {
		f(&cfg)
	}
	iss, err := issuer.New(t.Context(), cfg)
	must(t, err)
	return &world{iss, t, sqlstoretest.In(store.Store)}
}

// login returns the tokens of a new session.
func (w *world) login(subject string, adjust ...func(*issuer.LoginRequest)) issuer.TokenSet {
	w.t.Helper()
	attempt, err := w.Begin(w.t.Context(), subject)
	must(w.t, err)
	req := issuer.LoginRequest{}
	for _, f := range adjust {
		f(&req)
	}
	set, err := w.Login(w.t.Context(), attempt, req)
	must(w.t, err)
	return set
}

func (w *world) token(subject string) string { return w.login(subject).AccessToken }

func (w *world) tokenFor(subject, audience string) string {
	return w.login(subject, func(r *issuer.LoginRequest) { r.Audience = audience }).AccessToken
}

// guard makes a Guard of rules.
func (w *world) guard(cfg gate.Config) *gate.Guard {
	w.t.Helper()
	cfg.Issuer = w.Issuer
	g, err := gate.NewGuard(cfg)
	must(w.t, err)
	return g
}

// ask makes a request as the server would have parsed it.
func ask(t testing.TB, method, target string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	u, err := parseTarget(target)
	must(t, err)
	r.URL, r.RequestURI = u, target
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within waits for a condition.
func within(t testing.TB, d time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}

func mustPrefix(t testing.TB, text string) netip.Prefix {
	t.Helper()
	prefix, err := netip.ParsePrefix(text)
	must(t, err)
	return prefix
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
