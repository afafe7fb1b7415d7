package issuer_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const issuerURL = "https://auth.example"

// people is a user table: what a service of its own would have.
type people struct {
	mu   sync.Mutex // guards what follows
	byID map[string]issuer.Subject
	err  error // of a table that does not answer
}

func (p *people) Subject(_ context.Context, id string) (issuer.Subject, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	subject, ok := p.byID[id]
	if p.err != nil {
		return issuer.Subject{}, p.err
	}
	if !ok {
		return issuer.Subject{}, issuer.ErrNotFound
	}
	return subject, nil
}

func (p *people) set(id string, s issuer.Subject) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byID[id] = s
}

func (p *people) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// world is one issuer on a store of its own, and a service that trusts it.
type world struct {
	*issuer.Issuer
	t        *testing.T
	cfg      issuer.Config
	people   *people
	verifier *doorward.Verifier
}

var masterKey = issuer.GenerateMasterKey()

func newWorld(t *testing.T, adjust func(*issuer.Config)) *world {
	t.Helper()
	return newWorldOn(t, filepath.Join(t.TempDir(), "doorward.db"), adjust)
}

// newWorldOn opens an issuer on the store at path, which others may have open too.
func newWorldOn(t *testing.T, path string, adjust func(*issuer.Config)) *world {
	t.Helper()
	return newWorldWith(t, openSQLite(t, path), adjust)
}

func openSQLite(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// worlds makes worlds on one kind of store.
type worlds func(t *testing.T, adjust func(*issuer.Config)) *world

// onEachStore runs a test in a bubble of time, on SQLite and on the store in memory.
func onEachStore(t *testing.T, test func(t *testing.T, newWorld worlds)) {
	t.Helper()
	for name, newWorld := range map[string]worlds{
		"SQLite": newWorld,
		"memory": func(t *testing.T, adjust func(*issuer.Config)) *world {
			return newWorldWith(t, doorwardtest.NewStore(), adjust)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, newWorld) })
		})
	}
}

func newWorldWith(t *testing.T, store issuer.Store, adjust func(*issuer.Config)) *world {
	t.Helper()
	w := &world{t: t, people: &people{byID: map[string]issuer.Subject{
		"ada": {Active: true, Name: "Ada", Roles: []string{"editor"}, Scope: doorward.Scope{"orders:read", "orders:write"}},
	}}}
	w.cfg = issuer.Config{Issuer: issuerURL, Store: store, MasterKey: masterKey, Subjects: w.people}
	if adjust != nil {
		adjust(&w.cfg)
	}
	var err error
	if w.Issuer, err = issuer.New(t.Context(), w.cfg); err != nil {
		t.Fatal(err)
	}
	w.verifier, err = doorward.NewVerifier(doorward.Config{
		Issuer: issuerURL, Audience: issuerURL, Keys: w.Keys(), Revocations: w.Revocations(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) login(subject string) issuer.TokenSet {
	w.t.Helper()
	set, err := w.loginWith(subject, issuer.LoginRequest{})
	if err != nil {
		w.t.Fatalf("login: %v", err)
	}
	return set
}

func (w *world) loginWith(subject string, req issuer.LoginRequest) (issuer.TokenSet, error) {
	attempt, err := w.Begin(w.t.Context(), subject)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	return w.Login(w.t.Context(), attempt, req)
}

func (w *world) refresh(token string) (issuer.TokenSet, error) {
	return w.Refresh(w.t.Context(), token, issuer.RefreshRequest{})
}

func (w *world) mustRefresh(token string) issuer.TokenSet {
	w.t.Helper()
	set, err := w.refresh(token)
	if err != nil {
		w.t.Fatalf("refresh: %v", err)
	}
	return set
}

// wantVerify asks the service about a token.
func (w *world) wantVerify(token string, want error) *doorward.Claims {
	w.t.Helper()
	claims, err := w.verifier.Verify(w.t.Context(), token)
	if !errors.Is(err, want) {
		w.t.Fatalf("verify: %v, want %v", err, want)
	}
	return claims
}

func (w *world) wantRefreshError(token string, want error) {
	w.t.Helper()
	if _, err := w.refresh(token); !errors.Is(err, want) {
		w.t.Fatalf("refresh: %v, want %v", err, want)
	}
}
