package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

type people map[string]issuer.Subject

func (p people) Subject(_ context.Context, id string) (issuer.Subject, error) {
	s, ok := p[id]
	if !ok {
		return s, issuer.ErrNotFound
	}
	return s, nil
}

// world is an issuer, and forward-auth in front of it that trusts one peer.
type world struct {
	*issuer.Issuer
	t     testing.TB
	asked http.Handler
	logs  *bytes.Buffer
	alice string // her token
}

const trusted, stranger = "192.0.2.7:4000", "198.51.100.1:4000"

// path is where forward-auth answers.
const path = "/auth/forward-auth/"

func newWorld(t testing.TB, adjust ...func(*gate.Config, *forward.Config)) *world {
	t.Helper()
	w := newWorldAlone(t, time.Minute, adjust...)
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

// shortly is the shortest staleness that there is.
const shortly = 2 * time.Second

// newWorldAlone is newWorld with an issuer that nobody keeps up to date.
func newWorldAlone(t testing.TB, staleness time.Duration, adjust ...func(*gate.Config, *forward.Config)) *world {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	iss, err := issuer.New(t.Context(), issuer.Config{
		Issuer: "https://auth.example", Store: store, MasterKey: issuer.GenerateMasterKey(), Username: true, MaxStaleness: staleness,
		Subjects: people{"u_alice": {Active: true, Name: "alice", Roles: []string{"staff"}, Scope: doorward.Scope{"a:read"}}},
	})
	must(t, err)
	w := &world{Issuer: iss, t: t, logs: &bytes.Buffer{}}
	guarding := gate.Config{
		Issuer: iss, Audience: "orders", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.1/32")},
		Routes: []gate.Route{
			{Path: "/", Access: gate.AccessPublic},
			{Path: "/open/**", Access: gate.AccessPublic},
			{Path: "/admin/**", Roles: []string{"admin"}},
			{Path: "/read", Methods: []string{"GET"}},
			{Path: "/never", Access: gate.AccessDeny},
			{Path: "/socket", WebSocket: true},
		},
	}
	answering := forward.Config{Path: path, Logger: slog.New(slog.NewTextHandler(w.logs, nil))}
	for _, f := range adjust {
		f(&guarding, &answering)
	}
	answering.Guard, err = gate.NewGuard(guarding)
	must(t, err)
	w.asked, err = forward.New(answering)
	must(t, err)
	attempt, err := iss.Begin(t.Context(), "u_alice")
	must(t, err)
	set, err := iss.Login(t.Context(), attempt, issuer.LoginRequest{})
	must(t, err)
	w.alice = set.AccessToken
	return w
}

// ask sends a question as it stands on the wire. TOKEN is replaced by alice's.
func (w *world) ask(from, wire string) *http.Response {
	w.t.Helper()
	wire = strings.ReplaceAll(strings.ReplaceAll(wire, "TOKEN", w.alice), "\n", "\r\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	must(w.t, err)
	r.RemoteAddr = from
	answer := httptest.NewRecorder()
	w.asked.ServeHTTP(answer, r.WithContext(w.t.Context()))
	res := answer.Result()
	must(w.t, res.Body.Close())
	return res
}

// waitForStale waits until nobody knows what was revoked.
func (w *world) waitForStale() {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for w.RevocationAge() <= shortly {
		<-tick.C
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
