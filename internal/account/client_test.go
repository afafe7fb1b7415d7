package account_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// clientStore counts what is asked and keeps what is recorded.
type clientStore struct {
	account.ClientStore
	asked  int
	events []issuer.Event
	err    error  // of every question
	leave  func() // is called when a credential was read
}

func (s *clientStore) ClientCredential(ctx context.Context, id string) (account.ClientCredential, error) {
	s.asked++
	if s.err != nil {
		return account.ClientCredential{}, s.err
	}
	c, err := s.ClientStore.ClientCredential(ctx, id)
	if s.leave != nil {
		s.leave()
	}
	return c, err
}

func (s *clientStore) Record(ctx context.Context, ev issuer.Event) error {
	s.events = append(s.events, ev)
	return s.ClientStore.Record(ctx, ev)
}

// busyStore is one to which somebody else writes: it keeps for how long it would have waited.
type busyStore struct {
	account.ClientStore
	waits time.Duration // the greatest Duration: for ever
}

func (s *busyStore) UseClientSecret(ctx context.Context, _ string, _ account.SecretDigest) error {
	s.waits = math.MaxInt64
	if end, ok := ctx.Deadline(); ok {
		s.waits = time.Until(end)
	}
	return context.DeadlineExceeded
}

// A client is let in also while the use of its secret cannot be noted, and waits no longer than a second for it.
func TestClientAuthenticateBeside(t *testing.T) {
	t.Parallel()
	store := &busyStore{ClientStore: open(t, t.TempDir())}
	c := account.NewClients(account.ClientsConfig{Store: store})
	orders, secret := addClient(t, c, "orders")
	if _, err := c.Authenticate(t.Context(), orders.ID, secret, netip.Prefix{}, event); err != nil {
		t.Error(err)
	}
	if store.waits == 0 || store.waits > time.Second {
		t.Errorf("it waits %v", store.waits)
	}
}

func newClients(t *testing.T) (*account.Clients, *clientStore) {
	t.Helper()
	store := &clientStore{ClientStore: open(t, t.TempDir())}
	return account.NewClients(account.ClientsConfig{Store: store}), store
}

func addClient(t *testing.T, c *account.Clients, name string) (account.Client, string) {
	t.Helper()
	client, secret, err := c.Add(t.Context(), account.NewClient{Name: name, Scope: doorward.Scope{account.ScopeRevocations}}, event)
	if err != nil {
		t.Fatal(err)
	}
	return client, secret
}

func TestClientAuthenticate(t *testing.T) {
	t.Parallel()
	c, store := newClients(t)
	orders, secret := addClient(t, c, "orders")
	_, other := addClient(t, c, "other")
	if !strings.HasPrefix(orders.ID, "dwc_") || len(orders.ID) < 24 || !strings.HasPrefix(secret, "dws_") || len(secret) != 47 || secret == other {
		t.Errorf("%q %d", orders.ID, len(secret))
	}
	for _, tt := range []struct {
		name, id, secret string
		wantErr          error
	}{
		{"right", orders.ID, secret, nil},
		{"secret of another", orders.ID, other, account.ErrClient},
		{"no secret", orders.ID, "", account.ErrClient},
		{"secret cut short", orders.ID, secret[:46], account.ErrClient},
		{"secret without its prefix", orders.ID, secret[4:], account.ErrClient},
		{"unknown", "dwc_unknown", secret, account.ErrNoClient},
		{"the name is no ID", "orders", secret, account.ErrNoClient},
		{"nothing", "", "", account.ErrNoClient},
		{"hostile", "dwc_\x00\xff", secret, account.ErrNoClient},
	} {
		got, err := c.Authenticate(t.Context(), tt.id, tt.secret, netip.Prefix{}, event)
		if !errors.Is(err, tt.wantErr) || (tt.wantErr != nil) != errors.Is(err, account.ErrClient) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.wantErr)
		}
		if err != nil && (got.ID != "" || strings.Contains(fmt.Sprintf("%+v", err), secret)) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		if err == nil && !got.Scope.Has(account.ScopeRevocations) {
			t.Errorf("%s: scope %v", tt.name, got.Scope)
		}
	}
	if len(store.events) != 1 || store.events[0].Kind != account.EventClientFailed || store.events[0].Subject != orders.ID ||
		store.events[0].Reason != "wrong_secret" || store.events[0].Address != event.Address {
		t.Errorf("recorded %+v, want the first failure alone", store.events)
	}
	store.err = errors.New("down")
	if _, err := c.Authenticate(t.Context(), orders.ID, secret, netip.Prefix{}, event); !errors.Is(err, store.err) || errors.Is(err, account.ErrClient) {
		t.Errorf("while the store is down: %v", err)
	}
}

func TestClientDisabledAtOnce(t *testing.T) {
	t.Parallel()
	c, _ := newClients(t)
	orders, secret := addClient(t, c, "orders")
	enter := func(want error) {
		t.Helper()
		if _, err := c.Authenticate(t.Context(), orders.ID, secret, netip.Prefix{}, event); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	enter(nil)
	for _, step := range []struct {
		disabled bool
		want     error
	}{{true, account.ErrDisabled}, {false, nil}} {
		if _, err := c.SetDisabled(t.Context(), orders.ID, step.disabled, event); err != nil {
			t.Fatal(err)
		}
		enter(step.want)
	}
	if _, err := c.Remove(t.Context(), orders.ID, event); err != nil {
		t.Fatal(err)
	}
	enter(account.ErrNoClient)
}

// Standard_O17 Standard_O18: a secret has 256 random bits, and the database has no more of it than a digest.
func TestClientSecretAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := account.NewClients(account.ClientsConfig{Store: open(t, dir)})
	client, secret := addClient(t, c, "orders")
	_, second, err := c.Rotate(t.Context(), client.ID, 0, event)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(text, []byte(client.ID))
		for _, s := range []string{secret, second} {
			raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, account.ClientSecretPrefix))
			if err != nil || len(raw) != 32 {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
			if bytes.Contains(text, []byte(s[4:])) || bytes.Contains(text, raw) {
				t.Errorf("%s holds a secret", filepath.Base(file))
			}
		}
	}
	if !found {
		t.Error("no file holds the client: the wrong ones were read")
	}
}

// Both secrets of a client let it in, until one is dropped: the old one by that word, whichever it is.
func TestClientRotate(t *testing.T) {
	t.Parallel()
	c, _ := newClients(t)
	orders, first := addClient(t, c, "orders")
	enter := func(name, secret string, want error) {
		t.Helper()
		if _, err := c.Authenticate(t.Context(), orders.ID, secret, netip.Prefix{}, event); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
	}
	if _, err := c.DropSecret(t.Context(), orders.ID, account.OldSecret, event); !errors.Is(err, account.ErrLastSecret) {
		t.Errorf("the only secret: %v", err)
	}
	got, second, err := c.Rotate(t.Context(), orders.ID, 0, event)
	if err != nil || second == first || len(second) != len(first) || len(got.Secrets) != 2 {
		t.Fatal(got, err)
	}
	enter("first", first, nil)
	enter("second", second, nil)
	enter("first", first, nil)
	if _, _, err := c.Rotate(t.Context(), orders.ID, 0, event); !errors.Is(err, account.ErrClientSecrets) {
		t.Errorf("a third: %v", err)
	}
	if got, err = c.DropSecret(t.Context(), orders.ID, account.OldSecret, event); err != nil || len(got.Secrets) != 1 {
		t.Fatal(got, err)
	}
	enter("first, dropped", first, account.ErrClient)
	enter("second", second, nil)
	_, third, err := c.Rotate(t.Context(), orders.ID, 0, event)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.DropSecret(t.Context(), orders.ID, account.SecretDigest(sha256.Sum256([]byte(third))).ID(), event); err != nil {
		t.Fatal(err)
	}
	enter("third, dropped", third, account.ErrClient)
	enter("second", second, nil)
	for _, secret := range got.Secrets {
		if secret.UsedAt.IsZero() || strings.Contains(second, secret.ID) {
			t.Errorf("%+v", secret)
		}
	}
	if _, _, err := c.Rotate(t.Context(), "dwc_nobody", 0, event); !errors.Is(err, account.ErrNoClient) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := c.DropSecret(t.Context(), "dwc_nobody", account.OldSecret, event); !errors.Is(err, account.ErrNoClient) {
		t.Errorf("nobody: %v", err)
	}
}

// A client that goes away once its secret was looked at is on record like one that stays.
func TestClientGoneIsOnRecord(t *testing.T) {
	t.Parallel()
	c, store := newClients(t)
	orders, _ := addClient(t, c, "orders")
	ctx, leave := context.WithCancel(t.Context())
	store.events, store.leave = nil, leave
	if _, err := c.Authenticate(ctx, orders.ID, "dws_wrong", netip.Prefix{}, event); !errors.Is(err, account.ErrClient) {
		t.Errorf("%v, want ErrClient", err)
	}
	if len(store.events) != 1 || store.events[0].Reason != "wrong_secret" {
		t.Errorf("recorded %+v, want the wrong secret", store.events)
	}
}

// Attack_H08: wrong credentials cost the store nothing beyond a budget of their network, which holds in fixed
// memory however many networks there are, and which never keeps a client out that was let in before.
func TestAttack_H08_ClientFailures(t *testing.T) {
	t.Parallel()
	c, store := newClients(t)
	orders, secret := addClient(t, c, "orders")
	late, lateSecret := addClient(t, c, "late")
	try := func(id, secret, address string) error {
		network := netip.Prefix{}
		if ip, err := netip.ParseAddr(address); err == nil {
			network = netip.PrefixFrom(ip, 48).Masked()
		}
		_, err := c.Authenticate(t.Context(), id, secret, network, issuer.Event{Address: address})
		return err
	}
	if err := try(orders.ID, secret, "2001:db8::1"); err != nil {
		t.Fatal(err)
	}
	_, second, err := c.Rotate(t.Context(), orders.ID, time.Hour, event)
	if err != nil {
		t.Fatal(err)
	}
	if err := try(orders.ID, second, "2001:db8::1"); err != nil {
		t.Fatal(err)
	}
	store.asked = 0
	for i := range 1000 { // one /48
		err := try(orders.ID, "dws_wrong", fmt.Sprintf("2001:db8::%x", i))
		want := account.ErrClient
		if i >= account.ClientFailureLimit {
			want = account.ErrClientThrottled
		}
		if !errors.Is(err, want) {
			t.Fatalf("try %d: %v, want %v", i, err, want)
		}
	}
	if store.asked != account.ClientFailureLimit {
		t.Errorf("the store was asked %d times, want %d", store.asked, account.ClientFailureLimit)
	}
	const elsewhere = "2001:db8:1::1"
	for _, tt := range []struct {
		name, id, secret, address string
		want                      error
	}{
		{"let in before", orders.ID, secret, "2001:db8::1", nil},
		{"never let in, from the same network", late.ID, lateSecret, "2001:db8::ffff", account.ErrClientThrottled},
		{"never let in, from another network", late.ID, lateSecret, elsewhere, nil},
		{"let in by now", late.ID, lateSecret, "2001:db8::ffff", nil},
		{"somebody else with its ID, from another network", orders.ID, "dws_wrong", "2001:db8:2::1", account.ErrClient},
		{"let in before, after that", orders.ID, secret, "2001:db8::1", nil},
		{"let in before, with another secret", late.ID, "dws_wrong", "2001:db8::1", account.ErrClientThrottled},
	} {
		if err := try(tt.id, tt.secret, tt.address); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	// Behind a proxy that hides its clients there is no network, but the limit of all.
	for i := range account.ClientFailureAll {
		want := account.ErrClient
		if i >= account.ClientFailureAll-account.ClientFailureLimit-1 { // those counted so far
			want = account.ErrClientThrottled
		}
		if err := try("dwc_nobody", "dws_wrong", ""); !errors.Is(err, want) {
			t.Fatalf("try %d of nowhere: %v, want %v", i, err, want)
		}
	}
	if err := try(orders.ID, secret, "2001:db8::1"); err != nil {
		t.Errorf("let in before, while all are limited: %v", err)
	}
	if _, err := c.DropSecret(t.Context(), orders.ID, account.OldSecret, event); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, secret string
		want         error
	}{
		{"a secret that was dropped", secret, account.ErrClient},
		{"from then on like any other", secret, account.ErrClientThrottled},
		{"the other one", second, nil},
	} {
		if err := try(orders.ID, tt.secret, "2001:db8::1"); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestClientAddRefuses(t *testing.T) {
	t.Parallel()
	c, _ := newClients(t)
	addClient(t, c, "orders")
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("w%d", i)
	}
	for _, tt := range []struct {
		n       account.NewClient
		wantErr error
	}{
		{account.NewClient{Name: ""}, account.ErrClientName},
		{account.NewClient{Name: "Orders"}, account.ErrClientName},
		{account.NewClient{Name: "a b"}, account.ErrClientName},
		{account.NewClient{Name: "dwc_a"}, account.ErrClientName},
		{account.NewClient{Name: "u_" + strings.Repeat("a", 26)}, account.ErrClientName},
		{account.NewClient{Name: "dwk_" + strings.Repeat("a", 16)}, account.ErrClientName},
		{account.NewClient{Name: strings.Repeat("a", 65)}, account.ErrClientName},
		{account.NewClient{Name: "orders"}, account.ErrNameTaken},
		{account.NewClient{Name: "a", Scope: doorward.Scope{"a b"}}, account.ErrClientGrant},
		{account.NewClient{Name: "b", Scope: doorward.Scope{`a"b`}}, account.ErrClientGrant},
		{account.NewClient{Name: "b", Scope: doorward.Scope{""}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Scope: many}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: many}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{"a b"}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{""}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{"\u00a0"}}, account.ErrClientGrant}, // read back it would be none, which means all
		{account.NewClient{Name: "c", Audiences: []string{"a\u2003b"}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{"a\u202eb"}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{"a\u009b31m"}}, account.ErrClientGrant}, // begins a command to a terminal
		{account.NewClient{Name: "c", Audiences: []string{"a\xff"}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Audiences: []string{strings.Repeat("a", 1025)}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Scope: doorward.Scope{strings.Repeat("a", account.MaxScope+1)}}, account.ErrClientGrant},
		{account.NewClient{Name: "c", Scope: doorward.Scope{strings.Repeat("a", account.MaxScope-1), "b"}}, account.ErrClientGrant},
	} {
		if _, secret, err := c.Add(t.Context(), tt.n, event); !errors.Is(err, tt.wantErr) || (err == nil) == (secret == "") {
			t.Errorf("%+v: %v, want %v", tt.n, err, tt.wantErr)
		}
	}
}
