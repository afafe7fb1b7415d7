package issuer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// instant is the precision of a stored time.
const instant = time.Millisecond

// Attack_F06, Behaviour_B39a, Standard_S05, Standard_U23, Standard_U24, ASVS_7.3.1, ASVS_7.3.2: each use resets the idle lifetime and none
// the absolute one; a new login resets both.
// It runs in bubbles.
func TestSessionLapses(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, func(c *issuer.Config) { c.IdleTTL, c.AbsoluteTTL = time.Hour, 3*time.Hour })
		set := w.login("ada")
		time.Sleep(time.Hour - instant)
		set = w.mustRefresh(set.RefreshToken)
		if lapses := time.Until(set.RefreshExpiresAt); lapses != time.Hour {
			t.Errorf("a session that was refreshed says that it lapses in %v", lapses)
		}
		time.Sleep(time.Hour)
		w.wantReason(set, issuer.ReasonIdle)

		set = w.login("ada")
		began := time.Now()
		for range 5 {
			time.Sleep(30 * time.Minute)
			set = w.mustRefresh(set.RefreshToken)
		}
		time.Sleep(time.Until(began.Add(3*time.Hour - 5*time.Second)))
		if set = w.mustRefresh(set.RefreshToken); set.ExpiresIn > 5*time.Second {
			t.Errorf("an access token outlives its session: %v", set.ExpiresIn)
		}
		time.Sleep(time.Until(began.Add(3*time.Hour - instant)))
		w.mustRefresh(set.RefreshToken)
		time.Sleep(instant)
		w.wantReason(set, issuer.ReasonExpired)
		w.mustRefresh(w.login("ada").RefreshToken)
	})
}

// Standard_U23: what nobody has set is within the bounds of AAL1.
// It runs in bubbles.
func TestDefaultLifetimes(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		const day = 24 * time.Hour
		set := w.login("ada")
		for range 2 {
			time.Sleep(14*day - instant)
			set = w.mustRefresh(set.RefreshToken)
		}
		time.Sleep(2 * day)
		w.mustRefresh(set.RefreshToken)
		time.Sleep(2 * instant)
		w.wantReason(set, issuer.ReasonExpired)
		set = w.login("ada")
		time.Sleep(14 * day)
		w.wantReason(set, issuer.ReasonIdle)
	})
}

// Attack_F04: for as long as the window is open a generation is not rotated, and its
// predecessor is another tab; an instant later it is, and was late.
// It runs in bubbles.
func TestWindow(t *testing.T) {
	t.Parallel()
	const window = 7 * time.Second
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, func(c *issuer.Config) { c.Window, c.Budget = window, 1 })
		first := w.login("ada")
		second := w.mustRefresh(first.RefreshToken)
		time.Sleep(window - instant)
		for _, held := range []issuer.TokenSet{first, second} {
			if again := w.mustRefresh(held.RefreshToken); again.RefreshToken != second.RefreshToken {
				t.Error("a generation was rotated inside the window")
			}
		}
		time.Sleep(instant)
		third := w.mustRefresh(second.RefreshToken)
		if third.RefreshToken == second.RefreshToken {
			t.Error("a generation was not rotated after the window")
		}
		time.Sleep(window)
		w.wantRefreshError(second.RefreshToken, issuer.ErrReuse)
	})
}

// Attack_F01, Attack_F04, Standard_Z10: who goes on with a copy is caught at the generation that the budget says.
// It runs in bubbles.
func TestBudget(t *testing.T) {
	t.Parallel()
	for budget := 1; budget <= 4; budget++ {
		onEachStore(t, func(t *testing.T, newWorld worlds) {
			w := newWorld(t, func(c *issuer.Config) { c.Budget = budget })
			owner := w.login("ada").RefreshToken
			thief := owner
			for generation := 1; ; generation++ {
				time.Sleep(time.Minute)
				owner = w.mustRefresh(owner).RefreshToken
				time.Sleep(time.Minute)
				stolen, err := w.refresh(thief)
				if errors.Is(err, issuer.ErrReuse) && generation == budget {
					return
				}
				if err != nil || generation == budget {
					t.Fatalf("budget %d, generation %d: %v", budget, generation, err)
				}
				thief = stolen.RefreshToken
				w.mustRefresh(owner)
			}
		})
	}
}
