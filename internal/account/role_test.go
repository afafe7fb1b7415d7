package account_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

func TestRoleWords(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada := w.add("ada")
	long := strings.Repeat("s", account.MaxScopeWord)
	for _, tt := range []struct {
		name, role, scope string
		wantErr           error
	}{
		{"good", "a", "https://api.example.com/orders:read!#[]~", nil},
		{"longest", "b", long, nil},
		{"too long", "c", long + "s", account.ErrScopeWord},
		{"empty", "c", "", account.ErrScopeWord},
		{"two words", "c", "a b", account.ErrScopeWord},
		{"quote", "c", `a"`, account.ErrScopeWord},
		{"backslash", "c", `a\`, account.ErrScopeWord},
		{"tab", "c", "a\tb", account.ErrScopeWord},
		{"CR LF", "c", "a\r\nb", account.ErrScopeWord},
		{"NUL", "c", "a\x00", account.ErrScopeWord},
		{"not ASCII", "c", "é", account.ErrScopeWord},
		{"bad UTF-8", "c", "\xff", account.ErrScopeWord},
		{"role with a capital", "C", "a", account.ErrRole},
		{"role with a line break", "c\n", "a", account.ErrRole},
		{"role without a name", "", "a", account.ErrRole},
		{"role with a quote", "c'--", "a", account.ErrRole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.people.AddRole(t.Context(), tt.role, []string{tt.scope}, event)
			w.wantError(err, tt.wantErr)
			if tt.wantErr != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the error has the control characters: %q", err)
			}
			_, _, err = w.people.SetRole(t.Context(), "a", nil, account.Change{Add: []string{tt.scope}}, false, event)
			if errors.Is(tt.wantErr, account.ErrScopeWord) {
				w.wantError(err, tt.wantErr)
				return
			}
			for _, c := range []account.Change{{Add: []string{tt.role}}, {Replace: true, To: []string{tt.role}}} {
				_, _, err = w.people.SetRoles(t.Context(), ada.ID, c, false, event)
				w.wantError(err, tt.wantErr)
			}
			_, _, err = w.people.Edit(t.Context(), ada.ID, account.UserEdit{Roles: &[]string{tt.role}}, event)
			w.wantError(err, tt.wantErr)
		})
	}
	list, err := w.people.ListRoles(t.Context(), account.Query{})
	if err != nil || len(list) != 2 {
		t.Errorf("%d roles, %v; want the two that are good", len(list), err)
	}
}

// Who has as much as anybody may have gets a token that every verifier reads.
func TestLargestTokenIsRead(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	people, err := account.New(account.Config{Store: db, Roles: db, Throttle: db, Hasher: plain{}})
	if err != nil {
		t.Fatal(err)
	}
	iss, err := issuer.New(t.Context(), issuer.Config{
		Issuer: "https://" + strings.Repeat("a", 60) + ".example.com", Audience: "https://" + strings.Repeat("b", 200) + ".example.com",
		Store: db, MasterKey: issuer.GenerateMasterKey(), Subjects: people, Algorithm: jwt.RS256, Username: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	roles := make([]string, account.MaxRoles)
	for i := range roles { // each with its share of all that one user may have
		roles[i] = fmt.Sprintf("r%063d", i)
		scope := fmt.Sprintf("s%0*d", account.MaxScope/account.MaxRoles-2, i)
		if _, err := people.AddRole(t.Context(), roles[i], []string{scope}, event); err != nil {
			t.Fatal(err)
		}
	}
	u, err := people.Add(t.Context(), account.NewUser{Name: strings.Repeat("é", 64), Password: right, Roles: roles}, event)
	if err != nil {
		t.Fatal(err)
	}
	attempt, err := iss.Begin(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	set, err := iss.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
	if err != nil {
		t.Fatal(err)
	}
	v, err := doorward.NewVerifier(doorward.Config{Issuer: iss.URL(), Audience: iss.Audience(), Keys: iss.Keys(), Revocations: iss.Revocations()})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := v.Verify(t.Context(), set.AccessToken)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(set.AccessToken), err)
	}
	if len(claims.Scope) != account.MaxRoles || len(claims.Roles) != account.MaxRoles {
		t.Errorf("%d scopes, %d roles", len(claims.Scope), len(claims.Roles))
	}
	t.Logf("the largest token has %d bytes", len(set.AccessToken))
}

// More users than one transaction takes lose their sessions, and nobody else does.
func TestSetRoleNowEndsEverybody(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	if _, err := w.people.AddRole(t.Context(), "editor", nil, event); err != nil {
		t.Fatal(err)
	}
	const n = 300
	sets := make([]issuer.TokenSet, n)
	for i := range sets {
		name := fmt.Sprint("user", i)
		w.add(name, "editor")
		sets[i] = w.mustLogin(name, right)
	}
	w.add("bob", "other")
	bob := w.mustLogin("bob", right)
	r, ended, err := w.people.SetRole(t.Context(), "editor", nil, account.Change{Add: []string{"a"}}, true, event)
	if err != nil || ended != n || r.Users != n {
		t.Fatalf("%d of %d ended, %v", ended, r.Users, err)
	}
	for _, set := range sets {
		w.wantOver(set)
	}
	if _, err := w.issuer.Refresh(t.Context(), bob.RefreshToken, issuer.RefreshRequest{Event: event}); err != nil {
		t.Error(err)
	}
}

// impatient is a store of roles whose caller goes away as soon as a role is removed.
type impatient struct {
	account.RoleStore
	leave context.CancelFunc
}

func (l impatient) RemoveRole(ctx context.Context, name string, ev issuer.Event) ([]string, error) {
	ids, err := l.RoleStore.RemoveRole(ctx, name, ev)
	l.leave()
	return ids, err
}

// Who has a role that was removed has no more of it also when the operator does not wait for the answer.
func TestRemoveRoleNowEndsEverybodyWithoutTheCaller(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	w.add("ada", "editor")
	set := w.mustLogin("ada", right)
	ctx, leave := context.WithCancel(t.Context())
	people, err := account.New(account.Config{Store: w.store, Roles: impatient{w.store, leave}, Throttle: w.store, Hasher: w.hasher})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := people.RemoveRole(ctx, "editor", true, event); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.wantOver(set)
}
