package accounttest

import (
	"context"
	"errors"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

func testReset(f *fixture) {
	u, other := f.create(newRow("Ada")), f.create(newRow("Bob"))
	live, others := f.login(u.ID), f.login(other.ID)
	expires, err := f.store.CreateReset(f.Context(), u.ID, keyOf("first"), time.Hour, event)
	if err != nil || time.Until(expires) > time.Hour || time.Until(expires) < 59*time.Minute {
		f.Fatalf("a link until %v, %v", expires, err)
	}
	f.wantLive(live)
	got, err := f.again().ResetUser(f.Context(), keyOf("first"))
	f.wantUser(got, err, u)
	cut, err := f.store.UseReset(f.Context(), keyOf("first"), "$new", event)
	if err != nil {
		f.Fatal(err)
	}
	f.wantEnded(cut, issuer.ReasonPassword, live)
	f.wantLive(others)
	c, err := f.store.Credential(f.Context(), u.ID)
	if err != nil || c.Hash != "$new" || c.User.MustChange || !c.User.PasswordExpiresAt.IsZero() {
		f.Errorf("credential %+v with the hash %q, %v", c, c.Hash, err)
	}
	for _, digest := range [][32]byte{keyOf("first"), keyOf("never made")} {
		_, err = f.store.UseReset(f.Context(), digest, "$newer", event)
		f.wantError(err, account.ErrReset)
		_, err = f.store.ResetUser(f.Context(), digest)
		f.wantError(err, account.ErrReset)
	}
	if c, err = f.store.Credential(f.Context(), u.ID); err != nil || c.Hash != "$new" {
		f.Errorf("hash %q after wrong links, %v", c.Hash, err)
	}
	_, err = f.store.CreateReset(f.Context(), "u_nobody", keyOf("x"), time.Hour, event)
	f.wantError(err, account.ErrNotFound)
}

func testResetTogether(f *fixture) {
	u := f.create(newRow("Ada"))
	if _, err := f.store.CreateReset(f.Context(), u.ID, keyOf("link"), time.Hour, event); err != nil {
		f.Fatal(err)
	}
	used := f.together(16, func(ctx context.Context, s Store) bool {
		_, err := s.UseReset(ctx, keyOf("link"), "$new", event)
		if err != nil && !errors.Is(err, account.ErrReset) {
			f.Error(err)
		}
		return err == nil
	})
	if used != 1 {
		f.Errorf("the link worked %d times", used)
	}
}

func testResetEnds(f *fixture) {
	for name, end := range map[string]func(id string) error{
		"replaced": func(id string) error {
			_, err := f.store.CreateReset(f.Context(), id, keyOf("another of "+id), time.Hour, event)
			return err
		},
		"password set": func(id string) error {
			_, err := f.store.SetPassword(f.Context(), id, account.NewPassword{Hash: "$other"}, event)
			return err
		},
		"disabled and enabled": func(id string) error {
			_, err := f.store.SetDisabled(f.Context(), id, true, event)
			_, failed := f.store.SetDisabled(f.Context(), id, false, event)
			return errors.Join(err, failed)
		},
		"disabled and enabled by edits": func(id string) error {
			yes, no := true, false
			_, _, err := f.store.EditUser(f.Context(), id, account.UserEdit{Disabled: &yes}, event)
			_, _, failed := f.store.EditUser(f.Context(), id, account.UserEdit{Disabled: &no}, event)
			return errors.Join(err, failed)
		},
		"address changed": func(id string) error {
			address := "new@example.com"
			_, _, err := f.store.EditUser(f.Context(), id, account.UserEdit{Email: &address}, event)
			return err
		},
		"address removed": func(id string) error {
			none := ""
			_, _, err := f.store.EditUser(f.Context(), id, account.UserEdit{Email: &none}, event)
			return err
		},
		"deleted": func(id string) error {
			_, err := f.store.DeleteUser(f.Context(), id, event)
			return err
		},
		"expired": func(id string) error {
			_, err := f.store.CreateReset(f.Context(), id, keyOf(id), time.Millisecond, event)
			for begun := time.Now(); err == nil && time.Since(begun) < 10*time.Second; {
				_, err = f.store.ResetUser(f.Context(), keyOf(id))
			}
			if errors.Is(err, account.ErrReset) {
				return nil
			}
			return errors.Join(err, errors.New("a link of a millisecond does not expire"))
		},
	} {
		u := f.create(newRow(name))
		if _, err := f.store.CreateReset(f.Context(), u.ID, keyOf(u.ID), time.Hour, event); err != nil {
			f.Fatal(err)
		}
		if err := end(u.ID); err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		_, err := f.store.UseReset(f.Context(), keyOf(u.ID), "$new", event)
		if !errors.Is(err, account.ErrReset) {
			f.Errorf("%s: error %v, want ErrReset", name, err)
		}
	}
}
