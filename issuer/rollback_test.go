package issuer_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// failing is a store in whose place a copy takes over that lacks the last commits, as after
// the failover to an asynchronous replica. Asked after a cursor of another history, it says no more than which it has.
type failing struct {
	issuer.Store
	lineage string
}

func (s *failing) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	page, err := s.Store.RevocationsSince(ctx, after)
	if after != "" && page.Lineage != s.lineage {
		page.Entries = nil
	}
	s.lineage = page.Lineage
	return page, err
}

// newFailing returns the world of a node, and one of another node that comes with the replica.
func newFailing(t *testing.T) (node *world, failover func() (other *world)) {
	t.Helper()
	primary, path := openSQLite(t, filepath.Join(t.TempDir(), "doorward.db")), filepath.Join(t.TempDir(), "replica.db")
	store := &failing{Store: primary}
	node = newWorldWith(t, store, nil)
	if err := primary.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return node, func() *world {
		store.Store = openSQLite(t, path)
		return newWorldOn(t, path, nil)
	}
}

// What is revoked in the history that takes over holds, wherever the node had come to in the one that is lost.
func TestLostHistory(t *testing.T) {
	t.Parallel()
	node, failover := newFailing(t)
	set := node.login("ada")
	err := errors.Join(node.CatchUp(t.Context()), failover().RevokeSubject(t.Context(), "ada", issuer.Event{}), node.CatchUp(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	node.wantVerify(set.AccessToken, doorward.ErrRevoked)
}

// A rotation is lost, and the number of its revision given to another one.
func TestLostRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		node, failover := newFailing(t)
		time.Sleep(time.Second)
		lost, err := node.RotateKey(t.Context(), issuer.Event{})
		if err != nil {
			t.Fatal(err)
		}
		other := failover()
		kid, err := other.RotateKey(t.Context(), issuer.Event{})
		if err != nil || kid == lost {
			t.Fatalf("rotate: %q, %v", kid, err)
		}
		defer other.start(t)()
		defer node.start(t)()
		time.Sleep(15 * time.Minute) // Now it signs.
		for _, w := range []*world{node, other} {
			set := w.login("ada")
			if got := node.wantVerify(set.AccessToken, nil).KeyID; got != kid {
				t.Errorf("a token was signed with %q, want %q", got, kid)
			}
			other.wantVerify(set.AccessToken, nil)
		}
	})
}

// The revocation of a key is lost, but not to the nodes that know of it: they revoke it again.
func TestLostRevocationOfKey(t *testing.T) {
	t.Parallel()
	for _, purpose := range []string{issuer.PurposeSign, issuer.PurposeRefresh} {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				node, failover := newFailing(t)
				stolen := node.login("ada")
				kid := node.kidOf(stolen)
				if purpose == issuer.PurposeRefresh {
					kid = node.refreshKeys(t)[0]
				}
				time.Sleep(time.Second)
				if err := node.RevokeKey(t.Context(), kid, issuer.Event{}); err != nil {
					t.Fatal(err)
				}
				other := failover()
				early := other.login("ada")
				defer other.start(t)()
				defer node.start(t)()
				time.Sleep(3 * time.Second)
				if purpose == issuer.PurposeSign {
					other.wantVerify(early.AccessToken, jwt.ErrKey)
				} else {
					other.wantReason(early, issuer.ReasonKeyRemoved)
				}
				for _, w := range []*world{node, other} {
					set := w.login("ada")
					node.wantVerify(set.AccessToken, nil)
					other.mustRefresh(set.RefreshToken)
				}
				list, err := node.KeyList(t.Context())
				if err != nil || len(list) != 2 {
					t.Errorf("keys: %+v, %v", list, err)
				}
			})
		})
	}
}
