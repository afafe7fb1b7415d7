package apikey_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const issuerURL = "https://auth.example"

// watched is a store that counts what is asked of it about keys, and can be down.
type watched struct {
	sqlstoretest.Whole
	asked atomic.Int64
	down  atomic.Bool
	hold  chan struct{} // if not nil, every question waits until it is closed
}

func (s *watched) APIKey(ctx context.Context, id string) (account.APIKey, error) {
	s.asked.Add(1)
	if s.hold != nil {
		<-s.hold
	}
	if s.down.Load() {
		return account.APIKey{}, issuer.ErrUnavailable
	}
	return s.Whole.APIKey(ctx, id)
}

type nobody struct{}

func (nobody) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{}, issuer.ErrNotFound
}

// world is a store with one user, u_ada, an issuer, and keys.
type world struct {
	*testing.T
	store  *watched
	issuer *issuer.Issuer
	keys   *account.APIKeys
	tokens *apikey.Tokens
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	whole := sqlstoretest.In(db.Store)
	w := &world{T: t, store: &watched{Whole: whole}}
	w.issuer, err = issuer.New(t.Context(), issuer.Config{Issuer: issuerURL, Store: db, MasterKey: issuer.GenerateMasterKey(), Subjects: nobody{}})
	must(t, err)
	_, err = whole.CreateUser(t.Context(), account.UserRow{ID: "u_ada", Name: "Ada", Canonical: "ada", Hash: "$"}, issuer.Event{})
	must(t, err)
	w.keys = account.NewAPIKeys(account.APIKeysConfig{
		Store: w.store, Audiences: []string{issuerURL, "orders"}, Failures: quota.Limits{Each: 3, All: 1000},
	})
	w.tokens = apikey.New(apikey.Config{Keys: w.keys, Issuer: w.issuer, Header: "x-api-key", TokenHeader: "x-access-token"})
	return w
}

func (w *world) key() (account.APIKey, string) {
	w.Helper()
	key, text, err := w.keys.Add(w.Context(), account.NewAPIKey{Owner: "u_ada", Name: "k"}, issuer.Event{})
	must(w.T, err)
	return key, text
}

func (w *world) swap(audience string, header ...string) (*http.Request, string, error) {
	r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return w.tokens.Swap(r, audience)
}

// mustSwap returns the token that a key in Authorization stands for.
func (w *world) mustSwap(text string) string {
	w.Helper()
	_, token, err := w.swap(issuerURL, "Authorization", "Bearer "+text)
	if err != nil || token == "" {
		w.Fatalf("no token: %v", err)
	}
	return token
}

func (w *world) verify(token, audience string) (*doorward.Claims, error) {
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: audience, Keys: w.issuer.Keys(), Revocations: w.issuer.Revocations()})
	must(w.T, err)
	return v.Verify(w.Context(), token)
}

// left is for how long a token lives.
func (w *world) left(token string) time.Duration {
	w.Helper()
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: issuerURL, Keys: w.issuer.Keys(), Revocations: doorward.NoRevocations})
	must(w.T, err)
	c, err := v.Verify(w.Context(), token)
	must(w.T, err)
	return time.Until(c.ExpiresAt)
}

// refused wants a key to be refused, and returns how.
func (w *world) refused(text string, want error) *doorward.Refusal {
	w.Helper()
	_, token, err := w.swap(issuerURL, "Authorization", "Bearer "+text)
	if !errors.Is(err, want) || token != "" {
		w.Errorf("error %v, want %v", err, want)
	}
	refusal := apikey.Refuse(err)
	if strings.Contains(refusal.Description+refusal.Err.Error(), text[21:60]) {
		w.Error("the refusal repeats the key")
	}
	return refusal
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A key is found where a token is, and in a header of its own, and a token takes its place
// there, in a request of its own.
func TestSwapPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.key()
	other := "other.to.ken"
	for _, tt := range []struct {
		name    string
		header  []string
		at      string // where the token is then; empty: there was no key
		wantErr error
	}{
		{"nothing", nil, "", nil},
		{"a token", []string{"Authorization", "Bearer " + other}, "", nil},
		{"another scheme", []string{"Authorization", "Basic " + key}, "", nil},
		{"bearer", []string{"Authorization", "Bearer " + key}, "Authorization", nil},
		{"bearer in other letters", []string{"Authorization", "bEARER   " + key}, "Authorization", nil},
		{"own header", []string{"X-Api-Key", key}, "Authorization", nil},
		{"header for tokens", []string{"X-Access-Token", key}, "X-Access-Token", nil},
		{"a token in the header for tokens", []string{"X-Access-Token", other}, "", nil},
		{"twice", []string{"Authorization", "Bearer " + key, "X-Api-Key", key}, "", doorward.ErrTwoTokens},
		{"in both headers", []string{"X-Access-Token", key, "X-Api-Key", key}, "", doorward.ErrTwoTokens},
		{"two lines", []string{"X-Api-Key", key, "X-Api-Key", key}, "", doorward.ErrTwoTokens},
		{"beside a token", []string{"X-Api-Key", key, "Authorization", "Bearer " + other}, "", doorward.ErrTwoTokens},
		{"beside a password", []string{"X-Api-Key", key, "Authorization", "Basic YTpi"}, "", doorward.ErrTwoTokens},
		{"twice where tokens are", []string{"X-Access-Token", key, "Authorization", "Bearer " + key}, "", doorward.ErrTwoTokens},
		{"the own header has something else", []string{"X-Api-Key", "secret"}, "", account.ErrAPIKey},
		{"what begins like a key", []string{"Authorization", "Bearer dwk_x"}, "", account.ErrAPIKey},
	} {
		before := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for i := 0; i < len(tt.header); i += 2 {
			before.Header.Add(tt.header[i], tt.header[i+1])
		}
		was := before.Header.Clone()
		after, token, err := w.tokens.Swap(before, issuerURL)
		if !errors.Is(err, tt.wantErr) || (token == "") != (tt.at == "") {
			t.Errorf("%s: %q, %v; want %v", tt.name, token, err, tt.wantErr)
			continue
		}
		for name := range was {
			if !slices.Equal(was[name], before.Header[name]) {
				t.Errorf("%s: %s was changed in the request itself", tt.name, name)
			}
		}
		switch {
		case err != nil:
		case tt.at == "" && after != before:
			t.Errorf("%s: another request although there is no key", tt.name)
		case tt.at != "":
			text := strings.TrimPrefix(after.Header.Get(tt.at), "Bearer ")
			if c, err := w.verify(text, issuerURL); err != nil || c.Subject != "u_ada" || text != token || len(after.Header) != 1 {
				t.Errorf("%s: %v, %+v, %v", tt.name, after.Header, c, err)
			}
		}
	}
}

// One question is asked about a key, however many requests come at once and after it.
func TestSwapAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, text := w.key()
		w.store.hold = make(chan struct{})
		var all sync.WaitGroup
		var tokens sync.Map
		for i := range 100 {
			all.Go(func() { tokens.Store(i, w.mustSwap(text)) })
		}
		synctest.Wait()
		if n := w.store.asked.Load(); n != 1 {
			t.Errorf("asked %d times while the first question waits", n)
		}
		close(w.store.hold)
		all.Wait()
		first := w.mustSwap(text)
		tokens.Range(func(_, token any) bool {
			if token != first {
				t.Error("two tokens for one key")
			}
			return true
		})
		if n := w.store.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if _, _, err := w.swap("orders", "X-Api-Key", text); err != nil || w.store.asked.Load() != 2 {
			t.Errorf("another audience: %v, asked %d times", err, w.store.asked.Load())
		}
	})
}

// A client that goes away takes nothing from the others who wait.
func TestSwapFirstGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, text := w.key()
		w.store.hold = make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		ask := func(ctx context.Context) error {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.Header.Set("X-Api-Key", text)
			_, _, err := w.tokens.Swap(r, issuerURL)
			return err
		}
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- ask(ctx) }()
		synctest.Wait()
		go func() { second <- ask(t.Context()) }()
		synctest.Wait()
		impatient, giveUp := context.WithTimeout(t.Context(), time.Millisecond)
		defer giveUp()
		if err := ask(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not wait: %v", err)
		}
		leave()
		close(w.store.hold)
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
	})
}

// A revoked key is refused at once; whatever else ends its tokens only costs another exchange.
func TestSwapRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, text := w.key()
	_, kept := w.key()
	first, others := w.mustSwap(text), w.mustSwap(kept)
	must(t, w.issuer.RevokeSubject(t.Context(), "u_ada", issuer.Event{})) // logged out everywhere
	second := w.mustSwap(text)
	if _, err := w.verify(first, issuerURL); !errors.Is(err, doorward.ErrRevoked) {
		t.Error(err)
	}
	if _, err := w.verify(second, issuerURL); err != nil || second == first {
		t.Error("no other token", err)
	}
	cut, err := w.keys.Revoke(t.Context(), key.ID, "", issuer.Event{})
	must(t, err)
	w.issuer.Apply(cut)
	if r := w.refused(text, account.ErrAPIKey); r.Status != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%+v", r)
	}
	if w.mustSwap(kept) == others {
		t.Error("a token that was ended is still in use")
	}
	if n := w.tokens.Kept(); n != 1 {
		t.Errorf("%d tokens are kept, want 1", n)
	}
}

// Tokens are renewed before they end. While the store is down a key that was seen goes on
// until its token ends, and others are answered with 503.
func TestSwapRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, text := w.key()
		_, fresh := w.key()
		first := w.mustSwap(text)
		life := w.left(first)
		time.Sleep(life * 88 / 100)
		if w.mustSwap(text) != first || w.store.asked.Load() != 1 {
			t.Error("renewed too early")
		}
		w.store.down.Store(true)
		time.Sleep(life * 4 / 100)
		for range 100 {
			if w.mustSwap(text) != first {
				t.Error("another token while the store is down")
			}
		}
		if n := w.store.asked.Load(); n != 2 {
			t.Errorf("a store that is down was asked %d times at once", n-1)
		}
		if r := w.refused(fresh, issuer.ErrUnavailable); r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("%+v", r)
		}
		time.Sleep(w.left(first) - time.Millisecond)
		w.mustSwap(text)
		time.Sleep(time.Millisecond)
		w.refused(text, issuer.ErrUnavailable)
		w.store.down.Store(false)
		if w.mustSwap(text) == first {
			t.Error("the token has ended and is in use")
		}
		w.mustSwap(fresh)
		second := w.mustSwap(text)
		time.Sleep(w.left(second) * 95 / 100)
		if w.mustSwap(text) == second {
			t.Error("not renewed")
		}
	})
}

// While a key's token is renewed nobody else waits.
func TestSwapRenewsBeside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, text := w.key()
		first := w.mustSwap(text)
		time.Sleep(w.left(first) * 95 / 100)
		w.store.hold = make(chan struct{})
		renewed := make(chan string, 1)
		go func() { renewed <- w.mustSwap(text) }()
		synctest.Wait()
		if w.mustSwap(text) != first {
			t.Error("another token")
		}
		close(w.store.hold)
		if <-renewed == first {
			t.Error("not renewed")
		}
	})
}

// A key that has ended is refused when its token is to be renewed, also where nobody has heard of that yet.
func TestSwapRenewalRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		key, text := w.key()
		first := w.mustSwap(text)
		_, err := w.keys.Revoke(t.Context(), key.ID, "", issuer.Event{})
		must(t, err)
		w.mustSwap(text)
		time.Sleep(w.left(first) * 95 / 100)
		w.refused(text, account.ErrAPIKey)
	})
}

// What is no key is never kept, is limited by network, and keeps nobody out who was let in before.
func TestSwapStrangers_Attack_E06(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, text := w.key()
	w.mustSwap(text)
	gone, stranger := w.key()
	_, err := w.keys.Revoke(t.Context(), gone.ID, "", issuer.Event{})
	must(t, err)
	asked := w.store.asked.Load()
	statuses := map[int]int{}
	for range 10 {
		_, _, err := w.swap(issuerURL, "X-Api-Key", stranger)
		statuses[apikey.Refuse(err).Status]++
	}
	if statuses[401] != 3 || statuses[429] != 7 || w.store.asked.Load() != asked+3 || w.tokens.Kept() != 1 {
		t.Errorf("%v, asked %d times, %d kept", statuses, w.store.asked.Load()-asked, w.tokens.Kept())
	}
	w.mustSwap(text)
	for _, garbage := range []string{"x", "dwk_", stranger[:70], stranger + stranger} {
		if _, _, err := w.swap(issuerURL, "X-Api-Key", garbage); !errors.Is(err, account.ErrAPIKey) {
			t.Errorf("%q: %v", garbage, err)
		}
	}
}

// However many keys there are, the memory is bounded.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, text := w.key()
	if n := w.tokens.Fill(3 * apikey.KeptMost); n > apikey.KeptMost {
		t.Errorf("%d tokens are kept, at most %d may be", n, apikey.KeptMost)
	}
	w.mustSwap(text)
}
