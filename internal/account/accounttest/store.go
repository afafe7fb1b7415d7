// Package accounttest checks that a store of people does what package account
// asks of it, on a real database, together with the sessions that it ends.
package accounttest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// Store is a store of people and of their sessions.
type Store interface {
	operators
	account.BulkStore
	account.ResetStore
	account.DeviceStore
	account.RoleStore
	account.Throttle
	issuer.SessionStore
	issuer.RevocationLog
}

// operators is what operators do with people.
type operators interface {
	account.Store
	account.EditStore
}

// TestStore checks a store, each promise in a subtest of its own. open opens the
// database of a folder, which is empty the first time, and closes it in
// t.Cleanup; several Stores of one folder may be open at once. The store's clock
// must be a real one.
func TestStore(t *testing.T, open func(t *testing.T, dir string) Store) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.run(&fixture{T: t, store: open(t, dir), again: func() Store { return open(t, dir) }})
		})
	}
}

var tests = []struct {
	name string
	run  func(f *fixture)
}{
	{"a user is read as created", testCreate},
	{"a canonical name is unique", testUnique},
	{"a name is free after the user was deleted", testNameFree},
	{"no such user", testNotFound},
	{"users are listed in pages", testList},
	{"one first user, from two processes", testFirst},
	{"one user of a name, from two processes", testTogether},
	{"a credential holds user and hash", testCredential},
	{"a new password ends the sessions", testSetPassword},
	{"a new password replaces only the old one", testSetPasswordOld},
	{"another hash ends nothing", testReplaceHash},
	{"disabling ends the sessions, enabling nothing", testSetDisabled},
	{"deleting ends the sessions", testDelete},
	{"an e-mail address is set, shared and removed", testEmail},
	{"an external ID is unique", testExternalID},
	{"an external ID is unique among many users in one transaction", testExternalIDBulk},
	{"one user of an external ID, from two processes", testExternalIDTogether},
	{"a change ends a login in flight", testInFlight},
	{"a change of nobody changes nothing", testNobody},
	{"many users in one transaction", testBulk},
	{"a failure in the middle adds nobody", testBulkWhole},
	{"many users from two processes", testBulkTogether},
	{"Attack_E12 a reset link works once", testReset},
	{"Attack_E12 a reset link used from two processes works once", testResetTogether},
	{"Attack_E12 what ends a reset link", testResetEnds},
	{"a role is read as created", testRole},
	{"the scopes of a role are changed", testRoleChange},
	{"roles are listed in pages, also those without a row", testRoleList},
	{"removing a role takes it from everybody", testRoleRemove},
	{"no such role", testNoRole},
	{"bounds of roles hold, from two processes", testRoleBounds},
	{"the roles of a user", testUserRoles},
	{"Attack_E10 who gets the role admin with an initial password", testIssued},
	{"Attack_E10 who gets the role admin while an operator sets the password", testIssuedTogether},
	{"the sessions of many users end", testEndUsers},
	{"an edit changes what was seen", testEdit},
	{"an edit keeps the last admin", testEditBounds},
	{"no edit is lost, from two processes", testEditTogether},
	{"a role is changed if it is what was seen", testRoleSeen},
	{"Attack_H06 the last admin stays, from two processes", testLastAdmin},
	{"tries up to the limit", testThrottle},
	{"Attack_E06 tries are counted exactly, from two processes", testThrottleTogether},
	{"Attack_E06 tries survive a restart", testThrottleRestart},
	{"a window ends", testThrottleWindow},
	{"a try that is given back", testRelease},
	{"a try that is given back late", testReleaseLate},
	{"Standard_U15 tries that are forgotten", testClear},
	{"Attack_E07 a device is known to its user alone", testDevice},
	{"Attack_E07 a user has a bounded number of devices", testDeviceBound},
	{"Attack_E07 devices added at once are bounded", testDeviceTogether},
	{"Attack_E14 hostile texts are stored as they are", testHostile},
}

// fixture is one subtest with its own database.
type fixture struct {
	*testing.T
	store Store
	again func() Store // another Store on the same database
}

var event = issuer.Event{Kind: "test", Actor: "accounttest", Address: "192.0.2.1", RequestID: "r1"}

func newRow(name string, roles ...string) account.UserRow {
	return account.UserRow{
		ID: "u_" + strings.ToLower(rand.Text()), Name: name, Canonical: strings.ToLower(name), Roles: roles,
		Email: name + "@example.com", Hash: "$hash of " + name,
	}
}

func (f *fixture) create(row account.UserRow) account.User {
	f.Helper()
	u, err := f.store.CreateUser(f.Context(), row, event)
	if err != nil {
		f.Fatal(err)
	}
	return u
}

func (f *fixture) login(id string) issuer.Session {
	f.Helper()
	epoch, err := f.store.Epoch(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	s, err := f.store.CreateSession(f.Context(), newSession(id, epoch), event)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

func newSession(subject string, epoch int64) issuer.NewSession {
	n := issuer.NewSession{
		Subject: subject, Epoch: epoch, ClientID: "doorward", Audience: "https://api.example.com",
		Idle: time.Hour, Absolute: 24 * time.Hour,
	}
	rand.Read(n.Handle[:])
	return n
}

// wantEnded checks that the cut-off covers the sessions, that the store ended
// them for this reason, and that a reader of the log sees it.
func (f *fixture) wantEnded(cut doorward.Revocation, reason string, sessions ...issuer.Session) {
	f.Helper()
	page, err := f.store.RevocationsSince(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	if !containsCut(page.Entries, cut) {
		f.Errorf("the log has %v, want %v in it", page.Entries, cut)
	}
	for _, s := range sessions {
		if cut.Kind != doorward.KindSubject || cut.ID != s.Subject || cut.Before <= s.ID || cut.ExpiresAt.IsZero() {
			f.Errorf("cut-off %+v does not cover session %s of %s", cut, s.ID, s.Subject)
		}
		got, now, err := f.store.SessionByHandle(f.Context(), s.Handle)
		if err != nil {
			f.Fatal(err)
		}
		if got.Live(now) || got.EndReason != reason {
			f.Errorf("session %s: ended %v for %q, want the reason %q", s.ID, got.EndedAt, got.EndReason, reason)
		}
	}
}

func (f *fixture) wantLive(s issuer.Session) {
	f.Helper()
	got, now, err := f.store.SessionByHandle(f.Context(), s.Handle)
	if err != nil {
		f.Fatal(err)
	}
	if !got.Live(now) {
		f.Errorf("session %s ended for %q, want it live", s.ID, got.EndReason)
	}
}

func containsCut(list []doorward.Revocation, cut doorward.Revocation) bool {
	for _, r := range list {
		if r.Kind == cut.Kind && r.ID == cut.ID && r.Before >= cut.Before {
			return true
		}
	}
	return false
}

func (f *fixture) wantError(got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Errorf("error %v, want %v", got, want)
	}
}

func (f *fixture) wantUser(got account.User, err error, want account.User) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("user (-want +got):\n%s", diff)
	}
}

// together runs do n times at once, alternately on two Stores of the database, and
// returns how often it reported true.
func (f *fixture) together(n int, do func(ctx context.Context, s Store) bool) int64 {
	stores := [2]Store{f.store, f.again()}
	var wg sync.WaitGroup
	var count atomic.Int64
	for i := range n {
		wg.Go(func() {
			if do(f.Context(), stores[i%2]) {
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return count.Load()
}

func keyOf(text string) [32]byte { return sha256.Sum256([]byte(text)) }
