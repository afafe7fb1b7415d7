package account_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

const (
	right = "correct horse battery staple"
	wrong = "wrong horse battery staple"
	other = "another horse battery staple"
)

var event = issuer.Event{Actor: "test", Address: "192.0.2.1", RequestID: "r1"}

// argon is shared, so that tests that run at once do not hash more at once than there are cores.
var argon = password.New(password.Config{Queue: 1000, Wait: time.Minute, KeepMemory: true})

// world is a store with people and an issuer on it.
type world struct {
	*testing.T
	dir    string
	store  *watched
	hasher *counter
	people *account.People
	issuer *issuer.Issuer
}

func newWorld(t *testing.T) *world { return worldIn(t, t.TempDir(), argon) }

func worldIn(t *testing.T, dir string, hasher account.Hasher) *world {
	t.Helper()
	db := open(t, dir)
	w := &world{T: t, dir: dir, store: &watched{Store: db, KeyStore: db}, hasher: &counter{Hasher: hasher}}
	var err error
	w.people, err = account.New(account.Config{Store: w.store, Bulk: w.store, Resets: w.store, Devices: w.store, Edits: w.store, Roles: w.store, Throttle: w.store, Hasher: w.hasher})
	if err != nil {
		t.Fatal(err)
	}
	w.issuer, err = issuer.New(t.Context(), issuer.Config{
		Issuer: "https://api.example.com", Store: w.store, MasterKey: issuer.GenerateMasterKey(), Subjects: w.people,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// another is a second process on the same store; it shares the issuer.
func (w *world) another() *world {
	w.Helper()
	db := open(w.T, w.dir)
	second := &world{T: w.T, dir: w.dir, store: &watched{Store: db, KeyStore: db}, hasher: &counter{Hasher: w.hasher.Hasher}, issuer: w.issuer}
	var err error
	second.people, err = account.New(account.Config{Store: second.store, Devices: second.store, Throttle: second.store, Hasher: second.hasher})
	if err != nil {
		w.Fatal(err)
	}
	return second
}

// add adds a user with the password right.
func (w *world) add(name string, roles ...string) account.User {
	w.Helper()
	u, err := w.people.Add(w.Context(), account.NewUser{Name: name, Roles: roles, Password: right}, event)
	if err != nil {
		w.Fatal(err)
	}
	return u
}

// enter authenticates.
func (w *world) enter(name, text string) (account.User, error) {
	u, _, err := w.people.Authenticate(w.Context(), w.issuer, name, text, account.Device{}, event)
	return u, err
}

// login authenticates and logs in.
func (w *world) login(name, text string) (issuer.TokenSet, error) {
	_, attempt, err := w.people.Authenticate(w.Context(), w.issuer, name, text, account.Device{}, event)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	return w.issuer.Login(w.Context(), attempt, issuer.LoginRequest{Event: event})
}

func (w *world) mustLogin(name, text string) issuer.TokenSet {
	w.Helper()
	set, err := w.login(name, text)
	if err != nil {
		w.Fatal(err)
	}
	return set
}

func (w *world) wantError(got, want error) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Errorf("error %v, want %v", got, want)
	}
}

// wantOver checks that the session of a login is over.
func (w *world) wantOver(set issuer.TokenSet) {
	w.Helper()
	_, err := w.issuer.Refresh(w.Context(), set.RefreshToken, issuer.RefreshRequest{Event: event})
	w.wantError(err, issuer.ErrInvalidGrant)
}

// counter counts the hashes that are computed.
type counter struct {
	account.Hasher
	n atomic.Int64
}

func (c *counter) Hash(ctx context.Context, text string) (string, error) {
	hash, err := c.Hasher.Hash(ctx, text)
	if err == nil {
		c.n.Add(1)
	}
	return hash, err
}

func (c *counter) Verify(ctx context.Context, hash, text string) (bool, error) {
	rehash, err := c.Hasher.Verify(ctx, hash, text)
	if err == nil || errors.Is(err, password.ErrMismatch) {
		c.n.Add(1)
	}
	return rehash, err
}

func (c *counter) VerifyNothing(ctx context.Context, text string) error {
	err := c.Hasher.VerifyNothing(ctx, text)
	if errors.Is(err, password.ErrMismatch) {
		c.n.Add(1)
	}
	return err
}

// watched keeps what goes to the audit record about tries, and what is asked.
type watched struct {
	accounttest.Store
	issuer.KeyStore

	mu     sync.Mutex // guards what follows
	events []issuer.Event
	asked  []string
	down   map[string]error // the answers to what is asked, where the store has none
}

func (w *watched) Record(ctx context.Context, ev issuer.Event) error {
	w.mu.Lock()
	w.events = append(w.events, ev)
	err := w.down["record"]
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Store.Record(ctx, ev)
}

func (w *watched) Clear(ctx context.Context, key [32]byte) error {
	w.mu.Lock()
	err := w.down["clear"]
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Store.Clear(ctx, key)
}

func (w *watched) note(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, what)
	return w.down[what]
}

func (w *watched) UserByName(ctx context.Context, canonical string) (account.User, error) {
	if err := w.note("name"); err != nil {
		return account.User{}, err
	}
	return w.Store.UserByName(ctx, canonical)
}

func (w *watched) Epoch(ctx context.Context, subject string) (int64, error) {
	if err := w.note("epoch"); err != nil {
		return 0, err
	}
	return w.Store.Epoch(ctx, subject)
}

func (w *watched) Credential(ctx context.Context, id string) (account.Credential, error) {
	if err := w.note("hash"); err != nil {
		return account.Credential{}, err
	}
	return w.Store.Credential(ctx, id)
}

// take returns what was noted since it was last called.
func (w *watched) take() (events []issuer.Event, asked []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, asked = w.events, w.asked
	w.events, w.asked = nil, nil
	return events, asked
}

type plain = accounttest.Plain
