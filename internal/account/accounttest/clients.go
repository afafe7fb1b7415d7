package accounttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
)

// TestClients checks a store of clients. open is as in [TestStore].
func TestClients(t *testing.T, open func(t *testing.T, dir string) account.ClientStore) {
	for _, test := range []struct {
		name string
		run  func(f *clients)
	}{
		{"a client is read as created", testClientCreate},
		{"a name is unique until it is removed", testClientName},
		{"clients are listed in pages", testClientList},
		{"disabling and enabling", testClientDisable},
		{"removing takes the secrets along", testClientRemove},
		{"no such client", testNoClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.run(&clients{T: t, store: open(t, dir), again: func() account.ClientStore { return open(t, dir) }})
		})
	}
}

// clients is one subtest with its own database.
type clients struct {
	*testing.T
	store account.ClientStore
	again func() account.ClientStore // another on the same database
}

func clientRow(name string) account.ClientRow {
	return account.ClientRow{
		ID: account.ClientIDPrefix + name, Name: name, Scope: doorward.Scope{"revocations:read", "a"},
		Audiences: []string{"https://a.example", "b"}, Secret: sha256.Sum256([]byte(name)),
	}
}

func (f *clients) create(name string) account.Client {
	f.Helper()
	c, err := f.store.CreateClient(f.Context(), clientRow(name), event)
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func (f *clients) wantError(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("error %v, want %v", err, want)
	}
}

func (f *clients) same(got account.Client, err error, want account.Client) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		f.Errorf("%v\n%s", err, diff)
	}
}

func testClientCreate(f *clients) {
	row, before := clientRow("orders"), time.Now().Add(-time.Minute)
	c := f.create("orders")
	want := account.Client{ID: row.ID, Name: "orders", Scope: row.Scope, Audiences: row.Audiences, CreatedAt: c.CreatedAt}
	f.same(c, nil, want)
	if c.CreatedAt.Before(before) || c.CreatedAt.Location() != time.UTC {
		f.Errorf("created at %v", c.CreatedAt)
	}
	for _, s := range []account.ClientStore{f.store, f.again()} {
		for _, name := range []string{row.ID, "orders"} {
			got, err := s.Client(f.Context(), name)
			f.same(got, err, c)
		}
		cred, err := s.ClientCredential(f.Context(), row.ID)
		f.same(cred.Client, err, c)
		if len(cred.Secrets) != 1 || cred.Secrets[0] != row.Secret {
			f.Errorf("secrets %x", cred.Secrets)
		}
	}
	bare, err := f.store.CreateClient(f.Context(), account.ClientRow{ID: "dwc_b", Name: "bare"}, event)
	f.same(bare, err, account.Client{ID: "dwc_b", Name: "bare", CreatedAt: bare.CreatedAt})
}

func testClientName(f *clients) {
	c := f.create("orders")
	row := clientRow("orders")
	row.ID = "dwc_other"
	_, err := f.store.CreateClient(f.Context(), row, event)
	f.wantError(err, account.ErrNameTaken)
	_, err = f.store.Client(f.Context(), "dwc_other")
	f.wantError(err, account.ErrNoClient)
	if err := f.store.DeleteClient(f.Context(), c.ID, event); err != nil {
		f.Fatal(err)
	}
	_, err = f.store.CreateClient(f.Context(), row, event)
	f.wantError(err, nil)
}

func testClientList(f *clients) {
	var want []string
	for i := range 5 {
		want = append(want, f.create(fmt.Sprintf("c%d", i)).Name)
	}
	var got []string
	for after := ""; ; {
		page, err := f.store.Clients(f.Context(), account.Query{After: after, Limit: 2})
		if err != nil || len(page) > 2 {
			f.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got = append(got, c.Name)
		}
		after = got[len(got)-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Error(diff)
	}
}

func testClientDisable(f *clients) {
	c := f.create("orders")
	other := f.again()
	for _, disabled := range []bool{true, true, false} {
		if err := f.store.SetClientDisabled(f.Context(), c.ID, disabled, event); err != nil {
			f.Fatal(err)
		}
		cred, err := other.ClientCredential(f.Context(), c.ID)
		if err != nil || cred.Client.Disabled != disabled {
			f.Errorf("disabled %v, %v; want %v", cred.Client.Disabled, err, disabled)
		}
	}
}

func testClientRemove(f *clients) {
	c := f.create("orders")
	if err := f.store.DeleteClient(f.Context(), c.ID, event); err != nil {
		f.Fatal(err)
	}
	cred, err := f.store.ClientCredential(f.Context(), c.ID)
	f.wantError(err, account.ErrNoClient)
	if len(cred.Secrets) != 0 {
		f.Error("secrets are left")
	}
	again := f.create("orders") // the row has the ID that it had
	if cred, err = f.store.ClientCredential(f.Context(), again.ID); err != nil || len(cred.Secrets) != 1 {
		f.Errorf("%d secrets, %v: those of the removed one came back", len(cred.Secrets), err)
	}
}

func testNoClient(f *clients) {
	f.create("orders")
	for _, id := range []string{"", "dwc_", "nobody", "dwc_orders\x00", "\xff", "' OR 1=1 --", "orders%"} {
		_, err := f.store.Client(f.Context(), id)
		f.wantError(err, account.ErrNoClient)
		_, err = f.store.ClientCredential(f.Context(), id)
		f.wantError(err, account.ErrNoClient)
		f.wantError(f.store.SetClientDisabled(f.Context(), id, true, event), account.ErrNoClient)
		f.wantError(f.store.DeleteClient(f.Context(), id, event), account.ErrNoClient)
	}
	_, err := f.store.ClientCredential(f.Context(), "orders") // a name is no ID
	f.wantError(err, account.ErrNoClient)
}
