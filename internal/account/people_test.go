package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

var _ issuer.Subjects = (*account.People)(nil)

func TestNew(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	tests := []struct {
		cfg  account.Config
		want string
	}{
		{account.Config{}, "Config.Store is required"},
		{account.Config{Store: db}, "Config.Throttle is required"},
		{account.Config{Store: db, Throttle: db}, "Config.Hasher is required"},
		{account.Config{Store: db, Throttle: db, Hasher: plain{}, MinPassword: 7}, "MinPassword is 7, the least is 8"},
	}
	for _, tt := range tests {
		if _, err := account.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New = %v, want %q", err, tt.want)
		}
	}
	p, err := account.New(account.Config{Store: db, Throttle: db, Hasher: plain{}, MinPassword: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Add(t.Context(), account.NewUser{Name: "ada", Password: "8 or not"}, event); err != nil {
		t.Errorf("a password of 8 characters: %v", err)
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada := w.add("Ada", "editor", "admin", "editor")
	if !regexp.MustCompile(`^u_[a-z2-7]{26}$`).MatchString(ada.ID) || ada.Name != "Ada" || ada.Canonical != "ada" {
		t.Errorf("added %+v", ada)
	}
	if !slices.Equal(ada.Roles, []string{"admin", "editor"}) {
		t.Errorf("roles %v, want them sorted and once", ada.Roles)
	}
	for _, spelling := range []string{"Ada", "ada", "ADA", "\uff21\uff24\uff21"} {
		if got, err := w.people.ByName(t.Context(), spelling); err != nil || got.ID != ada.ID {
			t.Errorf("ByName(%q) = %+v, %v", spelling, got, err)
		}
		_, err := w.people.Add(t.Context(), account.NewUser{Name: spelling, Password: right}, event)
		w.wantError(err, account.ErrNameTaken)
	}
	if got, err := w.people.ByID(t.Context(), ada.ID); err != nil || got.Name != "Ada" {
		t.Errorf("ByID = %+v, %v", got, err)
	}
	_, err := w.people.ByID(t.Context(), "u_nobody")
	w.wantError(err, account.ErrNotFound)
	for _, name := range []string{"bob", "", "ada\x00"} {
		_, err = w.people.ByName(t.Context(), name)
		w.wantError(err, account.ErrNotFound)
	}
}

func TestAddRefused(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	tests := []struct {
		name    string
		user    account.NewUser
		wantErr error
	}{
		{"name", account.NewUser{Name: "ada ", Password: right}, account.ErrName},
		{"short password", account.NewUser{Name: "ada", Password: "short"}, account.ErrPassword},
		{"no password", account.NewUser{Name: "ada"}, password.ErrTooShort},
		{"empty role", account.NewUser{Name: "ada", Password: right, Roles: []string{""}}, account.ErrRole},
		{"upper case role", account.NewUser{Name: "ada", Password: right, Roles: []string{"Admin"}}, account.ErrRole},
		{"role with a space", account.NewUser{Name: "ada", Password: right, Roles: []string{"a b"}}, account.ErrRole},
		{"role with a line end", account.NewUser{Name: "ada", Password: right, Roles: []string{"admin\n"}}, account.ErrRole},
		{"role of 65", account.NewUser{Name: "ada", Password: right, Roles: []string{strings.Repeat("a", 65)}}, account.ErrRole},
		{"role with a dot first", account.NewUser{Name: "ada", Password: right, Roles: []string{".a"}}, account.ErrRole},
		{"role outside ASCII", account.NewUser{Name: "ada", Password: right, Roles: []string{"\u0430dmin"}}, account.ErrRole},
		{"too many roles", account.NewUser{Name: "ada", Password: right, Roles: strings.Split(strings.Repeat("a,", 32)+"a", ",")}, account.ErrRoleBounds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.people.Add(t.Context(), tt.user, event)
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("Add = %v, want %v", err, tt.wantErr)
			}
			if tt.user.Password != "" && strings.Contains(fmt.Sprint(err), tt.user.Password) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
	if users, err := w.people.List(t.Context(), account.Query{}); err != nil || len(users) != 0 {
		t.Errorf("users %v, %v, want none", users, err)
	}
	_, err := w.people.Add(t.Context(), account.NewUser{Name: "ada", Password: right, Roles: []string{"a", "0", "orders:read", "a_b.c-d", strings.Repeat("a", 64)}}, event)
	w.wantError(err, nil)
}

func TestList(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	for i := range 105 {
		w.add(fmt.Sprintf("user %03d", i))
	}
	page, err := w.people.List(t.Context(), account.Query{})
	if err != nil || len(page) != account.DefaultPage {
		t.Fatalf("the first page has %d users, %v", len(page), err)
	}
	rest, err := w.people.List(t.Context(), account.Query{After: page[len(page)-1].Canonical, Limit: 1 << 30})
	if err != nil || len(rest) != 5 || rest[4].Name != "user 104" {
		t.Errorf("the second page has %v, %v", rest, err)
	}
}

// ASVS_6.3.2, ASVS_13.2.3.
func TestEnsureAdmin_Attack_E10(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		secret, err := w.people.EnsureAdmin(t.Context(), event)
		if err != nil || len(strings.ReplaceAll(secret, "-", "")) < 20 { // 5 bits each
			t.Fatalf("EnsureAdmin = %q, %v", secret, err)
		}
		again, err := w.people.EnsureAdmin(t.Context(), event)
		if err != nil || again != "" {
			t.Errorf("the second start: %q, %v, want no password", again, err)
		}
		set := w.mustLogin("admin", secret)
		w.wantSubject(set.Subject, true, true)
		time.Sleep(24*time.Hour + time.Second)
		_, err = w.enter("admin", secret)
		w.wantError(err, account.ErrExpired)
		// The way back: an operator of the machine sets another.
		if _, err := w.people.SetPassword(t.Context(), set.Subject, other, true, event); err != nil {
			t.Fatal(err)
		}
		attempt, _, err := w.people.ChangePassword(t.Context(), w.issuer, set.Subject, other, right, event)
		w.wantError(err, nil)
		_, err = w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{Event: event})
		w.wantError(err, nil)
		w.wantSubject(set.Subject, true, false, "admin")
	})
}

func TestEnsureAdminBesideOthers_Attack_E10(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	w.add("ada")
	secret, err := w.people.EnsureAdmin(t.Context(), event)
	if err != nil || secret != "" {
		t.Errorf("EnsureAdmin = %q, %v, want no password", secret, err)
	}
	_, err = w.people.ByName(t.Context(), "admin")
	w.wantError(err, account.ErrNotFound)
}

func TestEnsureAdminTogether_Attack_E10(t *testing.T) {
	t.Parallel()
	first := worldIn(t, t.TempDir(), plain{})
	worlds := []*world{first, first.another()}
	var mu sync.Mutex
	var secrets []string
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			secret, err := worlds[i%2].people.EnsureAdmin(t.Context(), event)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if secret != "" {
				secrets = append(secrets, secret)
			}
		})
	}
	wg.Wait()
	if len(secrets) != 1 {
		t.Fatalf("%d passwords of one admin", len(secrets))
	}
	first.mustLogin("admin", secrets[0])
}

// Every hostile line is a name that is kept as it is, or is refused; the store
// holds what was accepted and nothing else.
func TestHostileTexts_Attack_E14_E05(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	lines := hostileLines(t)
	if len(lines) < 1000 {
		t.Fatalf("%d lines: the corpora are not what they were", len(lines))
	}
	names := map[string]string{}
	for _, line := range lines {
		if _, err := w.people.ByName(t.Context(), line); err != nil && !errors.Is(err, account.ErrNotFound) {
			t.Fatalf("ByName(%q) = %v", line, err)
		}
		u, err := w.people.Add(t.Context(), account.NewUser{Name: line, Password: right + line}, event)
		switch {
		case errors.Is(err, account.ErrName), errors.Is(err, account.ErrNameTaken), errors.Is(err, account.ErrPassword):
			continue
		case err != nil:
			t.Fatalf("Add(%q) = %v", line, err)
		}
		names[u.Canonical] = line
		if got, err := w.people.ByName(t.Context(), line); err != nil || got.ID != u.ID {
			t.Errorf("ByName(%q) = %+v, %v", line, got, err)
		}
		if len(names) < 100 { // each is two durable writes
			if got, err := w.enter(line, right+line); err != nil || got.ID != u.ID {
				t.Errorf("Authenticate(%q) = %+v, %v", line, got, err)
			}
		}
		_, err = w.people.Add(t.Context(), account.NewUser{Name: "r", Password: right, Roles: []string{line}}, event)
		if err == nil {
			w.remove("r")
		} else if !errors.Is(err, account.ErrRole) {
			t.Fatalf("role %q: %v", line, err)
		}
	}
	count := 0
	for after := ""; ; {
		page, err := w.people.List(t.Context(), account.Query{After: after, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			count++
			if _, ok := names[u.Canonical]; !ok {
				t.Errorf("a user %q that nobody added", u.Name)
			}
		}
		after = page[len(page)-1].Canonical
	}
	if count != len(names) || count < 100 {
		t.Errorf("%d users of %d added", count, len(names))
	}
}

func (w *world) remove(name string) {
	w.Helper()
	u, err := w.people.ByName(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := w.people.Delete(w.Context(), u.ID, event); err != nil {
		w.Fatal(err)
	}
}

// hostileLines reads the naughty strings and the injection lists.
func hostileLines(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("DOORWARD_CORPORA")
	if root == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public lists of hostile texts are not read")
	}
	data, err := os.ReadFile(filepath.Join(root, "naughty-strings", "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"unicode/*", "control-chars/*", "sql-injection/*/*", "no-sql-injection/*", "ldap/*", "email/*"} {
		files, err := filepath.Glob(filepath.Join(root, "fuzzdb", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("fuzzdb/%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, strings.Split(string(data), "\n")...)
		}
	}
	return lines
}

// What the store says of a failure is not said again.
func TestFailuresAreSaidOnce(t *testing.T) {
	t.Parallel()
	file := openFile(t, t.TempDir())
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	db := sqlstoretest.In(file.Store)
	people, err := account.New(account.Config{Store: db, Bulk: db, Edits: db, Roles: db, Throttle: db, Hasher: plain{}})
	if err != nil {
		t.Fatal(err)
	}
	keys, clients := account.NewAPIKeys(account.APIKeysConfig{Store: db}), account.NewClients(account.ClientsConfig{Store: db})
	ctx, id, email := t.Context(), "u_1", "a@example.com"
	for what, do := range map[string]func() error{
		"user":    func() error { _, err := people.ByID(ctx, id); return err },
		"name":    func() error { _, err := people.ByName(ctx, "ada"); return err },
		"users":   func() error { _, err := people.List(ctx, account.Query{}); return err },
		"subject": func() error { _, err := people.Subject(ctx, id); return err },
		"disable": func() error { _, err := people.Disable(ctx, id, event); return err },
		"enable":  func() error { return people.Enable(ctx, id, event) },
		"delete":  func() error { _, err := people.Delete(ctx, id, event); return err },
		"edit":    func() error { _, _, err := people.Edit(ctx, id, account.UserEdit{Email: &email}, event); return err },
		"role":    func() error { _, err := people.RoleByName(ctx, "r"); return err },
		"roles":   func() error { _, err := people.ListRoles(ctx, account.Query{}); return err },
		"unrole":  func() error { _, err := people.RemoveRole(ctx, "r", false, event); return err },
		"client":  func() error { _, err := clients.Find(ctx, "c"); return err },
		"clients": func() error { _, err := clients.List(ctx, account.Query{}); return err },
		"reclient": func() error {
			_, _, err := clients.Edit(ctx, "c", account.ClientEdit{Scope: &doorward.Scope{}}, event)
			return err
		},
		"key":    func() error { _, err := keys.Find(ctx, "k"); return err },
		"keys":   func() error { _, err := keys.List(ctx, account.APIKeyQuery{}); return err },
		"unkey":  func() error { _, err := keys.Revoke(ctx, "k", "", event); return err },
		"unkeys": func() error { _, err := keys.RevokeAll(ctx, id, event); return err },
	} {
		err := do()
		said := strings.Split(err.Error(), ": ")
		if once := slices.Compact(slices.Clone(said)); !errors.Is(err, issuer.ErrUnavailable) || len(once) != len(said) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
