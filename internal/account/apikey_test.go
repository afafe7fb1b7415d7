package account_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
)

const issuerURL = "https://api.example.com"

// keyStore counts what is asked and keeps what is recorded.
type keyStore struct {
	accounttest.KeyStore
	asked  int
	events []issuer.Event
	err    error  // of every question
	before func() // is called once, when a credential was read
	noted  atomic.Int64
}

func (s *keyStore) UseAPIKey(ctx context.Context, id string) error {
	s.noted.Add(1)
	return s.KeyStore.UseAPIKey(ctx, id)
}

func (s *keyStore) APIKey(ctx context.Context, id string) (account.APIKey, error) {
	s.asked++
	if s.err != nil {
		return account.APIKey{}, s.err
	}
	return s.KeyStore.APIKey(ctx, id)
}

func (s *keyStore) APIKeyCredential(ctx context.Context, id string) (account.APIKeyCredential, error) {
	c, err := s.KeyStore.APIKeyCredential(ctx, id)
	if do := s.before; do != nil {
		s.before = nil
		do()
	}
	return c, err
}

func (s *keyStore) Record(ctx context.Context, ev issuer.Event) error {
	s.events = append(s.events, ev)
	return s.KeyStore.Record(ctx, ev)
}

// keyWorld is a store of keys with an issuer.
type keyWorld struct {
	*world
	store *keyStore
	keys  *account.APIKeys
}

func newKeyWorld(t *testing.T) *keyWorld {
	t.Helper()
	w := worldIn(t, t.TempDir(), plain{})
	db := open(t, w.dir)
	store := &keyStore{KeyStore: db}
	return &keyWorld{world: w, store: store, keys: account.NewAPIKeys(account.APIKeysConfig{
		Store: store, Audiences: []string{issuerURL, "https://reports.example.com"}, Failures: quota.Limits{Each: 5, All: 20},
	})}
}

// key adds a key of ada, who has the scopes a and b, and the roles admin and editor.
func (w *keyWorld) key(n account.NewAPIKey) (account.User, account.APIKey, string) {
	w.Helper()
	u, err := w.people.ByName(w.Context(), "ada")
	if errors.Is(err, account.ErrNotFound) {
		if _, err := w.people.AddRole(w.Context(), "editor", []string{"a", "b"}, event); err != nil {
			w.Fatal(err)
		}
		w.add("root", "admin")
		u, err = w.add("ada", "admin", "editor"), nil
	}
	if err != nil {
		w.Fatal(err)
	}
	n.Owner, n.Name = u.ID, "key"
	key, text, err := w.keys.Add(w.Context(), n, event)
	if err != nil {
		w.Fatal(err)
	}
	return u, key, text
}

func (w *keyWorld) exchange(text string, req account.KeyRequest) (issuer.TokenSet, error) {
	req.Event = event
	return w.keys.Exchange(w.Context(), w.issuer, text, req)
}

// wantClaims verifies a token that a key was exchanged for.
func (w *keyWorld) wantClaims(set issuer.TokenSet, audience string) *doorward.Claims {
	w.Helper()
	c, err := w.verify(set, audience)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *keyWorld) verify(set issuer.TokenSet, audience string) (*doorward.Claims, error) {
	w.Helper()
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: audience, Keys: w.issuer.Keys(), Revocations: w.issuer.Revocations()})
	if err != nil {
		w.Fatal(err)
	}
	return v.Verify(w.Context(), set.AccessToken)
}

// refused wants a key to be refused for a reason.
func (w *keyWorld) refused(what, text, reason string) {
	w.Helper()
	w.store.events = nil
	account.ForgetFailures(w.keys)
	set, err := w.exchange(text, account.KeyRequest{})
	if !errors.Is(err, account.ErrAPIKey) || set.AccessToken != "" {
		w.Errorf("%s: %v, want ErrAPIKey", what, err)
	}
	if len(text) > 60 && strings.Contains(fmt.Sprintf("%+v", err), text[21:64]) {
		w.Errorf("%s: the error repeats the key", what)
	}
	told := map[string]string{"unknown_key": "reason", "wrong_key": "reason api_key_id"}
	if got := names(cause.Attrs(err)); got != cmp.Or(told[reason], "reason api_key_id sub") {
		w.Errorf("%s: the log is told %s", what, got)
	}
	if len(w.store.events) != 1 || w.store.events[0].Kind != account.EventAPIKeyFailed || w.store.events[0].Reason != reason {
		w.Errorf("%s: recorded %+v, want the reason %s", what, w.store.events, reason)
	}
}

func names(attrs []slog.Attr) string {
	list := make([]string, len(attrs))
	for i, a := range attrs {
		list[i] = a.Key
	}
	return strings.Join(list, " ")
}

// A token has what the key and its owner have both, and says whose it is and by which key.
func TestAPIKeyExchange(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	ada, key, text := w.key(account.NewAPIKey{Scope: doorward.Scope{"a", "b"}})
	set, err := w.exchange(text, account.KeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c := w.wantClaims(set, issuerURL)
	if c.Subject != ada.ID || c.ClientID != key.ID || c.Scope.String() != "a b" || len(c.Roles) > 0 || !c.AuthTime.IsZero() || set.RefreshToken != "" {
		t.Errorf("%+v", c)
	}
	if set, err = w.exchange(text, account.KeyRequest{Scope: doorward.Scope{"b"}, Audience: "https://reports.example.com"}); err != nil {
		t.Fatal(err)
	}
	if c = w.wantClaims(set, "https://reports.example.com"); c.Scope.String() != "b" {
		t.Errorf("%+v", c)
	}
	// The owner loses a scope, and so does the key.
	if _, _, err := w.people.SetRole(t.Context(), "editor", nil, account.Change{Remove: []string{"b"}}, false, event); err != nil {
		t.Fatal(err)
	}
	if set, err = w.exchange(text, account.KeyRequest{}); err != nil || w.wantClaims(set, issuerURL).Scope.String() != "a" {
		t.Errorf("%v, %v", set.Scope, err)
	}
	_, err = w.exchange(text, account.KeyRequest{Scope: doorward.Scope{"b"}})
	w.wantError(err, issuer.ErrScope)
	_, err = w.exchange(text, account.KeyRequest{Audience: "https://other.example.com"})
	w.wantError(err, issuer.ErrAudience)

	now := w.keys
	w.keys = account.NewAPIKeys(account.APIKeysConfig{Store: w.store, Audiences: []string{"https://reports.example.com", "https://gone.example.com"}})
	_, _, gone := w.key(account.NewAPIKey{Everything: true, Audiences: []string{"https://gone.example.com"}})
	_, _, text = w.key(account.NewAPIKey{Everything: true, Audiences: []string{"https://reports.example.com", "https://gone.example.com"}})
	w.keys = now
	if set, err = w.exchange(text, account.KeyRequest{}); err != nil {
		t.Fatal(err)
	}
	if c = w.wantClaims(set, "https://reports.example.com"); c.Scope.String() != "a" || !slices.Equal(c.Roles, []string{"editor"}) {
		t.Errorf("%+v, want the roles without admin", c)
	}
	for _, audience := range []string{issuerURL, "https://gone.example.com"} {
		_, err = w.exchange(text, account.KeyRequest{Audience: audience})
		w.wantError(err, issuer.ErrAudience)
	}
	_, err = w.exchange(gone, account.KeyRequest{})
	w.wantError(err, issuer.ErrAudience)
}

// The key of a client acts for the client.
func TestAPIKeyOfClient(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	clients := account.NewClients(account.ClientsConfig{Store: w.store})
	for _, tt := range []struct {
		audiences []string
		want      string
	}{
		{nil, issuerURL},
		{[]string{"https://b.example.com"}, "https://b.example.com"},
	} {
		client, _, err := clients.Add(t.Context(), account.NewClient{Name: fmt.Sprint("c", len(tt.audiences)), Scope: doorward.Scope{"x"}, Audiences: tt.audiences}, event)
		if err != nil {
			t.Fatal(err)
		}
		key, text, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: client.ID, Name: "k", Scope: doorward.Scope{"x"}}, event)
		if err != nil {
			t.Fatal(err)
		}
		set, err := w.exchange(text, account.KeyRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if c := w.wantClaims(set, tt.want); c.Subject != client.ID || c.ClientID != key.ID || c.Scope.String() != "x" {
			t.Errorf("%+v", c)
		}
		for _, audience := range []string{issuerURL, "https://b.example.com", "https://reports.example.com"} {
			var wantErr error
			if audience != tt.want {
				wantErr = issuer.ErrAudience
			}
			_, _, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: client.ID, Name: "k", Audiences: []string{audience}}, event)
			w.wantError(err, wantErr)
		}
		if _, err := clients.SetDisabled(t.Context(), client.ID, true, event); err != nil {
			t.Fatal(err)
		}
		w.refused("disabled", text, "owner_disabled")
		if _, err := clients.SetDisabled(t.Context(), client.ID, false, event); err != nil {
			t.Fatal(err)
		}
		if _, err = w.exchange(text, account.KeyRequest{}); err != nil {
			t.Errorf("enabled again: %v", err)
		}
		if _, err := clients.Remove(t.Context(), client.ID, event); err != nil {
			t.Fatal(err)
		}
		w.refused("removed", text, "unknown_key")
	}
}

// What is no key, or is over, is refused with one error, and why is on record.
func TestAPIKeyRefused(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	ada, key, text := w.key(account.NewAPIKey{Scope: doorward.Scope{"a"}})
	_, stranger := account.NewAPIKeyText()
	w.refused("unknown", stranger, "unknown_key")
	w.refused("another secret", account.WithSecretOf(text, stranger), "wrong_key")
	if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
		t.Fatalf("the right one afterwards: %v", err)
	}
	if _, err := w.people.Disable(t.Context(), ada.ID, event); err != nil {
		t.Fatal(err)
	}
	w.refused("disabled", text, "owner_disabled")
	if err := w.people.Enable(t.Context(), ada.ID, event); err != nil {
		t.Fatal(err)
	}
	if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
		t.Fatalf("enabled again: %v", err)
	}
	if _, err := w.keys.Revoke(t.Context(), key.ID, "", event); err != nil {
		t.Fatal(err)
	}
	w.refused("revoked", text, "revoked")
	_, _, text = w.key(account.NewAPIKey{})
	if _, err := w.people.Delete(t.Context(), ada.ID, event); err != nil {
		t.Fatal(err)
	}
	w.refused("deleted", text, "unknown_key")

	asked := w.store.asked
	for _, text := range []string{"", "dwk_", stranger[:70], stranger + "x", stranger[:69] + "!!", strings.Repeat("dwk_", 1000)} {
		if _, err := w.exchange(text, account.KeyRequest{}); !errors.Is(err, account.ErrAPIKey) || !errors.Is(err, account.ErrAPIKeyForm) && !errors.Is(err, account.ErrAPIKeySum) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	if w.store.asked != asked {
		t.Error("the store was asked about what has not the form of a key")
	}
}

// A caller who goes away once the key was looked at is on record like one who stays.
func TestAPIKeyGoneCallerIsOnRecord(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, _, text := w.key(account.NewAPIKey{})
	_, stranger := account.NewAPIKeyText()
	ctx, leave := context.WithCancel(t.Context())
	w.store.before = leave
	_, err := w.keys.Exchange(ctx, w.issuer, account.WithSecretOf(text, stranger), account.KeyRequest{Event: event})
	w.wantError(err, account.ErrAPIKey)
	if len(w.store.events) != 1 || w.store.events[0].Reason != "wrong_key" {
		t.Errorf("recorded %+v, want the wrong key", w.store.events)
	}
}

// What ends while a token is made ends that token: the key, or its owner. What ends only
// the owner's sessions lets the key begin anew.
func TestAPIKeyRaces(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	for _, tt := range []struct {
		name    string
		end     func(u account.User, key account.APIKey) error
		wantErr error
	}{
		{"revoked", func(_ account.User, key account.APIKey) error {
			_, err := w.keys.Revoke(t.Context(), key.ID, "", event)
			return err
		}, account.ErrAPIKey},
		{"logged out everywhere", func(u account.User, _ account.APIKey) error {
			return w.issuer.RevokeSubject(t.Context(), u.ID, event)
		}, nil},
		{"password changed", func(u account.User, _ account.APIKey) error {
			cut, err := w.people.SetPassword(t.Context(), u.ID, other, false, event)
			w.issuer.Apply(cut)
			return err
		}, nil},
		{"disabled", func(u account.User, _ account.APIKey) error {
			_, err := w.people.Disable(t.Context(), u.ID, event)
			return err
		}, account.ErrAPIKey},
	} {
		u, key, text := w.key(account.NewAPIKey{Scope: doorward.Scope{"a"}})
		w.store.before = func() {
			if err := tt.end(u, key); err != nil {
				t.Fatal(tt.name, err)
			}
		}
		set, err := w.exchange(text, account.KeyRequest{})
		if !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if err == nil {
			w.wantClaims(set, issuerURL)
		}
	}
}

// A token that was made before its key is revoked is refused, and others go on.
func TestAPIKeyRevoked(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	ada, key, text := w.key(account.NewAPIKey{})
	_, kept, other := w.key(account.NewAPIKey{})
	ended, err := w.exchange(text, account.KeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	alive, err := w.exchange(other, account.KeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := w.keys.Revoke(t.Context(), key.ID, ada.ID, event)
	if err != nil {
		t.Fatal(err)
	}
	w.issuer.Apply(cut)
	_, err = w.verify(ended, issuerURL)
	w.wantError(err, doorward.ErrRevoked)
	w.wantClaims(alive, issuerURL)
	cuts, err := w.keys.RevokeAll(t.Context(), ada.ID, event)
	if err != nil || len(cuts) != 1 || cuts[0].ID != kept.ID {
		t.Fatal(cuts, err)
	}
	w.issuer.Apply(cuts...)
	_, err = w.verify(alive, issuerURL)
	w.wantError(err, doorward.ErrRevoked)
}

// Wrong keys are limited by network and in all, and a key that was accepted before is not.
func TestAPIKeyBudget_Attack_E06(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, _, known := w.key(account.NewAPIKey{})
	_, _, fresh := w.key(account.NewAPIKey{})
	near, far := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	if _, err := w.exchange(known, account.KeyRequest{Network: near}); err != nil {
		t.Fatal(err)
	}
	refused := map[error]int{}
	asked := w.store.asked
	const flood = 10_000
	for range flood {
		_, text := account.NewAPIKeyText()
		_, err := w.exchange(text, account.KeyRequest{Network: near})
		for _, want := range []error{account.ErrAPIKey, account.ErrAPIKeyThrottled} {
			if errors.Is(err, want) {
				refused[want]++
			}
		}
	}
	if refused[account.ErrAPIKey] != 5 || refused[account.ErrAPIKeyThrottled] != flood-5 || w.store.asked != asked+5 || len(w.store.events) != 1 {
		t.Errorf("%v, asked %d times, recorded %+v", refused, w.store.asked-asked, w.store.events)
	}
	if _, err := w.exchange(known, account.KeyRequest{Network: near}); err != nil {
		t.Errorf("a known key from the same network: %v", err)
	}
	_, err := w.exchange(fresh, account.KeyRequest{Network: near})
	w.wantError(err, account.ErrAPIKeyThrottled)
	for range 3 { // Each gives back what it took.
		if _, err := w.exchange(fresh, account.KeyRequest{Network: far}); err != nil {
			t.Errorf("from another network: %v", err)
		}
	}
	// One that was accepted and has ended is like any other that is none.
	if _, err := w.keys.Revoke(t.Context(), known[:20], "", event); err != nil {
		t.Fatal(err)
	}
	third, throttled := netip.MustParsePrefix("203.0.113.0/24"), 0
	for range 10 {
		if _, err := w.exchange(known, account.KeyRequest{Network: third}); errors.Is(err, account.ErrAPIKeyThrottled) {
			throttled++
		}
	}
	if throttled != 4 { // the first still counts for known, and then 5
		t.Errorf("%d of 10 are not looked at", throttled)
	}
	list, err := w.keys.List(t.Context(), account.APIKeyQuery{})
	if err != nil || len(list) != 2 {
		t.Errorf("%d keys, %v", len(list), err)
	}
}

// One key is exchanged so often in a minute, and at nobody else's expense. Nobody who knows its ID alone uses that up.
func TestAPIKeyPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newKeyWorld(t)
		_, _, text := w.key(account.NewAPIKey{})
		_, _, another := w.key(account.NewAPIKey{})
		_, stranger := account.NewAPIKeyText()
		for range account.ExchangeLimit + 1 { // The first is not known yet.
			if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.exchange(account.WithSecretOf(text, stranger), account.KeyRequest{}); !errors.Is(err, account.ErrAPIKey) && !errors.Is(err, account.ErrAPIKeyThrottled) {
				t.Fatal(err)
			}
		}
		_, err := w.exchange(text, account.KeyRequest{})
		w.wantError(err, account.ErrAPIKeyThrottled)
		time.Sleep(time.Minute)
		for _, text := range []string{text, another} {
			if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		}
	})
}

// A key that is good, and is asked for what it never had, asks the store no more often than any other.
func TestAPIKeyPaceInVain_Attack_E06(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		req  account.KeyRequest
		want error
	}{
		"scope":    {account.KeyRequest{Scope: doorward.Scope{"none"}}, issuer.ErrScope},
		"audience": {account.KeyRequest{Audience: "https://other.example.com"}, issuer.ErrAudience},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newKeyWorld(t)
			_, _, text := w.key(account.NewAPIKey{})
			for range account.ExchangeLimit + 1 { // The first is not known yet.
				if _, err := w.exchange(text, in.req); !errors.Is(err, in.want) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			_, err := w.exchange(text, in.req)
			w.wantError(err, account.ErrAPIKeyThrottled)
		})
	}
}

// While the store is down nothing is decided, and nothing counts.
func TestAPIKeyStoreDown(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, _, text := w.key(account.NewAPIKey{})
	w.store.err = issuer.ErrUnavailable
	for range 30 {
		_, err := w.exchange(text, account.KeyRequest{})
		if !errors.Is(err, issuer.ErrUnavailable) || errors.Is(err, account.ErrAPIKey) {
			t.Fatalf("%v", err)
		}
	}
	w.store.err = nil
	if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
		t.Error(err)
	}
}

func TestAPIKeyAddRefuses(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	u := w.add("ada")
	_, _, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: "dwc_nobody", Name: "k", Audiences: []string{issuerURL}}, event)
	w.wantError(err, account.ErrNoClient)
	for _, tt := range []struct {
		name    string
		n       account.NewAPIKey
		wantErr error
	}{
		{"no name", account.NewAPIKey{Name: "-"}, nil},
		{"empty name", account.NewAPIKey{}, account.ErrAPIKeyName},
		{"name with a line feed", account.NewAPIKey{Name: "a\nb"}, account.ErrAPIKeyName},
		{"name in another direction", account.NewAPIKey{Name: "a\u202eb"}, account.ErrAPIKeyName},
		{"name is no text", account.NewAPIKey{Name: "a\xff"}, account.ErrAPIKeyName},
		{"name with space around it", account.NewAPIKey{Name: " a"}, account.ErrAPIKeyName},
		{"long name", account.NewAPIKey{Name: strings.Repeat("ä", 65)}, account.ErrAPIKeyName},
		{"a name of 64", account.NewAPIKey{Name: strings.Repeat("ä", 64)}, nil},
		{"a scope that is none", account.NewAPIKey{Name: "a", Scope: doorward.Scope{`a"b`}}, account.ErrAPIKeyGrant},
		{"two scopes in one", account.NewAPIKey{Name: "a", Scope: doorward.Scope{"a b"}}, account.ErrAPIKeyGrant},
		{"scope and everything", account.NewAPIKey{Name: "a", Scope: doorward.Scope{"a"}, Everything: true}, account.ErrAPIKeyGrant},
		{"an audience in another direction", account.NewAPIKey{Name: "a", Audiences: []string{"a\u202eb"}}, account.ErrAPIKeyGrant},
		{"an audience that is two", account.NewAPIKey{Name: "a", Audiences: []string{"a b"}}, account.ErrAPIKeyGrant},
		{"no audience of this issuer", account.NewAPIKey{Name: "a", Audiences: []string{issuerURL, "nope"}}, issuer.ErrAudience},
		{"an audience", account.NewAPIKey{Name: "a", Audiences: []string{"https://reports.example.com"}}, nil},
		{"a scope that nobody has", account.NewAPIKey{Name: "a", Scope: doorward.Scope{"a"}}, account.ErrAPIKeyScope},
		{"too short", account.NewAPIKey{Name: "a", Lifetime: time.Minute - 1}, account.ErrAPIKeyLifetime},
		{"negative", account.NewAPIKey{Name: "a", Lifetime: -time.Hour}, account.ErrAPIKeyLifetime},
		{"too long", account.NewAPIKey{Name: "a", Lifetime: account.MaxAPIKeyLifetime + 1}, account.ErrAPIKeyLifetime},
		{"the longest", account.NewAPIKey{Name: "a", Lifetime: account.MaxAPIKeyLifetime}, nil},
		{"never and then", account.NewAPIKey{Name: "a", Lifetime: time.Hour, NeverExpires: true}, account.ErrAPIKeyLifetime},
		{"never", account.NewAPIKey{Name: "a", NeverExpires: true}, nil},
	} {
		tt.n.Owner = u.ID
		key, text, err := w.keys.Add(t.Context(), tt.n, event)
		if !errors.Is(err, tt.wantErr) || (err == nil) != strings.HasPrefix(text, "dwk_") {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if err == nil && key.ExpiresAt.IsZero() != tt.n.NeverExpires {
			t.Errorf("%s: expires %v", tt.name, key.ExpiresAt)
		}
	}
}

// A key works until the second before it expires by the store's clock and no further, its tokens
// end with it, and its use is noted once an hour.
func TestAPIKeyExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newKeyWorld(t)
		_, key, text := w.key(account.NewAPIKey{Lifetime: 2 * time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		go w.keys.Run(ctx)
		late, err := w.people.Add(t.Context(), account.NewUser{Name: "late", Password: right, MustChange: true, Lifetime: time.Hour}, event)
		if err != nil {
			t.Fatal(err)
		}
		_, lates, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: late.ID, Name: "k"}, event)
		if err != nil {
			t.Fatal(err)
		}
		const soon = time.Second // in which a use is noted
		use := func(text string) time.Time {
			t.Helper()
			if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(soon)
			key, err := w.keys.Find(t.Context(), key.ID)
			if err != nil {
				t.Fatal(err)
			}
			return key.UsedAt
		}
		use(lates)
		first := use(text)
		if ago := time.Since(first); ago < 0 || ago > soon {
			t.Errorf("used %v ago", ago)
		}
		time.Sleep(time.Hour - time.Minute)
		if again := use(text); !again.Equal(first) || w.store.noted.Load() != 2 { // once for each key
			t.Errorf("noted again within the hour: %v, %d times in all", again, w.store.noted.Load())
		}
		time.Sleep(time.Minute)
		if again := use(text); again.Sub(first) < time.Hour || time.Since(again) > soon {
			t.Errorf("noted at %v, an hour after %v", again, first)
		}
		time.Sleep(time.Until(key.ExpiresAt) - time.Minute)
		set, err := w.exchange(text, account.KeyRequest{})
		if err != nil || set.ExpiresIn > time.Minute {
			t.Errorf("a token that outlives its key: %v, %v", set.ExpiresIn, err)
		}
		time.Sleep(time.Until(key.ExpiresAt) - time.Second - time.Millisecond)
		if _, err := w.exchange(text, account.KeyRequest{}); err != nil {
			t.Errorf("just before it expires: %v", err)
		}
		time.Sleep(time.Until(key.ExpiresAt))
		w.refused("expired", text, "expired")
		w.refused("the owner's first password has expired", lates, "owner_disabled")
		stop()
		synctest.Wait()
	})
}

// Inspecting says why a key is refused, shows it for all of its text alone, and leaves no trace.
func TestAPIKeyInspect(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, key, text := w.key(account.NewAPIKey{Scope: doorward.Scope{"a"}})
	_, _, other := w.key(account.NewAPIKey{Scope: doorward.Scope{"a"}})
	_, unknown := account.NewAPIKeyText()
	w.store.events = nil
	inspect := func(name, text, id, reason string) {
		t.Helper()
		got, why, err := w.keys.Inspect(t.Context(), text)
		if err != nil || got.ID != id || why == nil != (reason == "") || why != nil && !strings.HasSuffix(why.Error(), reason) {
			t.Errorf("%s: %+v, %v, %v; want %q", name, got, why, err, reason)
		}
	}
	inspect("a good key", text, key.ID, "")
	inspect("a secret of another key", account.WithSecretOf(text, other), "", "an API key of this ID has another secret")
	inspect("an unknown key", unknown, "", "no such API key")
	inspect("another checksum", text[:len(text)-6]+"000000", "", "the checksum of the API key is wrong")
	inspect("no key", "dwk_", "", "not the form of an API key")
	if _, err := w.keys.Revoke(t.Context(), key.ID, "", event); err != nil {
		t.Fatal(err)
	}
	inspect("a revoked key", text, key.ID, "the API key was revoked")
	for _, ev := range w.store.events {
		t.Errorf("recorded %+v", ev)
	}
	if w.store.noted.Load() > 0 {
		t.Error("looking at a key is noted as a use")
	}
}
