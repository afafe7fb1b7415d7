package doorwardtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	doorwardtest.TestStore(t, func(*testing.T) issuer.Store { return doorwardtest.NewStore() })
}

// What needs a month to pass.
func TestMemoryStorePrunes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := doorwardtest.NewStore()
		const day = 24 * time.Hour
		lapsed := newSession(1, day)
		ended, live := newSession(2, 90*day), newSession(3, 90*day)
		for _, n := range []issuer.NewSession{lapsed, ended, live} {
			if _, err := s.CreateSession(t.Context(), n, issuer.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		read, _, err := s.SessionByHandle(t.Context(), ended.Handle)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.EndSession(t.Context(), read.ID, "logout", issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			after time.Duration
			rows  int64
		}{
			{time.Hour, 0},
			{time.Hour, 1},            // the cut-off of the logout
			{30*day - 2*time.Hour, 0}, // 30 days since the logout
			{time.Minute, 1},          // the session that was logged out
			{day, 1},                  // the one that lapsed
			{50 * day, 0},
		} {
			time.Sleep(tt.after)
			if n, err := s.Prune(t.Context()); n != tt.rows || err != nil {
				t.Errorf("at %v: %d rows, %v, want %d", time.Now(), n, err, tt.rows)
			}
		}
	})
}

// An embedded issuer on the store: what one process revokes holds in the other.
func TestMemoryStoreServesIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := doorwardtest.NewStore()
		cfg := issuer.Config{
			Issuer: "https://auth.example", Store: store, MasterKey: issuer.GenerateMasterKey(), Subjects: everyone{},
		}
		here, there := newNode(t, cfg), newNode(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = there.Run(ctx) }()
		set := login(t, here)
		if err := here.Logout(t.Context(), set.AccessToken, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // there has been told
		if there.Revocations().Check(&doorward.Claims{SessionID: set.SessionID}) == nil {
			t.Error("the other node does not know of the logout")
		}
		events := store.Events()
		if last := events[len(events)-1]; last.Kind != issuer.EventLogout || last.Session != set.SessionID {
			t.Errorf("recorded last: %+v", last)
		}
	})
}

// A month passes at once where Run does not look at the store each second of it. CatchUp does what Run would have done.
func TestMemoryStoreForAMonth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := newNode(t, issuer.Config{
			Issuer: "https://auth.example", Store: doorwardtest.NewStore(), MasterKey: issuer.GenerateMasterKey(), Subjects: everyone{},
		})
		v, err := doorward.NewVerifier(doorward.Config{Issuer: iss.URL(), Audience: iss.URL(), Keys: iss.Keys(), Revocations: iss.Revocations()})
		if err != nil {
			t.Fatal(err)
		}
		set := login(t, iss)
		for range 2 {
			time.Sleep(13 * 24 * time.Hour)
			if set, err = iss.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{}); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(t.Context(), set.AccessToken); !errors.Is(err, doorward.ErrStale) {
				t.Errorf("without a look at the store: %v, want ErrStale", err)
			}
			if err := iss.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(t.Context(), set.AccessToken); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(14 * 24 * time.Hour)
		if _, err := iss.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{}); !errors.Is(err, issuer.ErrSessionLapsed) {
			t.Errorf("after a month: %v, want ErrSessionLapsed", err)
		}
	})
}

// login returns what ada gets when she logs in.
func login(t *testing.T, iss *issuer.Issuer) issuer.TokenSet {
	t.Helper()
	attempt, err := iss.Begin(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	set, err := iss.Login(t.Context(), attempt, issuer.LoginRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func ExampleNewStore() {
	iss, err := issuer.New(context.Background(), issuer.Config{
		Issuer: "https://auth.example", Store: doorwardtest.NewStore(), MasterKey: issuer.GenerateMasterKey(), Subjects: everyone{},
	})
	if err != nil {
		panic(err)
	}
	attempt, _ := iss.Begin(context.Background(), "ada")
	tokens, _ := iss.Login(context.Background(), attempt, issuer.LoginRequest{})
	fmt.Println(tokens.Subject, tokens.ExpiresIn > 9*time.Minute)
	// Output: ada true
}

type everyone struct{}

func (everyone) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{Active: true}, nil
}

func newNode(t *testing.T, cfg issuer.Config) *issuer.Issuer {
	t.Helper()
	node, err := issuer.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func newSession(n byte, idle time.Duration) issuer.NewSession {
	return issuer.NewSession{Subject: "ada", Handle: issuer.Digest{n}, Idle: idle, Absolute: 90 * 24 * time.Hour}
}
