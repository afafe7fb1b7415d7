package accounttest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
)

// KeyStore is a store of API keys and of their owners.
type KeyStore interface {
	Store
	account.ClientStore
	account.APIKeyStore
}

// TestAPIKeys checks a store of API keys. open is as in [TestStore].
func TestAPIKeys(t *testing.T, open func(t *testing.T, dir string) KeyStore) {
	for _, test := range []struct {
		name string
		run  func(f *keys)
	}{
		{"a key is read as created", testKeyCreate},
		{"a key has no scope that its owner lacks", testKeyScope},
		{"a credential is what its owner is now", testKeyCredential},
		{"keys are listed in pages", testKeyList},
		{"an owner has a bounded number of keys, from two processes", testKeyBound},
		{"the use of a key is noted once, from two processes", testKeyUse},
		{"a revoked key ends what was made from it", testKeyRevoke},
		{"a key is revoked by its owner alone, and once", testKeyRevokeTwice},
		{"all keys of an owner are revoked", testKeyRevokeAll},
		{"keys go with their owner", testKeyOwnerGone},
		{"no such key", testNoKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := open(t, dir)
			var again KeyStore
			f := &fixture{T: t, store: store, again: func() Store { again = open(t, dir); return again }}
			test.run(&keys{fixture: f, keys: store, other: func() KeyStore { f.again(); return again }})
		})
	}
}

// keys is one subtest with its own database.
type keys struct {
	*fixture
	keys  KeyStore
	other func() KeyStore // another on the same database
}

func keyRow(owner string) account.APIKeyRow {
	row := account.APIKeyRow{
		ID: account.APIKeyPrefix + strings.ToLower(rand.Text()[:16]), Owner: owner, Name: "nightly export",
		Audiences: []string{"https://a.example", "b"}, Lifetime: time.Hour,
	}
	rand.Read(row.Digest[:])
	return row
}

func (f *keys) add(row account.APIKeyRow) account.APIKey {
	f.Helper()
	key, err := f.keys.CreateAPIKey(f.Context(), row, event)
	if err != nil {
		f.Fatal(err)
	}
	return key
}

func (f *keys) client(name string) account.Client {
	f.Helper()
	c, err := f.keys.CreateClient(f.Context(), clientRow(name), event)
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func (f *keys) wantKey(got account.APIKey, err error, want account.APIKey) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		f.Errorf("%v\n%s", err, diff)
	}
}

func testKeyCreate(f *keys) {
	owner, before := f.create(newRow("Ada")), time.Now().Add(-time.Minute)
	row := keyRow(owner.ID)
	key := f.add(row)
	f.wantKey(key, nil, account.APIKey{
		ID: row.ID, Owner: owner.ID, Name: row.Name, Audiences: row.Audiences,
		CreatedAt: key.CreatedAt, ExpiresAt: key.CreatedAt.Add(time.Hour),
	})
	if key.CreatedAt.Before(before) || key.CreatedAt.Location() != time.UTC {
		f.Errorf("created at %v", key.CreatedAt)
	}
	for _, s := range []KeyStore{f.keys, f.other()} {
		got, err := s.APIKey(f.Context(), row.ID)
		f.wantKey(got, err, key)
		c, err := s.APIKeyCredential(f.Context(), row.ID)
		f.wantKey(c.Key, err, key)
		if c.Digest != row.Digest || c.User.ID != owner.ID || c.Client.ID != "" || time.Since(c.Now).Abs() > time.Minute {
			f.Errorf("%+v", c)
		}
	}
	row = keyRow(f.client("orders").ID)
	row.Lifetime, row.Audiences, row.Everything = 0, nil, true
	key = f.add(row)
	f.wantKey(key, nil, account.APIKey{ID: row.ID, Owner: row.Owner, Name: row.Name, Everything: true, CreatedAt: key.CreatedAt})
}

func testKeyScope(f *keys) {
	f.role("editor", "orders:read", "orders:write")
	ada := f.create(newRow("Ada", "editor"))
	row := keyRow(ada.ID)
	row.Scope = doorward.Scope{"orders:read"}
	if key := f.add(row); !slices.Equal(key.Scope, row.Scope) {
		f.Errorf("scope %v", key.Scope)
	}
	row = keyRow(ada.ID)
	row.Scope = doorward.Scope{"orders:read", "admin:all"}
	_, err := f.keys.CreateAPIKey(f.Context(), row, event)
	f.wantError(err, account.ErrAPIKeyScope)
	row = keyRow(f.client("orders").ID)
	row.Scope = doorward.Scope{"a"} // as clientRow has it
	f.add(row)
	row = keyRow(row.Owner)
	row.Scope = doorward.Scope{"orders:read"}
	_, err = f.keys.CreateAPIKey(f.Context(), row, event)
	f.wantError(err, account.ErrAPIKeyScope)
	for owner, want := range map[string]error{"u_nobody": account.ErrNotFound, "": account.ErrNotFound, "dwc_nobody": account.ErrNoClient} {
		_, err = f.keys.CreateAPIKey(f.Context(), keyRow(owner), event)
		f.wantError(err, want)
	}
}

func (f *keys) role(name string, scope ...string) {
	f.Helper()
	if _, err := f.store.CreateRole(f.Context(), name, scope, event); err != nil {
		f.Fatal(err)
	}
}

func testKeyCredential(f *keys) {
	f.role("editor", "orders:read", "orders:write")
	ada, orders := f.create(newRow("Ada", "editor")), f.client("orders")
	row := keyRow(ada.ID)
	row.Scope = doorward.Scope{"orders:read", "orders:write"}
	key, clients := f.add(row), f.add(keyRow(orders.ID))
	want := func(id string, scope doorward.Scope, disabled bool) {
		f.Helper()
		c, err := f.keys.APIKeyCredential(f.Context(), id)
		if err != nil || !slices.Equal(c.Scope, scope) || c.User.Disabled != disabled && c.Client.Disabled != disabled {
			f.Errorf("%+v, %v; want the scope %v, disabled %t", c, err, scope, disabled)
		}
	}
	want(key.ID, doorward.Scope{"orders:read", "orders:write"}, false)
	want(clients.ID, orders.Scope, false)
	if _, err := f.other().ChangeRole(f.Context(), "editor", nil, account.Change{Remove: []string{"orders:write"}}, event); err != nil {
		f.Fatal(err)
	}
	_, err := f.other().SetDisabled(f.Context(), ada.ID, true, event)
	_, other := f.other().SetClientDisabled(f.Context(), orders.ID, true, event)
	if err := errors.Join(err, other); err != nil {
		f.Fatal(err)
	}
	want(key.ID, doorward.Scope{"orders:read"}, true)
	want(clients.ID, orders.Scope, true)
}

func testKeyList(f *keys) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	var all, hers []string
	for range 3 {
		a, b := f.add(keyRow(ada.ID)), f.add(keyRow(bob.ID))
		all, hers = append(all, a.ID, b.ID), append(hers, a.ID)
	}
	for owner, want := range map[string][]string{"": all, ada.ID: hers, "u_nobody": nil} {
		slices.Sort(want)
		var got []string
		for q := (account.APIKeyQuery{Owner: owner, Limit: 2}); ; {
			page, err := f.keys.APIKeys(f.Context(), q)
			if err != nil || len(page) > 2 {
				f.Fatal(len(page), err)
			}
			if len(page) == 0 {
				break
			}
			for _, key := range page {
				got = append(got, key.ID)
			}
			q.After = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			f.Errorf("keys of %q: %v, want %v", owner, got, want)
		}
	}
}

func testKeyBound(f *keys) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	for range account.MaxAPIKeys - 5 {
		f.add(keyRow(ada.ID))
	}
	made := f.together(60, func(ctx context.Context, s Store) bool {
		_, err := s.(KeyStore).CreateAPIKey(ctx, keyRow(ada.ID), event)
		if err != nil && !errors.Is(err, account.ErrAPIKeyBounds) {
			f.Error(err)
		}
		return err == nil
	})
	if made != 5 {
		f.Errorf("%d keys more, want 5", made)
	}
	// One that is over makes room for another, and what is over is bounded too.
	first := f.add(keyRow(bob.ID))
	var over []account.APIKey
	for range account.MaxAPIKeys + 2 {
		key := f.add(keyRow(bob.ID))
		over = append(over, key)
		if _, err := f.keys.RevokeAPIKey(f.Context(), key.ID, "", event); err != nil {
			f.Fatal(err)
		}
	}
	f.add(keyRow(bob.ID))
	list, err := f.keys.APIKeys(f.Context(), account.APIKeyQuery{Owner: bob.ID, Limit: 1000})
	if err != nil || len(list) != account.MaxAPIKeys+2 {
		f.Errorf("%d keys are kept, want 2 that live and %d; %v", len(list), account.MaxAPIKeys, err)
	}
	kept := func(key account.APIKey) bool {
		return slices.ContainsFunc(list, func(k account.APIKey) bool { return k.ID == key.ID })
	}
	if !kept(first) {
		f.Error("a live key was dropped")
	}
	if over[0].CreatedAt.Before(over[1].CreatedAt) && kept(over[0]) || over[len(over)-2].CreatedAt.Before(over[len(over)-1].CreatedAt) && !kept(over[len(over)-1]) {
		f.Error("of those that are over the newest was dropped, and not the oldest")
	}
}

func testKeyUse(f *keys) {
	key := f.add(keyRow(f.create(newRow("Ada")).ID))
	use := func() time.Time {
		f.Helper()
		f.together(16, func(ctx context.Context, s Store) bool {
			if err := s.(KeyStore).UseAPIKey(ctx, key.ID); err != nil {
				f.Error(err)
			}
			return true
		})
		got, err := f.keys.APIKey(f.Context(), key.ID)
		if err != nil || got.UsedAt.IsZero() || time.Since(got.UsedAt).Abs() > time.Minute {
			f.Errorf("used at %v, %v", got.UsedAt, err)
		}
		return got.UsedAt
	}
	if first, second := use(), use(); !first.Equal(second) {
		f.Errorf("noted at %v and again at %v", first, second)
	}
	if err := f.keys.UseAPIKey(f.Context(), "dwk_nobody\x00"); err != nil {
		f.Error(err)
	}
}

func testKeyRevoke(f *keys) {
	ada := f.create(newRow("Ada"))
	key, kept, session := f.add(keyRow(ada.ID)), f.add(keyRow(ada.ID)), f.login(ada.ID)
	cut, err := f.keys.RevokeAPIKey(f.Context(), key.ID, ada.ID, event)
	if err != nil || cut.Kind != doorward.KindClient || cut.ID != key.ID || cut.Before <= session.ID || cut.ExpiresAt.Before(time.Now().Add(-time.Minute)) {
		f.Fatalf("%+v, %v", cut, err)
	}
	page, err := f.other().RevocationsSince(f.Context(), "")
	if err != nil || !containsCut(page.Entries, cut) {
		f.Errorf("the log has %v, want %v in it; %v", page.Entries, cut, err)
	}
	c, err := f.keys.APIKeyCredential(f.Context(), key.ID)
	if err != nil || c.Key.Live(c.Now) || c.Key.RevokedAt.IsZero() {
		f.Errorf("%+v, %v", c.Key, err)
	}
	got, err := f.keys.APIKey(f.Context(), kept.ID)
	f.wantKey(got, err, kept)
	f.wantLive(session)
	if epoch, err := f.keys.Epoch(f.Context(), key.ID); err != nil || epoch != 1 {
		f.Errorf("the epoch is %d, %v: a token in the making would live", epoch, err)
	}
}

func testKeyRevokeTwice(f *keys) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	key := f.add(keyRow(ada.ID))
	_, err := f.keys.RevokeAPIKey(f.Context(), key.ID, bob.ID, event)
	f.wantError(err, account.ErrNoAPIKey)
	got, err := f.keys.APIKey(f.Context(), key.ID)
	f.wantKey(got, err, key)
	if _, err := f.keys.RevokeAPIKey(f.Context(), key.ID, "", event); err != nil {
		f.Fatal(err)
	}
	was, err := f.keys.APIKey(f.Context(), key.ID)
	if err != nil {
		f.Fatal(err)
	}
	f.together(8, func(ctx context.Context, s Store) bool {
		cut, err := s.(KeyStore).RevokeAPIKey(ctx, key.ID, ada.ID, event)
		if err != nil || cut.Kind != "" {
			f.Errorf("again: %+v, %v", cut, err)
		}
		return true
	})
	got, err = f.keys.APIKey(f.Context(), key.ID)
	f.wantKey(got, err, was)
}

func testKeyRevokeAll(f *keys) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	var want []string
	for range 3 {
		want = append(want, f.add(keyRow(ada.ID)).ID)
	}
	kept, over := f.add(keyRow(bob.ID)), f.add(keyRow(ada.ID))
	if _, err := f.keys.RevokeAPIKey(f.Context(), over.ID, "", event); err != nil {
		f.Fatal(err)
	}
	cuts, err := f.other().RevokeAPIKeys(f.Context(), ada.ID, event)
	var got []string
	for _, cut := range cuts {
		got = append(got, cut.ID)
		if key, err := f.keys.APIKey(f.Context(), cut.ID); err != nil || key.RevokedAt.IsZero() || cut.Kind != doorward.KindClient {
			f.Errorf("%+v, %+v, %v", cut, key, err)
		}
	}
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		f.Errorf("ended %v, want %v; %v", got, want, err)
	}
	key, err := f.keys.APIKey(f.Context(), kept.ID)
	f.wantKey(key, err, kept)
	if cuts, err = f.keys.RevokeAPIKeys(f.Context(), ada.ID, event); err != nil || len(cuts) != 0 {
		f.Errorf("again: %v, %v", cuts, err)
	}
}

func testKeyOwnerGone(f *keys) {
	ada, orders := f.create(newRow("Ada")), f.client("orders")
	hers, its := f.add(keyRow(ada.ID)), f.add(keyRow(orders.ID))
	_, err := f.keys.DeleteUser(f.Context(), ada.ID, event)
	_, other := f.keys.DeleteClient(f.Context(), orders.ID, event)
	if err := errors.Join(err, other); err != nil {
		f.Fatal(err)
	}
	for _, id := range []string{hers.ID, its.ID} {
		_, err := f.keys.APIKey(f.Context(), id)
		f.wantError(err, account.ErrNoAPIKey)
		_, err = f.keys.APIKeyCredential(f.Context(), id)
		f.wantError(err, account.ErrNoAPIKey)
	}
}

func testNoKey(f *keys) {
	key := f.add(keyRow(f.create(newRow("Ada")).ID))
	for _, id := range []string{"", "dwk_", key.Name, key.Owner, strings.ToUpper(key.ID), key.ID + "\x00", "\xff", "' OR 1=1 --", "%"} {
		_, err := f.keys.APIKey(f.Context(), id)
		f.wantError(err, account.ErrNoAPIKey)
		_, err = f.keys.APIKeyCredential(f.Context(), id)
		f.wantError(err, account.ErrNoAPIKey)
		_, err = f.keys.RevokeAPIKey(f.Context(), id, "", event)
		f.wantError(err, account.ErrNoAPIKey)
		f.wantError(f.keys.UseAPIKey(f.Context(), id), nil)
	}
}
