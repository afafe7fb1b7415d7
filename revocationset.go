package doorward

import (
	"cmp"
	"math"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/cutoff"
)

// defaultStaleness is how long a set may be out of touch by default.
const defaultStaleness = time.Minute

// RevocationSet keeps revocations in memory and answers Check from them. It
// follows no store by itself: whoever does calls Add and Confirm, and both drop
// the entries that have expired. So its memory is bounded by what can still
// matter: 20 to 40 bytes for a session, 40 to 80 for a subject or a client. All
// methods may be called concurrently.
//
// A set whose last confirmation is too old is stale, and so is one that was
// never confirmed or that was given an entry of a kind unknown to this version:
// it cannot vouch for a token.
type RevocationSet struct {
	maxStaleness time.Duration
	set          *cutoff.Set
	confirmed    atomic.Pointer[time.Time]
	unknown      atomic.Bool // there was an entry of an unknown kind
}

// NewRevocationSet returns an empty set that has not been confirmed.
// maxStaleness is how long after a confirmation it still vouches for tokens; 0
// means 60 s. With a negative one it is always stale.
func NewRevocationSet(maxStaleness time.Duration) *RevocationSet {
	return &RevocationSet{maxStaleness: cmp.Or(maxStaleness, defaultStaleness), set: cutoff.NewSet()}
}

// Check returns ErrRevoked if an entry ends the token, ErrStale if none does
// but the set is out of touch, and nil otherwise. A token whose sid is no
// canonical UUID counts as older than every cut-off. It does not allocate.
func (s *RevocationSet) Check(c *Claims) error {
	return s.check(c, time.Now())
}

// Add adds entries. Repeats are harmless: of two cut-offs of one subject the
// later holds, and of two expiries the later.
func (s *RevocationSet) Add(entries ...Revocation) {
	if !addAll(s.set, entries) {
		s.unknown.Store(true)
	}
	s.set.Sweep()
}

// Replace makes entries the whole content, for a follower whose source has
// begun a new history. An entry that was in the set and is in entries is found by
// Check at every moment. Whatever was added since entries was read from the source
// has to be added again.
func (s *RevocationSet) Replace(entries []Revocation) {
	fresh := s.set.Empty()
	if !addAll(fresh, entries) {
		s.unknown.Store(true)
		s.set.Replace(fresh)
		return
	}
	s.set.Replace(fresh)
	s.unknown.Store(false)
}

// Confirm tells the set how fresh it is: a question that was sent to the source at
// asked has been answered, and the answer has been added. If the source said that
// the answer was itself behind, the caller subtracts that from asked. A time before
// the last confirmation changes nothing, and one in the future counts as now.
func (s *RevocationSet) Confirm(asked time.Time) {
	if now := time.Now(); asked.After(now) {
		asked = now
	}
	for before := s.confirmed.Load(); before == nil || asked.After(*before); before = s.confirmed.Load() {
		if s.confirmed.CompareAndSwap(before, &asked) {
			break
		}
	}
	s.set.Sweep()
}

// Age returns the time since the last confirmed question was sent: the larger of
// the monotonic and the wall clock's, so that a machine that was suspended
// wakes up stale. Before the first confirmation it is math.MaxInt64.
func (s *RevocationSet) Age() time.Duration {
	return s.age(time.Now())
}

// Len returns the number of entries, some of which may have expired.
func (s *RevocationSet) Len() int {
	return s.set.Len()
}

func (s *RevocationSet) check(c *Claims, now time.Time) error {
	if s.set.Ends(cutoff.Target{Session: c.SessionID, Subject: c.Subject, Client: c.ClientID, Key: c.KeyID}) {
		return ErrRevoked
	}
	if s.unknown.Load() || s.age(now) > s.maxStaleness {
		return errOutOfTouch
	}
	return nil
}

func (s *RevocationSet) age(now time.Time) time.Duration {
	asked := s.confirmed.Load()
	if asked == nil {
		return math.MaxInt64
	}
	return max(now.Sub(*asked), now.Round(0).Sub(asked.Round(0)))
}

// addAll reports whether all kinds are known.
func addAll(set *cutoff.Set, entries []Revocation) bool {
	known := true
	for _, r := range entries {
		switch r.Kind {
		case KindSession:
			set.EndSession(r.ID, r.ExpiresAt)
		case KindSubject:
			set.EndSubject(r.ID, r.Before, r.ExpiresAt)
		case KindClient:
			set.EndClient(r.ID, r.Before, r.ExpiresAt)
		case KindKey:
			set.EndKey(r.ID, r.ExpiresAt)
		case KindAll:
			set.EndAll(r.Before, r.ExpiresAt)
		default:
			known = false
		}
	}
	return known
}
