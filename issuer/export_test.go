package issuer

import (
	"time"

	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/rotation"
)

// What follows opens the pure rule of refresh to the tests of this folder.

type Outcome = rotation.Outcome

const (
	OutcomeAgain    = rotation.Again
	OutcomeRotate   = rotation.Rotate
	OutcomeReuse    = rotation.Reuse
	OutcomeRollback = rotation.Rollback
)

func Decide(s State, presented uint32, now time.Time, window time.Duration, budget int) (State, Outcome) {
	next, outcome := rotation.Decide(rotation.State(s), presented, now, rotation.Rule{Window: window, Budget: budget})
	return State(next), outcome
}

// ForgeRefreshToken makes a token of another generation with the issuer's own key.
func (i *Issuer) ForgeRefreshToken(token string, generation uint32) string {
	ring := i.ring.Load()
	t, err := opaque.Parse(token, ring.refresh)
	if err != nil {
		panic(err)
	}
	t.Generation = generation
	return t.Text(ring.minter(time.Now()))
}
