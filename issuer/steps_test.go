package issuer_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// step is a moment around a call of the store.
type step string

const (
	beforeRead   step = "before the read"
	afterRead    step = "after the read"
	beforeSwap   step = "before the swap"
	afterSwap    step = "after the swap"
	beforeCreate step = "before the insert"
	afterCreate  step = "after the insert"
	beforeEpoch  step = "before the epoch"
	afterEpoch   step = "after the epoch"
)

// steps is a store that calls at for each step of a call whose context is marked.
type steps struct {
	issuer.Store
	at func(step)
}

type markKey struct{}

// marked returns a context whose calls are stepped.
func marked(ctx context.Context) context.Context { return context.WithValue(ctx, markKey{}, true) }

func (s *steps) reach(ctx context.Context, here step) {
	if s.at != nil && ctx.Value(markKey{}) != nil {
		s.at(here)
	}
}

func (s *steps) Epoch(ctx context.Context, subject string) (int64, error) {
	s.reach(ctx, beforeEpoch)
	defer s.reach(ctx, afterEpoch)
	return s.Store.Epoch(ctx, subject)
}

func (s *steps) CreateSession(ctx context.Context, n issuer.NewSession, ev issuer.Event) (issuer.Session, error) {
	s.reach(ctx, beforeCreate)
	defer s.reach(ctx, afterCreate)
	return s.Store.CreateSession(ctx, n, ev)
}

func (s *steps) SessionByHandle(ctx context.Context, handle issuer.Digest) (issuer.Session, time.Time, error) {
	s.reach(ctx, beforeRead)
	defer s.reach(ctx, afterRead)
	return s.Store.SessionByHandle(ctx, handle)
}

func (s *steps) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	s.reach(ctx, beforeSwap)
	defer s.reach(ctx, afterSwap)
	return s.Store.SwapSession(ctx, id, rev, ch, ev)
}

// enders are the ways to end a session.
var enders = []struct {
	name string
	end  func(*world, issuer.TokenSet) error
}{
	{"logout by access token", func(w *world, set issuer.TokenSet) error {
		return w.Logout(w.t.Context(), set.AccessToken, issuer.Event{})
	}},
	{"logout by refresh token", func(w *world, set issuer.TokenSet) error {
		return w.Logout(w.t.Context(), set.RefreshToken, issuer.Event{})
	}},
	{"revoke session", func(w *world, set issuer.TokenSet) error {
		return w.RevokeSession(w.t.Context(), set.SessionID, issuer.Event{})
	}},
	{"revoke client", func(w *world, _ issuer.TokenSet) error {
		return w.RevokeClient(w.t.Context(), issuer.FirstPartyClient, issuer.Event{})
	}},
	{"revoke the refresh key", func(w *world, _ issuer.TokenSet) error {
		return w.RevokeKey(w.t.Context(), w.refreshKeys(w.t)[0], issuer.Event{})
	}},
	{"revoke subject", func(w *world, _ issuer.TokenSet) error {
		return w.RevokeSubject(w.t.Context(), "ada", issuer.Event{})
	}},
	{"password change", func(w *world, _ issuer.TokenSet) error {
		cut, err := accounts.In(w.cfg.Store.(*steps).Store.(*sqlite.Store).Store).SetPassword(w.t.Context(), "ada",
			account.NewPassword{Hash: "new"}, issuer.Event{Kind: account.EventPasswordChange})
		w.Apply(cut)
		return err
	}},
}

// presented are the situations in which a refresh token is accepted: they differ
// in what the refresh asks of the store.
var presented = []struct {
	name  string
	token func(*world, string) string
	steps []step
}{
	{"rotate", func(_ *world, token string) string { return token }, []step{beforeRead, afterRead, beforeSwap, afterSwap}},
	{"current and held", func(w *world, token string) string { return w.mustRefresh(token).RefreshToken }, []step{beforeRead, afterRead}},
	{"predecessor in the window", func(w *world, token string) string {
		w.mustRefresh(token)
		return token
	}, []step{beforeRead, afterRead, beforeSwap, afterSwap}},
	{"predecessor late", lateToken, []step{beforeRead, afterRead, beforeSwap, afterSwap}},
}

// lateToken makes the token a predecessor outside the window. It runs in a bubble.
func lateToken(w *world, token string) string {
	w.mustRefresh(token)
	time.Sleep(time.Minute)
	return token
}

// stepped returns a world whose marked calls are stepped, and another process on its store.
func stepped(t *testing.T) (w, elsewhere *world, s *steps) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doorward.db")
	w = newWorldOn(t, path, func(c *issuer.Config) {
		s = &steps{Store: c.Store}
		c.Store = s
	})
	_, err := accounts.In(s.Store.(*sqlite.Store).Store).CreateUser(t.Context(), account.UserRow{ID: "ada", Name: "ada", Canonical: "ada", Hash: "old"}, issuer.Event{})
	if err != nil {
		t.Fatal(err)
	}
	return w, newWorldOn(t, path, nil), s
}

// Attack_F08, Standard_S06, Standard_U17, Standard_U21: a refresh is stopped at each step of the store,
// the session is ended, and the refresh goes on. Whatever it returns is worth nothing,
// here and, once it has read the store, in another process.
func TestAttack_F08_EndDuringRefresh(t *testing.T) {
	t.Parallel()
	for _, how := range presented {
		for _, ender := range enders {
			for _, here := range how.steps {
				t.Run(how.name+"/"+ender.name+"/"+string(here), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						w, elsewhere, s := stepped(t)
						first := w.login("ada")
						token := how.token(w, first.RefreshToken)
						reached := 0
						s.at = func(at step) {
							if at != here || reached > 0 {
								return
							}
							reached++
							if err := ender.end(w, first); err != nil {
								t.Errorf("end: %v", err)
							}
						}
						made, err := w.Refresh(marked(t.Context()), token, issuer.RefreshRequest{})
						if reached != 1 {
							t.Fatalf("the refresh came %d times to this step", reached)
						}
						if err != nil && !errors.Is(err, issuer.ErrSessionEnded) {
							t.Errorf("refresh: %v", err)
						}
						wantWorthless(t, w, elsewhere, first, made, err == nil)
					})
				})
			}
		}
	}
}

// wantWorthless checks, in a bubble, that no token of the session works, whatever the race has made.
func wantWorthless(t *testing.T, w, elsewhere *world, first, made issuer.TokenSet, got bool) {
	t.Helper()
	if !got && (made.AccessToken != "" || made.RefreshToken != "") {
		t.Error("tokens beside an error")
	}
	stop := elsewhere.start(t)
	time.Sleep(5 * time.Second)
	stop()
	for _, node := range []*world{w, elsewhere} {
		for _, set := range []issuer.TokenSet{first, made} {
			if set.AccessToken == "" {
				continue
			}
			node.wantVerify(set.AccessToken, doorward.ErrRevoked)
			node.wantRefreshError(set.RefreshToken, issuer.ErrSessionEnded)
		}
	}
	list, err := w.Sessions(t.Context(), issuer.SessionQuery{Live: true})
	if err != nil || len(list) != 0 {
		t.Errorf("%d live sessions are left, %v", len(list), err)
	}
}

// A login that is stopped at each step while everything of its subject is ended
// either fails, or had begun after the end.
func TestAttack_F08_EndDuringLogin(t *testing.T) {
	t.Parallel()
	for _, ender := range enders[5:] {
		for here, survives := range map[step]bool{
			beforeEpoch: true, afterEpoch: false, beforeCreate: false, afterCreate: false,
		} {
			t.Run(ender.name+"/"+string(here), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w, elsewhere, s := stepped(t)
					first := w.login("ada")
					s.at = func(at step) {
						if at != here {
							return
						}
						if err := ender.end(w, first); err != nil {
							t.Errorf("end: %v", err)
						}
					}
					attempt, err := w.Begin(marked(t.Context()), "ada")
					if err != nil {
						t.Fatal(err)
					}
					made, err := w.Login(marked(t.Context()), attempt, issuer.LoginRequest{})
					if survives {
						w.wantVerify(made.AccessToken, nil)
						return
					}
					if err != nil && !errors.Is(err, issuer.ErrEpoch) {
						t.Errorf("login: %v", err)
					}
					wantWorthless(t, w, elsewhere, first, made, err == nil)
				})
			})
		}
	}
}

// A generation is held from the commit that makes it, and its access token is of that time: a swap that waited longer than the
// window for its turn does not make a parallel request late.
func TestWindowBeginsWithTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, s := stepped(t)
		defer w.start(t)()
		first := w.login("ada")
		s.at = func(at step) {
			if at == beforeSwap {
				time.Sleep(time.Minute)
			}
		}
		set, err := w.Refresh(marked(t.Context()), first.RefreshToken, issuer.RefreshRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if c := w.wantVerify(set.AccessToken, nil); !c.IssuedAt.Equal(time.Now().Truncate(time.Second)) {
			t.Errorf("a token of %v was issued at %v", time.Now(), c.IssuedAt)
		}
		w.mustRefresh(first.RefreshToken) // The other tab, which was sent at the same time.
		list, err := w.Sessions(t.Context(), issuer.SessionQuery{ID: first.SessionID})
		if err != nil || len(list) != 1 {
			t.Fatalf("sessions = %v, %v", list, err)
		}
		if state := list[0].State; state.Late || state.LateRun != 0 || !state.Mixed {
			t.Errorf("state = %+v: the parallel request counts as late", state)
		}
	})
}
