package issuer

import (
	"time"

	"github.com/doorward/doorward/internal/opaque"
)

// What follows opens the pure rule of refresh to the tests of this folder.

type Outcome = outcome

const (
	OutcomeAgain    = outcomeAgain
	OutcomeRotate   = outcomeRotate
	OutcomeReuse    = outcomeReuse
	OutcomeRollback = outcomeRollback
)

func Decide(s State, presented uint32, now time.Time, window time.Duration, budget int) (State, Outcome) {
	return decide(s, presented, now, refreshRule{window, budget})
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
