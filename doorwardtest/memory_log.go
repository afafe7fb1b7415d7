package doorwardtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// slack is how much longer a cut-off lives than the longest access token.
const slack = time.Minute

// recorded is a cut-off at its place in the log.
type recorded struct {
	doorward.Revocation
	position int64
}

// RevocationsSince returns every cut-off recorded at or after the cursor. A cursor that is not
// of this store counts as the zero cursor, with which it returns those that have not expired.
func (s *Store) RevocationsSince(ctx context.Context, after issuer.Cursor) (page issuer.RevocationPage, err error) {
	err = s.transact(ctx, nil, func(now time.Time) error {
		from := s.place(after)
		for _, cut := range s.cutoffs {
			live := cut.ExpiresAt.IsZero() || cut.ExpiresAt.After(now)
			if cut.position >= from && (from > 0 || live) {
				page.Entries = append(page.Entries, cut.Revocation)
			}
		}
		page.Lineage, page.Next = s.lineage, issuer.Cursor(fmt.Sprintf("%s.%d", s.lineage, s.next))
		return nil
	})
	return page, err
}

// WaitChange returns when the store has changed since the last call began, and at the latest after one second.
func (s *Store) WaitChange(ctx context.Context) error {
	s.mu.Lock()
	version, seen, changed := s.version, s.seen, s.changed
	s.seen = version
	s.mu.Unlock()
	if version != seen {
		return ctx.Err()
	}
	most := time.NewTimer(time.Second)
	defer most.Stop()
	select {
	case <-changed:
	case <-most.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Prune deletes cut-offs one hour after they expire and sessions that ended or lapsed more
// than 30 days ago.
func (s *Store) Prune(ctx context.Context) (n int64, err error) {
	err = s.transact(ctx, nil, func(now time.Time) error {
		before := len(s.cutoffs) + len(s.sessions)
		s.cutoffs = slices.DeleteFunc(s.cutoffs, func(cut recorded) bool {
			return !cut.ExpiresAt.IsZero() && cut.ExpiresAt.Before(now.Add(-time.Hour))
		})
		kept := now.Add(-30 * 24 * time.Hour)
		maps.DeleteFunc(s.sessions, func(_ string, session *issuer.Session) bool {
			ended := !session.EndedAt.IsZero() && session.EndedAt.Before(kept)
			return ended || session.IdleEnd.Before(kept) || session.AbsoluteEnd.Before(kept)
		})
		n = int64(before - len(s.cutoffs) - len(s.sessions))
		return nil
	})
	return n, err
}

// KeyRing returns all keys and the revision that SwapKeys wants.
func (s *Store) KeyRing(ctx context.Context) (ring issuer.KeyRing, err error) {
	err = s.transact(ctx, nil, func(time.Time) error {
		ring = issuer.KeyRing{Rev: s.ring.Rev, Keys: slices.Clone(s.ring.Keys)}
		return nil
	})
	return ring, err
}

// SwapKeys replaces the ring if its revision is still rev.
func (s *Store) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	texts := slices.Clone(revoked)
	for _, k := range keys {
		texts = append(texts, k.ID, k.Purpose, string(k.Algorithm))
	}
	return s.transact(ctx, texts, func(now time.Time) error {
		if rev != s.ring.Rev {
			return issuer.ErrConflict
		}
		for _, id := range revoked {
			s.cutOff(doorward.KindKey, id, "", now, now)
			if slices.ContainsFunc(s.ring.Keys, func(k issuer.StoredKey) bool {
				return k.ID == id && k.Purpose == issuer.PurposeRefresh
			}) {
				s.endAll(now)
			}
		}
		s.ring = issuer.KeyRing{Rev: rev + 1}
		for _, k := range keys {
			k.Sealed, k.AccessTTL = slices.Clone(k.Sealed), roundUp(k.AccessTTL)
			k.CreatedAt, k.UseFrom, k.KeepUntil = inMillis(k.CreatedAt), inMillis(k.UseFrom), inMillis(k.KeepUntil)
			s.ring.Keys = append(s.ring.Keys, k)
		}
		slices.SortFunc(s.ring.Keys, func(a, b issuer.StoredKey) int { return cmp.Compare(a.ID, b.ID) })
		s.record(ev, "", "")
		return nil
	})
}

// endAll ends every session so far, since a refresh key was revoked.
func (s *Store) endAll(now time.Time) {
	for _, session := range s.sessions {
		if session.EndedAt.IsZero() {
			session.Rev++
			end(session, issuer.ReasonKeyRemoved, now)
		}
	}
	s.cutOff(doorward.KindAll, "", s.nextID(), now, now)
}

// cutOff records a cut-off of what was last used at used. It returns the cut-off and whether it
// is new: one of the same kind, id and before stays as it is.
func (s *Store) cutOff(kind doorward.Kind, id, before string, used, now time.Time) (doorward.Revocation, bool) {
	for _, cut := range s.cutoffs {
		if cut.Kind == kind && cut.ID == id && cut.Before == before {
			return cut.Revocation, false
		}
	}
	cut := doorward.Revocation{Kind: kind, ID: id, Before: before}
	if kind != doorward.KindKey && kind != doorward.KindAll {
		var longest time.Duration
		for _, k := range s.ring.Keys {
			longest = max(longest, k.AccessTTL)
		}
		cut.ExpiresAt = later(used, now).Add(longest + slack)
	}
	s.cutoffs = append(s.cutoffs, recorded{cut, s.next})
	s.next++
	return cut, true
}

// place is the position of a cursor of this store, or 0.
func (s *Store) place(c issuer.Cursor) int64 {
	lineage, position, _ := strings.Cut(string(c), ".")
	at, err := strconv.ParseInt(position, 10, 64)
	if err != nil || lineage != s.lineage || at > s.next {
		return 0
	}
	return at
}
