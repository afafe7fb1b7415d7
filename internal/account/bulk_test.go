package account_test

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
)

func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("Ada")
	const hash = "pbkdf2:sha1:1000$CBbf78VA$6cbaf5f354402e4e7dc47f1e7519fcf3db6e7f7e" // Werkzeug's
	const text = "Kirschbaum & Ärger 7"
	users := []account.Imported{
		{Name: "Bob", Email: "Bob@EXAMPLE.com", Hash: hash, Roles: []string{"editor", "editor"}},
		{Name: "Ada", Hash: hash},
		{Name: "", Hash: hash},
		{Name: "admin\x00", Hash: hash},
		{Name: "Eve", Hash: hash, Roles: []string{"Big Boss"}},
		{Name: "Eve", Hash: "scrypt:1048576:8:1$salt$" + strings.Repeat("ab", 64)},
		{Name: "Eve", Hash: text},
		{Name: "Eve", Email: "eve at example", Hash: hash},
		{Name: "Eve", Hash: hash, Disabled: true},
	}
	wants := []error{
		nil, account.ErrNameTaken, account.ErrName, account.ErrName, account.ErrRole, password.ErrCost, password.ErrHash, account.ErrEmail, nil,
	}
	for _, dry := range []bool{true, false} {
		verdicts, err := w.people.Import(t.Context(), users, dry, event)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range wants {
			w.wantError(verdicts[i], want)
		}
	}
	// The old password opens the account, and then the hash is one of ours.
	_, err := w.login("bob", "wrong")
	w.wantError(err, account.ErrCredentials)
	w.mustLogin("bob", text)
	w.mustLogin("bob", text)
	list, err := w.people.Export(t.Context(), account.Query{After: "ada", Limit: 10})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d credentials, %v, want those of Bob and Eve", len(list), err)
	}
	if all, err := w.people.Export(t.Context(), account.Query{After: "ada"}); err != nil || len(all) != 2 {
		t.Errorf("%d credentials, %v, without a limit", len(all), err)
	}
	if bob := list[0]; !strings.HasPrefix(bob.Hash, "$argon2id$v=19$m=19456,") || len(bob.User.Roles) != 1 || bob.User.Email != "Bob@example.com" {
		t.Errorf("after the login Bob is %+v with the hash %.20s…", bob.User, bob.Hash)
	}
	// Who is disabled stays out.
	_, err = w.login("eve", text)
	w.wantError(err, account.ErrDisabled)
	if eve := list[1]; eve.Hash != hash || !eve.User.Disabled || eve.User.Email != "" {
		t.Errorf("Eve is %+v with %.20s…", eve.User, eve.Hash)
	}
}

func TestImportIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.people.Import(t.Context(), make([]account.Imported, account.MaxImport+1), true, event); err == nil {
		t.Error("no error for more users than fit")
	}
}
