package account_test

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
)

// ASVS_6.2.11: The rules hold wherever a password is set: when a user is added, by an operator, and by the user, also with a link.
func TestPasswordRules_Attack_E09_Standard_U10_U11(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "breached.txt")
	const known = "four breached words here"
	if err := os.WriteFile(path, fmt.Appendf(nil, "%X:7\n", sha1.Sum([]byte(known))), 0o600); err != nil {
		t.Fatal(err)
	}
	breached, err := password.OpenBreached(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = breached.Close() })
	w := newWorld(t)
	if w.people, err = account.New(account.Config{
		Store: w.store, Resets: w.store, Throttle: w.store, Hasher: plain{}, ServiceNames: []string{"acme-widgets"}, Breached: breached,
	}); err != nil {
		t.Fatal(err)
	}
	const email = "m.hargreaves@widgets.example"
	u, err := w.people.Add(t.Context(), account.NewUser{Name: "Margarethe", Email: email, Password: right}, event)
	if err != nil {
		t.Fatal(err)
	}
	link := w.startReset(u.ID)
	for text, want := range map[string]error{
		"margarethe-margarethe": password.ErrNamed,
		email:                   password.ErrNamed,
		"Hargreaves!Widgets":    password.ErrNamed,
		"acme-widgets.123":      password.ErrNamed,
		"chelsea1234567890":     password.ErrCommon,
		known:                   password.ErrBreached,
		"too short":             password.ErrTooShort,
	} {
		_, err := w.people.Add(t.Context(), account.NewUser{Name: "margarethe", Email: email, Password: text}, event)
		w.wantError(err, account.ErrPassword)
		w.wantError(err, want)
		_, err = w.people.SetPassword(t.Context(), u.ID, text, false, event)
		w.wantError(err, account.ErrPassword)
		w.wantError(err, want)
		_, _, err = w.people.ChangePassword(t.Context(), w.issuer, u.ID, right, text, event)
		w.wantError(err, account.ErrPassword)
		w.wantError(err, want)
		_, err = w.people.Reset(t.Context(), link, text, event)
		w.wantError(err, account.ErrPassword)
		w.wantError(err, want)
	}
	if _, err := w.people.Add(t.Context(), account.NewUser{Name: "Other", Password: "Hargreaves!Widgets"}, event); err != nil {
		t.Errorf("what is known of one user is refused to another: %v", err)
	}
	if _, err := w.enter("margarethe", right); err != nil {
		t.Errorf("the old password after all that: %v", err)
	}
}
