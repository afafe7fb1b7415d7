package accounts_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
)

// addUser makes the user "u_" + name.
func (f *fixture) addUser(name string, roles ...string) account.User {
	f.Helper()
	user, err := f.CreateUser(f.Context(), account.UserRow{
		ID: "u_" + name, Name: name, Canonical: name, Roles: roles, Hash: "hash of " + name,
	}, event)
	f.OK(err)
	return user
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		now := time.Now().UTC()
		row := account.UserRow{
			ID: "u_1", Name: "Ann", Canonical: "ann", Roles: []string{"editor", "admin", "editor"},
			Hash: "h", MustChange: true, Lifetime: day,
		}
		want := account.User{
			ID: "u_1", Name: "Ann", Canonical: "ann", Roles: []string{"admin", "editor"},
			MustChange: true, PasswordExpiresAt: now.Add(day), PasswordChangedAt: now, CreatedAt: now,
		}
		created, err := f.CreateUser(t.Context(), row, event)
		f.OK(err)
		f.Same("created", created, want)
		byID, err := f.User(t.Context(), "u_1")
		f.OK(err)
		f.Same("by ID", byID, want)
		byName, err := f.UserByName(t.Context(), "ann")
		f.OK(err)
		f.Same("by name", byName, want)
		credential, err := f.Credential(t.Context(), "u_1")
		f.OK(err)
		f.Same("credential", credential, account.Credential{User: want, Hash: "h"})
		f.Same("given roles", row.Roles, []string{"editor", "admin", "editor"})
	})
}

const day = 24 * time.Hour

func TestCreateUserRefuses(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.addUser("ann")
	tests := []struct {
		name    string
		row     account.UserRow
		wantErr error // nil: any
	}{
		{"the name is taken", account.UserRow{ID: "u_2", Canonical: "ann"}, account.ErrNameTaken},
		{"not the first", account.UserRow{ID: "u_2", Canonical: "bob", First: true}, account.ErrNotEmpty},
		{"the ID is used", account.UserRow{ID: "u_ann", Canonical: "bob"}, nil},
		{"no ID", account.UserRow{Canonical: "bob"}, nil},
		{"no name", account.UserRow{ID: "u_2"}, nil},
		{"bad text", account.UserRow{ID: "u_2", Canonical: "bob", Name: "b\x00b"}, sqlstore.ErrText},
		{"bad role", account.UserRow{ID: "u_2", Canonical: "bob", Roles: []string{"\xff"}}, sqlstore.ErrText},
	}
	for _, tt := range tests {
		_, err := f.CreateUser(t.Context(), tt.row, event)
		if err == nil || tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: error is %v, want %v", tt.name, err, tt.wantErr)
		}
	}
	for _, name := range []string{"bob", "x\x00"} {
		if _, err := f.UserByName(t.Context(), name); err == nil {
			t.Errorf("user %q is there", name)
		}
	}
	users, err := f.Users(t.Context(), account.Query{})
	f.OK(err)
	f.Same("users", len(users), 1)
}

// What no store can hold is the caller's fault, not the database's.
func TestEditClientRefusesText(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.CreateClient(t.Context(), account.ClientRow{ID: "dwc_1", Name: "jobs"}, event)
	f.OK(err)
	for _, e := range []account.ClientEdit{{Scope: &doorward.Scope{"a\x00"}}, {Audiences: &[]string{"https://a\xff"}}} {
		if _, _, err := f.EditClient(t.Context(), "dwc_1", e, event); !errors.Is(err, sqlstore.ErrText) || errors.Is(err, issuer.ErrUnavailable) {
			t.Errorf("%+v: %v, want ErrText alone", e, err)
		}
	}
}

func TestCreateFirstUserOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	errs := sqlstoretest.Together(10, func(i int) error {
		_, err := f.CreateUser(t.Context(), account.UserRow{ID: fmt.Sprint("u_", i), Canonical: fmt.Sprint("admin", i), First: true}, event)
		return err
	})
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else {
			f.Fails(err, account.ErrNotEmpty)
		}
	}
	f.Same("made", made, 1)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, name := range []string{"b", "é", "a", "ab", "z", "_"} {
		f.addUser(name, "r2", "r1")
	}
	var got []string
	q := account.Query{Limit: 4}
	for {
		page, err := f.Users(t.Context(), q)
		f.OK(err)
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			got = append(got, u.Canonical)
			f.Same("roles of "+u.Name, u.Roles, []string{"r1", "r2"})
		}
		q.After = page[len(page)-1].Canonical
	}
	f.Same("names", got, []string{"_", "a", "ab", "b", "z", "é"})
}

// Each method that ends sessions does so in the transaction that changes the user.
func TestChangesThatEndSessions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(f *fixture, id string) (doorward.Revocation, error)
	}{
		{"set password", func(f *fixture, id string) (doorward.Revocation, error) {
			return f.SetPassword(f.Context(), id, account.NewPassword{Hash: "new"}, event)
		}},
		{"disable", func(f *fixture, id string) (doorward.Revocation, error) {
			return f.SetDisabled(f.Context(), id, true, event)
		}},
		{"delete", func(f *fixture, id string) (doorward.Revocation, error) {
			return f.DeleteUser(f.Context(), id, event)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			user, other := f.addUser("ann"), f.addUser("bob")
			n := issuer.NewSession{Subject: user.ID, Idle: time.Hour, Absolute: time.Hour}
			session, err := f.CreateSession(t.Context(), n, event)
			f.OK(err)

			cut, err := tt.change(f, user.ID)
			f.OK(err)
			if cut.Kind != doorward.KindSubject || cut.ID != user.ID || cut.Before <= session.ID {
				t.Errorf("cut-off %+v does not cover %s", cut, session.ID)
			}
			page, err := f.RevocationsSince(t.Context(), "")
			f.OK(err)
			f.Same("log", page.Entries, []doorward.Revocation{cut})
			read, at, err := f.SessionByHandle(t.Context(), session.Handle)
			f.OK(err)
			f.Same("live", read.Live(at), false)
			f.Same("reason", read.EndReason, issuer.ReasonAdmin)
			// A login that read the password before is refused, also when the user is gone.
			n.Handle = issuer.Digest{1}
			_, err = f.CreateSession(t.Context(), n, event)
			f.Fails(err, issuer.ErrEpoch)

			_, err = tt.change(f, "u_nobody")
			f.Fails(err, account.ErrNotFound)
			for id, want := range map[string]int64{user.ID: 1, other.ID: 0, "u_nobody": 0} {
				epoch, err := f.Epoch(t.Context(), id)
				f.OK(err)
				f.Same("epoch of "+id, epoch, want)
			}
		})
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		user := f.addUser("ann", "admin")
		time.Sleep(time.Hour)
		set := func(p account.NewPassword) error {
			_, err := f.SetPassword(t.Context(), user.ID, p, event)
			return err
		}
		f.Fails(set(account.NewPassword{Hash: "h2", Old: "another"}), account.ErrConflict)
		f.OK(set(account.NewPassword{Hash: "h2", Old: "hash of ann", MustChange: true, Lifetime: day}))
		credential, err := f.Credential(t.Context(), user.ID)
		f.OK(err)
		want := user
		want.MustChange = true
		want.PasswordChangedAt, want.PasswordExpiresAt = time.Now().UTC(), time.Now().UTC().Add(day)
		f.Same("set by an operator", credential, account.Credential{User: want, Hash: "h2"})

		f.OK(set(account.NewPassword{Hash: "h3"}))
		credential, err = f.Credential(t.Context(), user.ID)
		f.OK(err)
		want.MustChange, want.PasswordExpiresAt = false, time.Time{}
		f.Same("changed", credential, account.Credential{User: want, Hash: "h3"})

		time.Sleep(time.Hour)
		f.OK(f.ReplaceHash(t.Context(), user.ID, "h3", "h4", event))
		f.Fails(f.ReplaceHash(t.Context(), user.ID, "h3", "h5", event), account.ErrConflict)
		f.Fails(f.ReplaceHash(t.Context(), "u_nobody", "h3", "h5", event), account.ErrNotFound)
		credential, err = f.Credential(t.Context(), user.ID)
		f.OK(err)
		f.Same("rehashed", credential, account.Credential{User: want, Hash: "h4"})
		epoch, err := f.Epoch(t.Context(), user.ID)
		f.OK(err)
		f.Same("epoch", epoch, int64(2))
	})
}

func TestDisableEnableDelete(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.addUser("ann", "editor")
	set := func(disabled bool) doorward.Revocation {
		t.Helper()
		cut, err := f.SetDisabled(t.Context(), user.ID, disabled, event)
		f.OK(err)
		read, err := f.User(t.Context(), user.ID)
		f.OK(err)
		f.Same("disabled", read.Disabled, disabled)
		return cut
	}
	first, second := set(true), set(true)
	if first.Before >= second.Before {
		t.Errorf("disabling again: %+v after %+v", second, first)
	}
	f.Same("enabling ends", set(false), doorward.Revocation{})
	_, err := f.SetDisabled(t.Context(), "u_nobody", false, event)
	f.Fails(err, account.ErrNotFound)

	_, err = f.DeleteUser(t.Context(), user.ID, event)
	f.OK(err)
	_, err = f.User(t.Context(), user.ID)
	f.Fails(err, account.ErrNotFound)
	_, err = f.UserByName(t.Context(), "ann")
	f.Fails(err, account.ErrNotFound)
	_, err = f.CreateUser(t.Context(), account.UserRow{ID: "u_new", Canonical: "ann"}, event)
	f.OK(err)
	again, err := f.User(t.Context(), "u_new")
	f.OK(err)
	f.Same("roles of the new one", len(again.Roles), 0)
}
