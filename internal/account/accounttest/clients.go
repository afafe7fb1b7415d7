package accounttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// ClientStore is a store of clients and of what they are granted.
type ClientStore interface {
	account.ClientStore
	issuer.SessionStore
	issuer.RevocationLog
}

// TestClients checks a store of clients. open is as in [TestStore].
func TestClients(t *testing.T, open func(t *testing.T, dir string) ClientStore) {
	for _, test := range []struct {
		name string
		run  func(f *clients)
	}{
		{"a client is read as created", testClientCreate},
		{"a name is unique until it is removed", testClientName},
		{"clients are listed in pages", testClientList},
		{"disabling and enabling", testClientDisable},
		{"an edit changes what was seen", testClientEdit},
		{"removing takes the secrets along", testClientRemove},
		{"no such client", testNoClient},
		{"disabling, removing and revoking end the tokens", testClientEnds},
		{"a client has two secrets at most, each of which works", testClientSecrets},
		{"a secret stops when it was said to", testClientSecretExpires},
		{"of two rotations at once one wins", testClientSecretsTogether},
		{"the last use of a secret is known by the hour", testClientSecretUse},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.run(&clients{T: t, store: open(t, dir), again: func() ClientStore { return open(t, dir) }})
		})
	}
}

// clients is one subtest with its own database.
type clients struct {
	*testing.T
	store ClientStore
	again func() ClientStore // another on the same database
}

func clientRow(name string) account.ClientRow {
	return account.ClientRow{
		ID: account.ClientIDPrefix + name, Name: name, Scope: doorward.Scope{"revocations:read", "a"},
		Audiences: []string{"https://a.example", "b"}, Secret: digest(name),
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
	want := account.Client{
		ID: row.ID, Name: "orders", Scope: row.Scope, Audiences: row.Audiences, CreatedAt: c.CreatedAt,
		Secrets: []account.ClientSecret{{ID: row.Secret.ID(), CreatedAt: c.CreatedAt}},
	}
	f.same(c, nil, want)
	if c.CreatedAt.Before(before) || c.CreatedAt.Location() != time.UTC {
		f.Errorf("created at %v", c.CreatedAt)
	}
	for _, s := range []ClientStore{f.store, f.again()} {
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
	f.same(bare, err, account.Client{
		ID: "dwc_b", Name: "bare", CreatedAt: bare.CreatedAt,
		Secrets: []account.ClientSecret{{ID: account.SecretDigest{}.ID(), CreatedAt: bare.CreatedAt}},
	})
}

func testClientName(f *clients) {
	c := f.create("orders")
	row := clientRow("orders")
	row.ID = "dwc_other"
	_, err := f.store.CreateClient(f.Context(), row, event)
	f.wantError(err, account.ErrNameTaken)
	_, err = f.store.Client(f.Context(), "dwc_other")
	f.wantError(err, account.ErrNoClient)
	if _, err := f.store.DeleteClient(f.Context(), c.ID, event); err != nil {
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
		if _, err := f.store.SetClientDisabled(f.Context(), c.ID, disabled, event); err != nil {
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
	if _, err := f.store.DeleteClient(f.Context(), c.ID, event); err != nil {
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
		_, err = f.store.SetClientDisabled(f.Context(), id, true, event)
		f.wantError(err, account.ErrNoClient)
		_, err = f.store.EndClientTokens(f.Context(), id, event)
		f.wantError(err, account.ErrNoClient)
		_, err = f.store.DeleteClient(f.Context(), id, event)
		f.wantError(err, account.ErrNoClient)
		_, err = f.store.AddClientSecret(f.Context(), id, digest("x"), 0, event)
		f.wantError(err, account.ErrNoClient)
		_, err = f.store.DropClientSecret(f.Context(), id, digest("orders").ID(), event)
		f.wantError(err, account.ErrNoClient)
		f.wantError(f.store.UseClientSecret(f.Context(), id, digest("x")), nil)
	}
	_, err := f.store.ClientCredential(f.Context(), "orders") // a name is no ID
	f.wantError(err, account.ErrNoClient)
}

func digest(text string) account.SecretDigest { return sha256.Sum256([]byte(text)) }

// grant makes the ID of a token.
func (f *clients) grant(subject, client string) (id string, n issuer.NewGrant) {
	f.Helper()
	n = issuer.NewGrant{Subject: subject, ClientID: client}
	var err error
	if n.Epoch, err = f.store.Epoch(f.Context(), subject); err != nil {
		f.Fatal(err)
	}
	if n.ClientEpoch, err = f.store.Epoch(f.Context(), client); err != nil {
		f.Fatal(err)
	}
	if id, _, err = f.store.CreateGrant(f.Context(), n, event); err != nil {
		f.Fatal(err)
	}
	return id, n
}

// Standard_C11 of programs: their tokens end with them, those that are in the making too.
func testClientEnds(f *clients) {
	other := f.create("other")
	for name, end := range map[string]func(id string) ([]doorward.Revocation, error){
		"disabled": func(id string) ([]doorward.Revocation, error) {
			return f.store.SetClientDisabled(f.Context(), id, true, event)
		},
		"removed": func(id string) ([]doorward.Revocation, error) { return f.store.DeleteClient(f.Context(), id, event) },
		"revoked": func(id string) ([]doorward.Revocation, error) {
			return f.store.EndClientTokens(f.Context(), id, event)
		},
	} {
		c := f.create(name)
		own, attempt := f.grant(c.ID, c.ID)
		key, _ := f.grant(c.ID, "dwk_"+name) // of an API key of the client
		cuts, err := end(c.ID)
		if err != nil || len(cuts) != 2 {
			f.Fatalf("%s: %v, %v", name, cuts, err)
		}
		set := doorward.NewRevocationSet(0)
		set.Confirm(time.Now())
		page, err := f.store.RevocationsSince(f.Context(), "")
		if err != nil {
			f.Fatal(err)
		}
		for _, cut := range cuts {
			if !slices.Contains(page.Entries, cut) {
				f.Errorf("%s: %+v is not in the log", name, cut)
			}
		}
		set.Add(cuts...)
		f.wantError(set.Check(&doorward.Claims{Subject: c.ID, ClientID: c.ID, SessionID: own}), doorward.ErrRevoked)
		f.wantError(set.Check(&doorward.Claims{Subject: c.ID, ClientID: "dwk_" + name, SessionID: key}), doorward.ErrRevoked)
		f.wantError(set.Check(&doorward.Claims{Subject: other.ID, ClientID: other.ID, SessionID: own}), nil)
		_, _, err = f.store.CreateGrant(f.Context(), attempt, event)
		f.wantError(err, issuer.ErrEpoch)
		later, _ := f.grant(c.ID, c.ID)
		f.wantError(set.Check(&doorward.Claims{Subject: c.ID, ClientID: c.ID, SessionID: later}), nil)
	}
	if cuts, err := f.store.SetClientDisabled(f.Context(), other.ID, false, event); err != nil || len(cuts) > 0 {
		f.Errorf("enabled: %v, %v", cuts, err)
	}
}

func (f *clients) wantSecrets(id string, want ...string) {
	f.Helper()
	cred, err := f.again().ClientCredential(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	var names, ids []string
	for i, secret := range cred.Secrets {
		names, ids = append(names, secret.ID()), append(ids, cred.Client.Secrets[i].ID)
	}
	for i := range want {
		want[i] = digest(want[i]).ID()
	}
	slices.Sort(want)
	slices.Sort(names)
	slices.Sort(ids)
	if !slices.Equal(names, want) || !slices.Equal(ids, want) {
		f.Errorf("secrets %q, shown %q, want %q", names, ids, want)
	}
}

func testClientSecrets(f *clients) {
	c := f.create("orders")
	f.create("other")
	_, err := f.store.DropClientSecret(f.Context(), c.ID, digest("orders").ID(), event)
	f.wantError(err, account.ErrLastSecret)
	got, err := f.store.AddClientSecret(f.Context(), c.ID, digest("second"), 0, event)
	if err != nil || len(got.Secrets) != 2 {
		f.Fatal(got, err)
	}
	f.wantSecrets(c.ID, "orders", "second")
	_, err = f.store.AddClientSecret(f.Context(), c.ID, digest("third"), time.Hour, event)
	f.wantError(err, account.ErrClientSecrets)
	f.wantSecrets(c.ID, "orders", "second")
	for _, id := range []string{"", "x", digest("third").ID(), digest("other").ID(), digest("orders").ID()[:7]} {
		_, err = f.store.DropClientSecret(f.Context(), c.ID, id, event)
		f.wantError(err, account.ErrNoSecret)
	}
	got, err = f.store.DropClientSecret(f.Context(), c.ID, digest("orders").ID(), event)
	if err != nil || len(got.Secrets) != 1 {
		f.Fatal(got, err)
	}
	f.wantSecrets(c.ID, "second")
	f.wantSecrets("dwc_other", "other")
}

func testClientSecretExpires(f *clients) {
	c := f.create("orders")
	before := time.Now().Add(-time.Minute)
	got, err := f.store.AddClientSecret(f.Context(), c.ID, digest("second"), time.Hour, event)
	if err != nil || len(got.Secrets) != 2 {
		f.Fatal(got, err)
	}
	for _, secret := range got.Secrets {
		old := secret.ID == digest("orders").ID()
		if old != !secret.ExpiresAt.IsZero() || old && (secret.ExpiresAt.Before(before.Add(time.Hour)) || secret.ExpiresAt.After(time.Now().Add(2*time.Hour))) {
			f.Errorf("%s expires at %v", secret.ID, secret.ExpiresAt)
		}
	}
	f.wantSecrets(c.ID, "orders", "second")
	d := f.create("billing")
	if _, err := f.store.AddClientSecret(f.Context(), d.ID, digest("second"), time.Millisecond, event); err != nil {
		f.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		got, err := f.store.Client(f.Context(), d.ID)
		if err != nil || time.Now().After(deadline) {
			f.Fatal("the old secret works still", err)
		}
		if len(got.Secrets) == 1 {
			break
		}
	}
	f.wantSecrets(d.ID, "second")
	_, err = f.store.DropClientSecret(f.Context(), d.ID, digest("second").ID(), event)
	f.wantError(err, account.ErrLastSecret) // the one that has expired is none
	if _, err = f.store.AddClientSecret(f.Context(), d.ID, digest("third"), 0, event); err != nil {
		f.Fatal(err)
	}
	f.wantSecrets(d.ID, "second", "third")
}

func testClientSecretsTogether(f *clients) {
	c := f.create("orders")
	stores := []ClientStore{f.store, f.again()}
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			_, errs[i] = stores[i%2].AddClientSecret(f.Context(), c.ID, digest(fmt.Sprint(i)), 0, event)
		})
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		f.wantError(err, account.ErrClientSecrets)
	}
	if made != 1 {
		f.Errorf("%d secrets were added, want 1", made)
	}
}

func testClientSecretUse(f *clients) {
	c := f.create("orders")
	before := time.Now().Add(-time.Minute)
	used := func() time.Time {
		f.Helper()
		if err := f.store.UseClientSecret(f.Context(), c.ID, digest("orders")); err != nil {
			f.Fatal(err)
		}
		got, err := f.again().Client(f.Context(), c.ID)
		if err != nil || len(got.Secrets) != 1 {
			f.Fatal(got, err)
		}
		return got.Secrets[0].UsedAt
	}
	first := used()
	if first.Before(before) || first.Location() != time.UTC {
		f.Errorf("used at %v", first)
	}
	if again := used(); again != first {
		f.Errorf("used again at %v, after %v", again, first)
	}
	f.wantError(f.store.UseClientSecret(f.Context(), c.ID, digest("other")), nil)
}
