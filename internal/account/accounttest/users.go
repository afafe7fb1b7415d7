package accounttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

func testCreate(f *fixture) {
	row := newRow("Ada", "admin", "orders:read")
	row.MustChange, row.Lifetime = true, 24*time.Hour
	before := time.Now().Add(-time.Minute)
	u := f.create(row)
	if u.ID != row.ID || u.Name != "Ada" || u.Canonical != "ada" || len(u.Roles) != 2 || !u.MustChange || u.Disabled {
		f.Errorf("created %+v of %+v", u, row)
	}
	if u.CreatedAt.Before(before) || !u.PasswordChangedAt.Equal(u.CreatedAt) || u.PasswordExpiresAt.Sub(u.CreatedAt) != 24*time.Hour {
		f.Errorf("created %v, changed %v, expires %v", u.CreatedAt, u.PasswordChangedAt, u.PasswordExpiresAt)
	}
	for _, s := range []Store{f.store, f.again()} {
		got, err := s.User(f.Context(), u.ID)
		f.wantUser(got, err, u)
		got, err = s.UserByName(f.Context(), "ada")
		f.wantUser(got, err, u)
	}
	if u.Email != "Ada@example.com" {
		f.Errorf("created with the e-mail address %q", u.Email)
	}
	if bob := f.create(newRow("Bob")); !bob.PasswordExpiresAt.IsZero() || bob.MustChange || len(bob.Roles) != 0 {
		f.Errorf("created %+v, want no roles and no end", bob)
	}
}

func testEmail(f *fixture) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	s := f.login(ada.ID)
	for _, email := range []string{bob.Email, "", "ada@example.org"} { // Two users may have one address.
		want := ada
		want.Email = email
		f.wantEdit(account.UserEdit{Email: &email}, want)
	}
	f.wantLive(s)
	got, err := f.store.User(f.Context(), bob.ID)
	f.wantUser(got, err, bob)
	hostile := "a\x00b"
	_, _, err = f.store.EditUser(f.Context(), "u_nobody", account.UserEdit{Email: &ada.Email}, event)
	f.wantError(err, account.ErrNotFound)
	if _, _, err := f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Email: &hostile}, event); err == nil {
		f.Error("no error for a NUL in an address")
	}
}

// wantEdit edits a user, who is then what want says, also to another process.
func (f *fixture) wantEdit(e account.UserEdit, want account.User) {
	f.Helper()
	got, _, err := f.store.EditUser(f.Context(), want.ID, e, event)
	f.wantUser(got, err, want)
	got, err = f.again().User(f.Context(), want.ID)
	f.wantUser(got, err, want)
}

func testUnique(f *fixture) {
	u := f.create(newRow("Ada"))
	_, err := f.store.CreateUser(f.Context(), newRow("aDA"), event)
	f.wantError(err, account.ErrNameTaken)
	got, err := f.store.UserByName(f.Context(), "ada")
	f.wantUser(got, err, u)
}

func testNameFree(f *fixture) {
	u := f.create(newRow("Ada"))
	if _, err := f.store.DeleteUser(f.Context(), u.ID, event); err != nil {
		f.Fatal(err)
	}
	again := f.create(newRow("Ada"))
	got, err := f.store.UserByName(f.Context(), "ada")
	f.wantUser(got, err, again)
	_, err = f.store.User(f.Context(), u.ID)
	f.wantError(err, account.ErrNotFound)
}

func testNotFound(f *fixture) {
	f.create(newRow("Ada"))
	_, err := f.store.User(f.Context(), "u_nobody")
	f.wantError(err, account.ErrNotFound)
	_, err = f.store.UserByName(f.Context(), "Ada") // not canonical
	f.wantError(err, account.ErrNotFound)
	_, err = f.store.Credential(f.Context(), "u_nobody")
	f.wantError(err, account.ErrNotFound)
}

func testList(f *fixture) {
	users, err := f.store.Users(f.Context(), account.Query{})
	if err != nil || len(users) != 0 {
		f.Fatalf("an empty store lists %v, %v", users, err)
	}
	for _, name := range []string{"b", "é", "a", "aa", "Z", "a b", "ö"} {
		f.create(newRow(name, "r1", "r2"))
	}
	var names []string
	for after := ""; ; {
		page, err := f.store.Users(f.Context(), account.Query{After: after, Limit: 2})
		if err != nil {
			f.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			names = append(names, u.Canonical)
			if len(u.Roles) != 2 {
				f.Errorf("%s is listed with the roles %v", u.Name, u.Roles)
			}
		}
		after = page[len(page)-1].Canonical
	}
	if got, want := fmt.Sprint(names), "[a a b aa b z é ö]"; got != want {
		f.Errorf("listed %s, want %s", got, want)
	}
}

func testFirst(f *fixture) {
	made := f.together(8, func(ctx context.Context, s Store) bool {
		row := newRow("admin")
		row.First = true
		_, err := s.CreateUser(ctx, row, event)
		if err != nil && !errors.Is(err, account.ErrNotEmpty) {
			f.Errorf("error %v, want ErrNotEmpty", err)
		}
		return err == nil
	})
	if made != 1 {
		f.Errorf("%d first users, want 1", made)
	}
	row := newRow("other")
	row.First = true
	_, err := f.store.CreateUser(f.Context(), row, event)
	f.wantError(err, account.ErrNotEmpty)
}

func testTogether(f *fixture) {
	made := f.together(8, func(ctx context.Context, s Store) bool {
		_, err := s.CreateUser(ctx, newRow("ada"), event)
		if err != nil && !errors.Is(err, account.ErrNameTaken) {
			f.Errorf("error %v, want ErrNameTaken", err)
		}
		return err == nil
	})
	if made != 1 {
		f.Errorf("%d users of one name, want 1", made)
	}
}

func testCredential(f *fixture) {
	row := newRow("Ada", "r")
	u := f.create(row)
	f.create(newRow("Bob", "r"))
	c, err := f.store.Credential(f.Context(), u.ID)
	f.wantUser(c.User, err, u)
	if c.Hash != row.Hash {
		f.Errorf("hash %q, want %q", c.Hash, row.Hash)
	}
}

func testSetPassword(f *fixture) {
	row := newRow("Ada", "admin")
	row.MustChange, row.Lifetime = true, time.Hour
	u, bob := f.create(row), f.create(newRow("Bob"))
	mine, other := []issuer.Session{f.login(u.ID), f.login(u.ID)}, f.login(bob.ID)
	ev := event
	ev.Kind = account.EventPasswordChange
	cut, err := f.store.SetPassword(f.Context(), u.ID, account.NewPassword{Hash: "$new"}, ev)
	if err != nil {
		f.Fatal(err)
	}
	f.wantEnded(cut, issuer.ReasonPassword, mine...)
	f.wantLive(other)
	c, err := f.store.Credential(f.Context(), u.ID)
	if err != nil {
		f.Fatal(err)
	}
	if c.Hash != "$new" || c.User.MustChange || !c.User.PasswordExpiresAt.IsZero() || c.User.PasswordChangedAt.Before(u.PasswordChangedAt) {
		f.Errorf("after the change: %q, %+v", c.Hash, c.User)
	}
	f.wantLive(f.login(u.ID))

	_, err = f.store.SetPassword(f.Context(), u.ID, account.NewPassword{Hash: "$by", MustChange: true, Lifetime: time.Hour}, ev)
	if err != nil {
		f.Fatal(err)
	}
	got, err := f.store.User(f.Context(), u.ID)
	if err != nil || !got.MustChange || got.PasswordExpiresAt.Sub(got.PasswordChangedAt) != time.Hour {
		f.Errorf("set by an operator: %+v, %v", got, err)
	}
	for _, p := range []struct {
		id string
		account.NewPassword
	}{{bob.ID, account.NewPassword{Hash: "$by", MustChange: true, Lifetime: time.Hour}}, {u.ID, account.NewPassword{Hash: "$by", Lifetime: time.Hour}}} {
		if _, err := f.store.SetPassword(f.Context(), p.id, p.NewPassword, ev); err != nil {
			f.Fatal(err)
		}
		if got, err := f.store.User(f.Context(), p.id); err != nil || got.MustChange != p.MustChange || !got.PasswordExpiresAt.IsZero() {
			f.Errorf("of no admin, or to keep: %+v, %v", got, err)
		}
	}
}

func testSetPasswordOld(f *fixture) {
	row := newRow("Ada")
	u := f.create(row)
	session := f.login(u.ID)
	_, err := f.store.SetPassword(f.Context(), u.ID, account.NewPassword{Hash: "$new", Old: "$other"}, event)
	f.wantError(err, account.ErrConflict)
	f.wantLive(session)
	changed := f.together(8, func(ctx context.Context, s Store) bool {
		_, err := s.SetPassword(ctx, u.ID, account.NewPassword{Hash: "$new", Old: row.Hash}, event)
		if err != nil && !errors.Is(err, account.ErrConflict) {
			f.Errorf("error %v, want ErrConflict", err)
		}
		return err == nil
	})
	if changed != 1 {
		f.Errorf("one old password was replaced %d times", changed)
	}
}

func testReplaceHash(f *fixture) {
	row := newRow("Ada")
	row.MustChange, row.Lifetime = true, time.Hour
	u := f.create(row)
	session := f.login(u.ID)
	f.wantError(f.store.ReplaceHash(f.Context(), u.ID, "$other", "$new", event), account.ErrConflict)
	f.wantError(f.store.ReplaceHash(f.Context(), "u_nobody", row.Hash, "$new", event), account.ErrNotFound)
	f.wantError(f.store.ReplaceHash(f.Context(), u.ID, row.Hash, "$new", event), nil)
	c, err := f.store.Credential(f.Context(), u.ID)
	f.wantUser(c.User, err, u)
	if c.Hash != "$new" {
		f.Errorf("hash %q, want $new", c.Hash)
	}
	f.wantLive(session)
}

func testSetDisabled(f *fixture) {
	u := f.create(newRow("Ada"))
	ev := event
	ev.Kind = account.EventUserDisable
	for range 2 { // also when disabled already
		session := f.login(u.ID)
		cut, err := f.store.SetDisabled(f.Context(), u.ID, true, ev)
		if err != nil {
			f.Fatal(err)
		}
		f.wantEnded(cut, issuer.ReasonAdmin, session)
		if got, err := f.store.User(f.Context(), u.ID); err != nil || !got.Disabled {
			f.Errorf("user %+v, %v, want disabled", got, err)
		}
	}
	session := f.login(u.ID)
	cut, err := f.store.SetDisabled(f.Context(), u.ID, false, event)
	if err != nil || cut != (doorward.Revocation{}) {
		f.Errorf("enabling returns %+v, %v", cut, err)
	}
	f.wantLive(session)
	got, err := f.store.User(f.Context(), u.ID)
	f.wantUser(got, err, u)
}

func testDelete(f *fixture) {
	u := f.create(newRow("Ada", "r"))
	session := f.login(u.ID)
	ev := event
	ev.Kind = account.EventUserDelete
	cut, err := f.store.DeleteUser(f.Context(), u.ID, ev)
	if err != nil {
		f.Fatal(err)
	}
	f.wantEnded(cut, issuer.ReasonAdmin, session)
	_, err = f.store.Credential(f.Context(), u.ID)
	f.wantError(err, account.ErrNotFound)
}

func testInFlight(f *fixture) {
	changes := map[string]func(id string) error{
		"password": func(id string) error {
			_, err := f.store.SetPassword(f.Context(), id, account.NewPassword{Hash: "$new"}, event)
			return err
		},
		"disable": func(id string) error {
			_, err := f.store.SetDisabled(f.Context(), id, true, event)
			return err
		},
		"delete": func(id string) error {
			_, err := f.store.DeleteUser(f.Context(), id, event)
			return err
		},
	}
	for name, change := range changes {
		f.Run(name, func(t *testing.T) {
			u := f.create(newRow(name))
			epoch, err := f.store.Epoch(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(u.ID); err != nil {
				t.Fatal(err)
			}
			_, err = f.store.CreateSession(t.Context(), newSession(u.ID, epoch), event)
			if !errors.Is(err, issuer.ErrEpoch) {
				t.Errorf("the login in flight: %v, want ErrEpoch", err)
			}
		})
	}
}

func testNobody(f *fixture) {
	const id = "u_nobody"
	_, err := f.store.SetPassword(f.Context(), id, account.NewPassword{Hash: "$new"}, event)
	f.wantError(err, account.ErrNotFound)
	_, err = f.store.SetDisabled(f.Context(), id, true, event)
	f.wantError(err, account.ErrNotFound)
	_, err = f.store.SetDisabled(f.Context(), id, false, event)
	f.wantError(err, account.ErrNotFound)
	_, err = f.store.DeleteUser(f.Context(), id, event)
	f.wantError(err, account.ErrNotFound)
	page, err := f.store.RevocationsSince(f.Context(), "")
	if err != nil || len(page.Entries) != 0 {
		f.Errorf("cut-offs of nobody: %v, %v", page.Entries, err)
	}
	if epoch, err := f.store.Epoch(f.Context(), id); err != nil || epoch != 0 {
		f.Errorf("epoch of nobody: %d, %v", epoch, err)
	}
}

func testHostile(f *fixture) {
	texts := []string{
		"'; DROP TABLE users; --", `" OR ""="`, "$1", "%", "_", `\`, "a\nb", "${x}", "ada' UNION SELECT hash FROM users --",
		"{\"$gt\": \"\"}", "\u202e", "😀",
	}
	for _, text := range texts {
		row := newRow("x")
		row.Name, row.Canonical, row.Hash = text, text, text
		u := f.create(row)
		got, err := f.store.UserByName(f.Context(), text)
		f.wantUser(got, err, u)
		if c, err := f.store.Credential(f.Context(), u.ID); err != nil || c.Hash != text {
			f.Errorf("hash %q is read as %q, %v", text, c.Hash, err)
		}
	}
	users, err := f.store.Users(f.Context(), account.Query{})
	if err != nil || len(users) != len(texts) {
		f.Errorf("%d users, %v, want %d", len(users), err, len(texts))
	}
	_, err = f.store.UserByName(f.Context(), "x' OR '1'='1")
	f.wantError(err, account.ErrNotFound)
}
