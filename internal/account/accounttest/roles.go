package accounttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

func (f *fixture) role(name string, scope ...string) account.Role {
	f.Helper()
	r, err := f.store.CreateRole(f.Context(), name, scope, event)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// wantGranted checks what a user may do.
func (f *fixture) wantGranted(id string, want ...string) {
	f.Helper()
	_, got, err := f.store.Granted(f.Context(), id)
	if diff := cmp.Diff(doorward.Scope(want), got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		f.Errorf("scope (-want +got), %v:\n%s", err, diff)
	}
}

func (f *fixture) wantRole(got account.Role, err error, want account.Role) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("role (-want +got):\n%s", diff)
	}
}

func testRole(f *fixture) {
	u := f.create(newRow("Ada", "editor"))
	f.wantGranted(u.ID)
	before := time.Now().Add(-time.Minute)
	r := f.role("editor", "b:read", "a:read", "b:read")
	f.wantRole(r, nil, account.Role{Name: "editor", Scope: doorward.Scope{"a:read", "b:read"}, Users: 1, CreatedAt: r.CreatedAt})
	if r.CreatedAt.Before(before) || r.CreatedAt.Location() != time.UTC {
		f.Errorf("created at %v", r.CreatedAt)
	}
	for _, s := range []Store{f.store, f.again()} {
		got, err := s.Role(f.Context(), "editor")
		f.wantRole(got, err, r)
	}
	f.wantGranted(u.ID, "a:read", "b:read") // who has the word already
	_, err := f.store.CreateRole(f.Context(), "editor", []string{"c"}, event)
	f.wantError(err, account.ErrRoleThere)
	f.wantGranted(u.ID, "a:read", "b:read")
}

func testRoleChange(f *fixture) {
	u := f.create(newRow("Ada", "editor", "viewer"))
	f.role("viewer", "a", "z")
	f.role("editor", "a", "b")
	for _, step := range []struct {
		change account.Change
		want   []string
	}{
		{account.Change{Add: []string{"c", "a"}}, []string{"a", "b", "c", "z"}},
		{account.Change{Remove: []string{"a", "b", "none"}}, []string{"a", "c", "z"}}, // a by the other role
		{account.Change{Replace: true, To: []string{"B", "b"}}, []string{"B", "a", "b", "z"}},
		{account.Change{Replace: true}, []string{"a", "z"}},
		{account.Change{Add: []string{"d"}, Remove: []string{"d"}}, []string{"a", "z"}},
	} {
		if _, err := f.store.ChangeRole(f.Context(), "editor", nil, step.change, event); err != nil {
			f.Fatal(err)
		}
		f.wantGranted(u.ID, step.want...)
	}
}

func testRoleList(f *fixture) {
	f.create(newRow("Ada", "admin", "word"))
	f.create(newRow("Bob", "word"))
	for _, name := range []string{"b", "a", "a.b", "word2"} {
		f.role(name, name+":read")
	}
	var got []string
	for after := ""; ; {
		page, err := f.store.Roles(f.Context(), account.Query{After: after, Limit: 2})
		if err != nil || len(page) > 2 {
			f.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, fmt.Sprintf("%s %d [%s] %v", r.Name, r.Users, r.Scope, !r.CreatedAt.IsZero()))
			after = r.Name
		}
	}
	want := []string{
		"a 0 [a:read] true", "a.b 0 [a.b:read] true", "admin 1 [] false", "b 0 [b:read] true",
		"word 2 [] false", "word2 0 [word2:read] true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Error(diff)
	}
}

func testRoleRemove(f *fixture) {
	ada, bob := f.create(newRow("Ada", "editor", "viewer")), f.create(newRow("Bob", "editor"))
	session := f.login(ada.ID)
	f.role("editor", "a")
	f.role("viewer", "v")
	ids, err := f.store.RemoveRole(f.Context(), "editor", event)
	if err != nil || len(ids) != 2 || ids[0] != min(ada.ID, bob.ID) || ids[1] != max(ada.ID, bob.ID) {
		f.Fatalf("taken from %v, %v", ids, err)
	}
	f.wantGranted(ada.ID, "v")
	f.wantGranted(bob.ID)
	f.wantLive(session)
	if u, err := f.store.User(f.Context(), ada.ID); err != nil || strings.Join(u.Roles, ",") != "viewer" {
		f.Errorf("%v, %v", u.Roles, err)
	}
	_, err = f.store.Role(f.Context(), "editor")
	f.wantError(err, account.ErrNoRole)
	f.role("editor") // the name is free, and its scopes are not those of before
	f.wantGranted(bob.ID)
}

func testNoRole(f *fixture) {
	f.create(newRow("Ada", "word"))
	f.role("editor", "a")
	// Attack_E14: a name is data.
	for _, name := range []string{"", "nobody", "Editor", "editor\x00", "\xff", "' OR 1=1 --", "edito%", "editor "} {
		_, err := f.store.Role(f.Context(), name)
		f.wantError(err, account.ErrNoRole)
		_, err = f.store.RemoveRole(f.Context(), name, event)
		f.wantError(err, account.ErrNoRole)
	}
	_, err := f.store.ChangeRole(f.Context(), "word", nil, account.Change{Add: []string{"a"}}, event)
	f.wantError(err, account.ErrNoRole) // somebody has it, and it is not defined
	_, _, err = f.store.Granted(f.Context(), "u_nobody")
	f.wantError(err, account.ErrNotFound)
	_, _, err = f.store.ChangeRoles(f.Context(), "u_nobody", account.Change{Add: []string{"a"}}, true, event)
	f.wantError(err, account.ErrNotFound)
}

// wide returns n scopes that take the bytes of one full role together.
func wide(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%0*d", prefix, account.MaxScope/n-1-len(prefix), i)
	}
	return list
}

func testRoleBounds(f *fixture) {
	f.role("full", wide("f", 32)...) // exactly the bound
	_, err := f.store.ChangeRole(f.Context(), "full", nil, account.Change{Add: []string{"x"}}, event)
	f.wantError(err, account.ErrRoleBounds)
	many := make([]string, account.MaxRoleScopes+1)
	for i := range many {
		many[i] = fmt.Sprint("s", i)
	}
	_, err = f.store.CreateRole(f.Context(), "many", many, event)
	f.wantError(err, account.ErrRoleBounds)

	u := f.create(newRow("Ada", "full", "small"))
	f.role("small")
	grow := account.Change{Add: []string{"x"}}
	_, err = f.store.ChangeRole(f.Context(), "small", nil, grow, event)
	f.wantError(err, account.ErrRoleBounds) // one member would have too much
	f.role("other", "x")
	_, _, err = f.store.ChangeRoles(f.Context(), u.ID, account.Change{Add: []string{"other"}}, false, event)
	f.wantError(err, account.ErrRoleBounds)
	_, err = f.store.CreateUser(f.Context(), newRow("Bob", "full", "other"), event)
	f.wantError(err, account.ErrRoleBounds)
	verdicts, err := f.store.CreateUsers(f.Context(), []account.UserRow{newRow("Cy", "full", "other"), newRow("Di", "full")}, false, event)
	f.wantError(err, nil)
	f.wantError(verdicts[0], account.ErrRoleBounds)
	f.wantError(verdicts[1], nil)

	// One of the two comes second and sees what the first wrote.
	eve := f.create(newRow("Eve", "small"))
	done := f.together(2, func(ctx context.Context, s Store) bool {
		if s == f.store {
			_, err := s.ChangeRole(ctx, "other", nil, account.Change{Replace: true, To: wide("o", 32)}, event)
			return err == nil
		}
		_, _, err := s.ChangeRoles(ctx, eve.ID, account.Change{Replace: true, To: []string{"full", "other"}}, false, event)
		return err == nil
	})
	if done != 1 {
		f.Errorf("%d of two changes were made that do not go together", done)
	}
}

func testUserRoles(f *fixture) {
	u := f.create(newRow("Ada", "a", "b"))
	f.role("c", "c:read")
	session := f.login(u.ID)
	got, cut, err := f.store.ChangeRoles(f.Context(), u.ID, account.Change{Add: []string{"c", "a"}, Remove: []string{"b"}}, false, event)
	if err != nil || cut != (doorward.Revocation{}) || strings.Join(got.Roles, ",") != "a,c" {
		f.Fatalf("%v, %+v, %v", got.Roles, cut, err)
	}
	f.wantLive(session)
	f.wantGranted(u.ID, "c:read")
	ev := event
	ev.Kind = account.EventUserRoles
	got, cut, err = f.store.ChangeRoles(f.Context(), u.ID, account.Change{Replace: true}, true, ev)
	if err != nil || len(got.Roles) != 0 {
		f.Fatal(got.Roles, err)
	}
	f.wantEnded(cut, issuer.ReasonAdmin, session)
	f.wantGranted(u.ID)

	// An initial password does not open what the role admin grants, and opens the rest.
	row := newRow("Root", "admin", "c")
	row.MustChange = true
	root := f.create(row)
	f.role("admin", "everything")
	f.wantGranted(root.ID, "c:read")
}

func testEndUsers(f *fixture) {
	var sessions []issuer.Session
	var ids []string
	for i := range 3 {
		u := f.create(newRow(fmt.Sprint("u", i), "editor"))
		sessions, ids = append(sessions, f.login(u.ID), f.login(u.ID)), append(ids, u.ID)
	}
	bystander := f.login(f.create(newRow("Bob", "edito")).ID)
	epoch, err := f.store.Epoch(f.Context(), ids[0])
	f.wantError(err, nil)
	members, err := f.store.Members(f.Context(), "editor", account.Query{})
	if err != nil || len(members) != 3 {
		f.Fatal(members, err)
	}
	if rest, err := f.store.Members(f.Context(), "editor", account.Query{After: members[0], Limit: 1}); err != nil || len(rest) != 1 || rest[0] != members[1] {
		f.Errorf("after %s: %v, %v; want %s", members[0], rest, err, members[1])
	}
	f.wantError(f.store.EndUsers(f.Context(), members, event), nil)
	for _, s := range sessions {
		got, now, err := f.store.SessionByHandle(f.Context(), s.Handle)
		if err != nil || got.Live(now) || got.EndReason != issuer.ReasonAdmin {
			f.Errorf("session of %s: %q, %v", s.Subject, got.EndReason, err)
		}
	}
	f.wantLive(bystander)
	_, err = f.store.CreateSession(f.Context(), newSession(ids[0], epoch), event) // a login in flight
	f.wantError(err, issuer.ErrEpoch)
}

func testLastAdmin(f *fixture) {
	off := newRow("Off", "admin")
	off.Disabled = true
	f.create(off)
	f.create(account.UserRow{ID: "u_none", Name: "None", Canonical: "none", Roles: []string{"admin"}}) // cannot log in
	ada := f.create(newRow("Ada", "admin", "editor"))
	f.role("editor", "a")
	session := f.login(ada.ID)
	lose := account.Change{Remove: []string{"admin"}}
	takes := []func(ctx context.Context, s Store, id string) error{
		func(ctx context.Context, s Store, id string) error {
			_, err := s.SetDisabled(ctx, id, true, event)
			return err
		},
		func(ctx context.Context, s Store, id string) error {
			_, err := s.DeleteUser(ctx, id, event)
			return err
		},
		func(ctx context.Context, s Store, id string) error {
			_, _, err := s.ChangeRoles(ctx, id, lose, true, event)
			return err
		},
	}
	for _, take := range takes {
		f.wantError(take(f.Context(), f.store, ada.ID), account.ErrLastAdmin)
	}
	f.wantLive(session)
	_, _, err := f.store.ChangeRoles(f.Context(), ada.ID, account.Change{Remove: []string{"editor"}}, false, event)
	f.wantError(err, nil) // another role may go
	f.wantError(takes[1](f.Context(), f.store, "u_none"), nil)

	// Of two admins that are taken at once one stays.
	for _, take := range takes {
		bob := f.create(newRow("Bob", "admin"))
		pair := map[bool]string{true: ada.ID, false: bob.ID}
		done := f.together(2, func(ctx context.Context, s Store) bool {
			err := take(ctx, s, pair[s == f.store])
			if err != nil && !errors.Is(err, account.ErrLastAdmin) {
				f.Error(err)
			}
			return err == nil
		})
		if done != 1 {
			f.Fatalf("%d of two admins were taken, want 1", done)
		}
		_, err := f.store.DeleteUser(f.Context(), bob.ID, event)
		if errors.Is(err, account.ErrLastAdmin) { // Bob stayed: Ada comes back before he goes.
			if err := f.comeBack(&ada); err != nil {
				f.Fatal(err)
			}
			_, err = f.store.DeleteUser(f.Context(), bob.ID, event)
		}
		if err != nil && !errors.Is(err, account.ErrNotFound) {
			f.Fatal(err)
		}
	}
}

// comeBack makes a user an admin again who was deleted, disabled or lost the role.
func (f *fixture) comeBack(u *account.User) error {
	if _, err := f.store.DeleteUser(f.Context(), u.ID, event); err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	*u = f.create(newRow("Ada", "admin"))
	return nil
}

// A password that an operator sets at the moment in which its user becomes an admin has an end, whoever is first.
func testIssuedTogether(f *fixture) {
	for i := range 10 {
		u := f.create(newRow(fmt.Sprint("ada", i)))
		if n := f.together(2, func(ctx context.Context, s Store) bool {
			if s == f.store {
				_, err := s.SetPassword(ctx, u.ID, account.NewPassword{Hash: "$by", MustChange: true, Lifetime: account.InitialLifetime}, event)
				return err == nil
			}
			_, _, err := s.ChangeRoles(ctx, u.ID, account.Change{Add: []string{"admin"}}, false, event)
			return err == nil
		}); n != 2 {
			f.Fatalf("%d of 2 changes were made", n)
		}
		if got, err := f.store.User(f.Context(), u.ID); err != nil || !got.AdminWaits() || got.PasswordExpiresAt.IsZero() {
			f.Errorf("an admin with a password that an operator set is %+v, %v", got, err)
		}
	}
}

// A password that somebody else chose lasts a day from when its user becomes an admin. One's own lasts.
func testIssued(f *fixture) {
	admin := account.Change{Add: []string{"admin"}}
	change := func(u account.User, c account.Change) account.User {
		f.Helper()
		got, _, err := f.store.ChangeRoles(f.Context(), u.ID, c, false, event)
		if err != nil {
			f.Fatal(err)
		}
		return got
	}
	issued, short := newRow("Ada"), newRow("Bob")
	issued.MustChange = true
	short.MustChange, short.Lifetime = true, time.Hour
	ada, bob, cy := f.create(issued), f.create(short), f.create(newRow("Cy"))
	if got := change(ada, account.Change{Add: []string{"editor"}}); got.AdminWaits() || !got.PasswordExpiresAt.IsZero() {
		f.Errorf("an editor with an initial password is %+v", got)
	}
	got := change(ada, admin)
	if left := got.PasswordExpiresAt.Sub(ada.CreatedAt); !got.AdminWaits() || left < account.InitialLifetime || left > account.InitialLifetime+time.Minute {
		f.Errorf("an admin with an initial password is %+v", got)
	}
	if again := change(ada, admin); !again.PasswordExpiresAt.Equal(got.PasswordExpiresAt) {
		f.Errorf("the password expires at %v and then at %v", got.PasswordExpiresAt, again.PasswordExpiresAt)
	}
	if got := change(bob, admin); !got.AdminWaits() || !got.PasswordExpiresAt.Equal(bob.PasswordExpiresAt) {
		f.Errorf("the password expired at %v and does so at %v", bob.PasswordExpiresAt, got.PasswordExpiresAt)
	}
	if got := change(cy, admin); got.AdminWaits() || !got.PasswordExpiresAt.IsZero() {
		f.Errorf("an admin with a password of their own is %+v", got)
	}
	editor := account.Change{Replace: true, To: []string{"editor"}}
	if got := change(change(ada, editor), editor); !got.MustChange || !got.PasswordExpiresAt.IsZero() {
		f.Errorf("an admin no more, with an initial password, is %+v", got)
	}
	change(ada, admin)
	if _, err := f.store.SetPassword(f.Context(), ada.ID, account.NewPassword{Hash: "$own"}, event); err != nil {
		f.Fatal(err)
	}
	if got, err := f.store.User(f.Context(), ada.ID); err != nil || got.AdminWaits() || !got.PasswordExpiresAt.IsZero() {
		f.Errorf("after the change of the password: %+v, %v", got, err)
	}
}
