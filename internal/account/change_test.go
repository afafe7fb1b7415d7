package account_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.add("ada")
	old := w.mustLogin("ada", right)
	attempt, cut, err := w.people.ChangePassword(t.Context(), w.issuer, ada.ID, right, other, event)
	if err != nil {
		t.Fatal(err)
	}
	if cut.Kind != doorward.KindSubject || cut.ID != ada.ID || cut.Before <= old.SessionID {
		t.Errorf("cut-off %+v does not cover session %s", cut, old.SessionID)
	}
	set, err := w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
	if err != nil || cut.Before >= set.SessionID {
		t.Fatalf("the new session %s: %v", set.SessionID, err)
	}
	w.wantOver(old)
	if _, err := w.issuer.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{Event: event}); err != nil {
		t.Errorf("the new session: %v", err)
	}
	_, err = w.enter("ada", right)
	w.wantError(err, account.ErrCredentials)
	w.mustLogin("ada", other)
}

func TestChangePasswordRefused(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada, off := w.add("ada"), w.add("off")
	session := w.mustLogin("ada", right)
	if _, err := w.people.Disable(t.Context(), off.ID, event); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, id, current, next string
		wantErr, wantRule       error
	}{
		{name: "wrong current password", id: ada.ID, current: wrong, next: other, wantErr: account.ErrCredentials},
		{name: "Standard_U01 too short", id: ada.ID, current: right, next: "short", wantErr: account.ErrPassword, wantRule: password.ErrTooShort},
		{name: "Attack_E02 too long", id: ada.ID, current: right, next: strings.Repeat("a", 1025), wantErr: account.ErrPassword, wantRule: password.ErrTooLong},
		{name: "not UTF-8", id: ada.ID, current: right, next: right + "\xff", wantErr: account.ErrPassword, wantRule: password.ErrText},
		{name: "the same again", id: ada.ID, current: right, next: right, wantErr: account.ErrPassword, wantRule: account.ErrReused},
		{name: "no such user", id: "u_nobody", current: right, next: other, wantErr: account.ErrNotFound},
		{name: "disabled", id: off.ID, current: right, next: other, wantErr: account.ErrCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cut, err := w.people.ChangePassword(t.Context(), w.issuer, tt.id, tt.current, tt.next, event)
			if !errors.Is(err, tt.wantErr) || cut != (doorward.Revocation{}) {
				t.Errorf("ChangePassword = %+v, %v, want %v", cut, err, tt.wantErr)
			}
			rule, ok := errors.AsType[*password.RuleError](err)
			if tt.wantRule != nil && (!ok || !errors.Is(err, tt.wantRule) || rule.Reason == "" || rule.Advice == "") {
				t.Errorf("error %v, want a RuleError of %v with reason and advice", err, tt.wantRule)
			}
		})
	}
	if _, err := w.issuer.Refresh(t.Context(), session.RefreshToken, issuer.RefreshRequest{Event: event}); err != nil {
		t.Errorf("a change that was refused ended the session: %v", err)
	}
}

// Guessing the current password is throttled apart from guessing at the login, so that
// strangers cannot keep somebody with a session from a new password.
func TestChangePasswordThrottled_Standard_W03_Behaviour_B57(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada := w.add("ada")
	for range account.TryLimit {
		_, err := w.enter("ada", wrong)
		w.wantError(err, account.ErrCredentials)
	}
	_, err := w.enter("ada", right)
	w.wantError(err, account.ErrThrottled)
	for range account.TryLimit { // with a name that is counted as it was sent
		_, err := w.enter("change\x00"+ada.ID, wrong)
		w.wantError(err, account.ErrCredentials)
	}
	for range account.TryLimit {
		_, _, err = w.people.ChangePassword(t.Context(), w.issuer, ada.ID, wrong, other, event)
		w.wantError(err, account.ErrCredentials)
	}
	_, _, err = w.people.ChangePassword(t.Context(), w.issuer, ada.ID, right, other, event)
	w.wantError(err, account.ErrThrottled)

	// An operator who sets a password lets the user in again.
	if _, err := w.people.SetPassword(t.Context(), ada.ID, other, false, event); err != nil {
		t.Fatal(err)
	}
	w.mustLogin("ada", other)
}

// hooked begins a login and lets something else happen just then.
type hooked struct {
	account.Beginner
	then func()
}

func (h hooked) Begin(ctx context.Context, subject string) (issuer.Attempt, error) {
	attempt, err := h.Beginner.Begin(ctx, subject)
	h.then()
	return attempt, err
}

// changes are what ends all sessions of a user.
var changes = map[string]func(ctx context.Context, p *account.People, id string) error{
	"password": func(ctx context.Context, p *account.People, id string) error {
		_, err := p.SetPassword(ctx, id, other, false, event)
		return err
	},
	"disable": func(ctx context.Context, p *account.People, id string) error {
		_, err := p.Disable(ctx, id, event)
		return err
	},
	"disable and enable": func(ctx context.Context, p *account.People, id string) error {
		_, err := p.Disable(ctx, id, event)
		return errors.Join(err, p.Enable(ctx, id, event))
	},
	"delete": func(ctx context.Context, p *account.People, id string) error {
		_, err := p.Delete(ctx, id, event)
		return err
	},
}

// ASVS_15.4.2: A login in flight does not outlive what ends all sessions, wherever in the
// login it happens.
func TestLoginInFlight(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worldIn(t, t.TempDir(), plain{})
			for _, user := range []string{"before the hash is read", "after the password was right"} {
				id := w.add(user).ID
				do := func() {
					if err := change(t.Context(), w.people, id); err != nil {
						t.Error(err)
					}
				}
				b := hooked{w.issuer, do}
				if user != "before the hash is read" {
					b.then = func() {}
				}
				_, attempt, err := w.people.Authenticate(t.Context(), b, user, right, account.Device{}, event)
				if user != "before the hash is read" {
					do()
				}
				if err == nil {
					_, err = w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
				}
				if !errors.Is(err, account.ErrCredentials) && !errors.Is(err, issuer.ErrEpoch) && !errors.Is(err, issuer.ErrInactive) {
					t.Errorf("%s: %v, want a refusal", user, err)
				}
			}
		})
	}
}

// The login that follows a change of password does not outlive what an operator
// does right after the change.
func TestChangePasswordOvertaken(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worldIn(t, t.TempDir(), plain{})
			id := w.add("ada").ID
			b := beforehand{w.issuer, func() {
				if err := change(t.Context(), w.people, id); err != nil {
					t.Error(err)
				}
			}}
			next := right + " and more"
			attempt, cut, err := w.people.ChangePassword(t.Context(), b, id, right, next, event)
			if cut.Kind != doorward.KindSubject {
				t.Errorf("cut-off %+v of a change that was made", cut)
			}
			if name == "disable and enable" { // the password is still ours
				w.wantError(err, nil)
				return
			}
			w.wantError(err, account.ErrConflict)
			_, err = w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
			w.wantError(err, issuer.ErrInactive)
		})
	}
}

// Of two changes that know the same current password one is made.
func TestChangePasswordTwice(t *testing.T) {
	t.Parallel()
	hasher := &slow{}
	w := worldIn(t, t.TempDir(), hasher)
	id := w.add("ada").ID
	hasher.then = func() {
		hasher.then = func() {}
		_, err := w.people.SetPassword(t.Context(), id, other, false, event)
		w.wantError(err, nil)
	}
	_, cut, err := w.people.ChangePassword(t.Context(), w.issuer, id, right, right+" and more", event)
	w.wantError(err, account.ErrConflict)
	if cut != (doorward.Revocation{}) {
		t.Errorf("cut-off %+v of a change that was not made", cut)
	}
	w.mustLogin("ada", other)
}

// slow is a Hasher that lets something else happen while it hashes.
type slow struct {
	plain
	then func()
}

func (s *slow) Hash(ctx context.Context, text string) (string, error) {
	if s.then != nil {
		s.then()
	}
	return s.plain.Hash(ctx, text)
}

// beforehand lets something else happen just before a login begins.
type beforehand struct {
	account.Beginner
	first func()
}

func (b beforehand) Begin(ctx context.Context, subject string) (issuer.Attempt, error) {
	b.first()
	return b.Beginner.Begin(ctx, subject)
}

// ASVS_7.4.2: whom an operator disables or deletes has no session left.
func TestOperator(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada := w.add("ada")
	session := w.mustLogin("ada", right)

	cut, err := w.people.Disable(t.Context(), ada.ID, event)
	if err != nil || cut.Kind != doorward.KindSubject || cut.Before <= session.SessionID {
		t.Fatalf("Disable = %+v, %v", cut, err)
	}
	w.wantOver(session)
	if s, err := w.people.Subject(t.Context(), ada.ID); err != nil || s.Active {
		t.Errorf("disabled, and to the issuer %+v, %v", s, err)
	}
	w.wantError(w.people.Enable(t.Context(), ada.ID, event), nil)
	w.wantOver(session)
	session = w.mustLogin("ada", right)

	cut, err = w.people.SetPassword(t.Context(), ada.ID, other, false, event)
	if err != nil || cut.Before <= session.SessionID {
		t.Fatalf("SetPassword = %+v, %v", cut, err)
	}
	w.wantOver(session)
	_, err = w.people.SetPassword(t.Context(), ada.ID, "short", false, event)
	w.wantError(err, account.ErrPassword)
	session = w.mustLogin("ada", other)

	cut, err = w.people.Delete(t.Context(), ada.ID, event)
	if err != nil || cut.Before <= session.SessionID {
		t.Fatalf("Delete = %+v, %v", cut, err)
	}
	w.wantOver(session)
	_, err = w.enter("ada", other)
	w.wantError(err, account.ErrCredentials)
	_, err = w.people.Subject(t.Context(), ada.ID)
	w.wantError(err, issuer.ErrNotFound)
	if again := w.add("ada"); again.ID == ada.ID {
		t.Error("an ID is used again")
	}
}

func TestOperatorNotFound(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	for name, change := range changes {
		if err := change(t.Context(), w.people, "u_nobody"); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	w.wantError(w.people.Enable(t.Context(), "u_nobody", event), account.ErrNotFound)
}

// ASVS_6.2.10, ASVS_6.4.1: What an operator chose works for a day and gives no admin rights until the user
// has changed it.
func TestMustChange_Attack_E10(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		ada := w.add("ada", "admin", "editor")
		w.wantSubject(ada.ID, true, false, "admin", "editor")
		if _, err := w.people.SetPassword(t.Context(), ada.ID, other, true, event); err != nil {
			t.Fatal(err)
		}
		w.wantSubject(ada.ID, true, true, "editor")

		attempt, _, err := w.people.ChangePassword(t.Context(), w.issuer, ada.ID, other, right, event)
		w.wantError(err, nil)
		_, err = w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
		w.wantError(err, nil)
		w.wantSubject(ada.ID, true, false, "admin", "editor")
		time.Sleep(365 * 24 * time.Hour)
		w.wantSubject(ada.ID, true, false, "admin", "editor") // Standard_U06: no periodic change

		if _, err := w.people.SetPassword(t.Context(), ada.ID, other, true, event); err != nil {
			t.Fatal(err)
		}
		session := w.mustLogin("ada", other)
		time.Sleep(24*time.Hour + time.Second)
		w.wantSubject(ada.ID, false, true, "editor")
		w.wantOver(session)
		_, err = w.enter("ada", other)
		w.wantError(err, account.ErrExpired)
		_, _, err = w.people.ChangePassword(t.Context(), w.issuer, ada.ID, other, right, event)
		w.wantError(err, account.ErrCredentials)
	})
}

// Who becomes an admin later has no more rights with a password that an operator chose.
func TestMustChangeLater_Attack_E10(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		u, err := w.people.Add(t.Context(), account.NewUser{Name: "ada", Password: other, MustChange: true}, event)
		w.wantError(err, nil)
		_, err = w.people.SetPassword(t.Context(), u.ID, other, true, event)
		w.wantError(err, nil)
		time.Sleep(30 * 24 * time.Hour)
		w.mustLogin("ada", other) // No admin's: it goes on working.
		w.wantSubject(u.ID, true, false)
		_, _, err = w.people.SetRoles(t.Context(), u.ID, account.Change{Add: []string{"admin", "editor"}}, false, event)
		w.wantError(err, nil)
		w.wantSubject(u.ID, true, true, "editor")
		time.Sleep(account.InitialLifetime - time.Second)
		w.mustLogin("ada", other)
		time.Sleep(time.Second)
		_, err = w.enter("ada", other)
		w.wantError(err, account.ErrExpired)

		if _, err := w.people.SetPassword(t.Context(), u.ID, other, true, event); err != nil {
			t.Fatal(err)
		}
		w.wantSubject(u.ID, true, true, "editor")
		_, _, err = w.people.ChangePassword(t.Context(), w.issuer, u.ID, other, right, event)
		w.wantError(err, nil)
		w.wantSubject(u.ID, true, false, "admin", "editor")
		time.Sleep(365 * 24 * time.Hour)
		w.wantSubject(u.ID, true, false, "admin", "editor")
	})
}

func (w *world) wantSubject(id string, active, mustChange bool, roles ...string) {
	w.Helper()
	s, err := w.people.Subject(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	if s.Active != active || !slices.Equal(s.Roles, roles) || (s.Claims[account.ClaimChangeRequired] == true) != mustChange {
		w.Errorf("subject %+v, want active %v, must change %v, roles %v", s, active, mustChange, roles)
	}
}

// granting is a Hasher that takes a while, in which somebody does something else.
type granting struct {
	plain

	meanwhile func()
}

func (g *granting) Hash(ctx context.Context, text string) (string, error) {
	g.meanwhile()
	return g.plain.Hash(ctx, text)
}

// Who becomes an admin while an operator's password for them is hashed has it for a day.
func TestAdminWhilePasswordIsSet_Attack_E10(t *testing.T) {
	t.Parallel()
	g := &granting{meanwhile: func() {}}
	w := worldIn(t, t.TempDir(), g)
	u := w.add("ada")
	g.meanwhile = func() {
		if _, _, err := w.people.SetRoles(t.Context(), u.ID, account.Change{Add: []string{"admin"}}, false, event); err != nil {
			t.Error(err)
		}
	}
	_, err := w.people.SetPassword(t.Context(), u.ID, other, true, event)
	w.wantError(err, nil)
	if u, err = w.people.ByID(t.Context(), u.ID); err != nil || !u.AdminWaits() || u.PasswordExpiresAt.Sub(u.PasswordChangedAt) != account.InitialLifetime {
		t.Errorf("%+v, %v, want a password for %v", u, err, account.InitialLifetime)
	}
}
