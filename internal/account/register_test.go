package account_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// ASVS_15.3.3.
func TestRegister_Attack_E01_E05_E11(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("Ada", "admin")
	u, err := w.people.Register(t.Context(), account.Registration{Name: "Bob", Email: "bob@Example.com", Password: right}, event)
	if err != nil || u.Name != "Bob" || u.Email != "bob@example.com" || len(u.Roles) != 0 || u.MustChange {
		t.Fatalf("Register = %+v, %v", u, err)
	}
	w.mustLogin("bob", right)
	tests := []struct {
		name, email, text string
		want              error
		hashes            int64
	}{
		{"ada", "", right, account.ErrNameTaken, 1}, // as many as for a name that is free
		{"ＡＤＡ", "", right, account.ErrNameTaken, 1}, // wide letters
		{"аdmin", "", right, account.ErrName, 0},    // a Cyrillic а
		{"admin ", "", right, account.ErrName, 0},
		{"admin\x00", "", right, account.ErrName, 0},
		{"ad\u200bmin", "", right, account.ErrName, 0},
		{"Admin", "", right, account.ErrReserved, 0},
		{"carol", "carol", right, account.ErrEmail, 0},
		{"carol", "", "short", account.ErrPassword, 0},
		{"margarethe", "", "margarethe-margarethe", password.ErrNamed, 0},
		{"carol", "m.hargreaves@example.com", "hargreaves.example", password.ErrNamed, 0},
	}
	for i, tt := range tests {
		before := w.hasher.n.Load()
		from := issuer.Event{Address: fmt.Sprintf("10.%d.0.1", i)}
		_, err := w.people.Register(t.Context(), account.Registration{Name: tt.name, Email: tt.email, Password: tt.text}, from)
		if !errors.Is(err, tt.want) {
			t.Errorf("Register(%q) = %v, want %v", tt.name, err, tt.want)
		}
		if n := w.hasher.n.Load() - before; n != tt.hashes {
			t.Errorf("Register(%q) computed %d hashes, want %d", tt.name, n, tt.hashes)
		}
	}
	if _, err := w.people.ByName(t.Context(), "carol"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("carol is there: %v", err)
	}
}
