// Package apikey puts access tokens in the place of the API keys that requests carry, so that
// whoever checks tokens checks keys too: revocation, scope and staleness are the token's.
package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/textproto"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/issuer"
)

// Config says what [Tokens] are made from. Keys and Issuer are required.
type Config struct {
	Keys   *account.APIKeys
	Issuer *issuer.Issuer
	// Header is a header whose whole value is an API key, such as X-API-Key. Empty means none.
	Header string
	// TokenHeader is one that may carry an access token, and so a key, beside Authorization.
	TokenHeader string
	// Proxies are those in front that are trusted.
	Proxies origin.Proxies
}

const (
	// keptMost is how many tokens each of two generations holds: some 16 MiB in all.
	keptMost = 4096
	// renewAt is the part of a token's life after which another is asked for, in tenths.
	renewAt = 9
	// patience bounds an exchange, and haste one for which there is a live token still.
	patience = 10 * time.Second
	haste    = 2 * time.Second
	// pause is how long nobody asks again after an exchange failed for which there is one.
	pause = 5 * time.Second
)

// Tokens are the access tokens that API keys stand for. Each is made when its key is first seen and
// used until shortly before its end, so that requests ask no store. They are bounded, and none
// is kept for what is no key. It is safe for concurrent use and runs no goroutine.
type Tokens struct {
	cfg Config

	mu         sync.Mutex // guards what follows
	verifiers  map[string]*doorward.Verifier
	young, old map[name]*kept
	underWay   map[name]*exchange
}

// name is what a token is kept under. The key itself is in no memory of ours.
type name struct {
	key      [sha256.Size]byte
	audience string
}

// kept is one token.
type kept struct {
	token  string
	claims *doorward.Claims
	renew  time.Time // when to ask for another
}

// exchange is one that others wait for.
type exchange struct {
	done chan struct{} // closed when what follows is set
	kept *kept
	err  error
}

// New returns Tokens of which none is made.
func New(cfg Config) *Tokens {
	cfg.Header, cfg.TokenHeader = textproto.CanonicalMIMEHeaderKey(cfg.Header), textproto.CanonicalMIMEHeaderKey(cfg.TokenHeader)
	return &Tokens{
		cfg: cfg, verifiers: map[string]*doorward.Verifier{}, young: map[name]*kept{}, underWay: map[name]*exchange{},
	}
}

// Header is Config.Header.
func (t *Tokens) Header() string { return t.cfg.Header }

// Swap returns r if it carries no API key, and else a request like it with an access token for
// the audience in the key's place, and that token. The errors are those of account.APIKeys.Exchange
// and doorward.ErrTwoTokens; [Refuse] makes an answer of them.
func (t *Tokens) Swap(r *http.Request, audience string) (*http.Request, string, error) {
	key, place, err := t.find(r)
	if key == "" || err != nil {
		return r, "", err
	}
	k, err := t.of(r, key, audience)
	if err != nil {
		return nil, "", err
	}
	return place.put(r, k.token), k.token, nil
}

// of returns a live token that a key stands for.
func (t *Tokens) of(r *http.Request, key, audience string) (*kept, error) {
	n, now := name{sha256.Sum256([]byte(key)), audience}, time.Now()
	t.mu.Lock()
	have := t.get(n)
	live := have != nil && now.Before(have.claims.ExpiresAt) && !errors.Is(t.cfg.Issuer.Revocations().Check(have.claims), doorward.ErrRevoked)
	x, waits := t.underWay[n]
	if live && (waits || now.Before(have.renew)) {
		t.mu.Unlock()
		return have, nil
	}
	if !waits {
		x = &exchange{done: make(chan struct{})}
		t.underWay[n] = x
	}
	t.mu.Unlock()
	if waits {
		return x.wait(r.Context())
	}
	if !live {
		have = nil
	}
	t.run(r, x, n, key, have)
	return x.kept, x.err
}

// run makes a token, for all who wait for x. A live one that there is goes on while the store
// says nothing of its key.
func (t *Tokens) run(r *http.Request, x *exchange, n name, key string, have *kept) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case x.kept != nil:
			t.put(n, x.kept)
		case errors.Is(x.err, account.ErrAPIKey):
			delete(t.young, n)
			delete(t.old, n)
		}
		delete(t.underWay, n)
		close(x.done)
	}()
	x.err = errInterrupted
	most := patience
	if have != nil {
		most = haste
	}
	// Whoever waits for it does so also when the first who asked has gone away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), most)
	defer cancel()
	x.kept, x.err = t.make(ctx, r, key, n.audience)
	if x.err != nil && have != nil && !errors.Is(x.err, account.ErrAPIKey) && !errors.Is(x.err, issuer.ErrAudience) {
		x.kept, x.err = &kept{token: have.token, claims: have.claims, renew: time.Now().Add(pause)}, nil
	}
}

var errInterrupted = errors.New("apikey: the exchange was interrupted")

// make exchanges a key.
func (t *Tokens) make(ctx context.Context, r *http.Request, key, audience string) (*kept, error) {
	now, from := time.Now(), t.cfg.Proxies.Of(r)
	set, err := t.cfg.Keys.Exchange(ctx, t.cfg.Issuer, key, account.KeyRequest{
		Audience: audience, Network: from.Network(),
		Event: issuer.Event{Address: from.Address(), RequestID: doorward.RequestID(ctx)},
	})
	if err != nil {
		return nil, err
	}
	v, err := t.verifier(audience)
	if err != nil {
		return nil, err
	}
	// What was revoked meanwhile is for whoever verifies the token: this only reads it.
	claims, err := v.Verify(ctx, set.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("read the token of an API key: %w", err)
	}
	return &kept{token: set.AccessToken, claims: claims, renew: now.Add(set.ExpiresIn * renewAt / 10)}, nil
}

func (x *exchange) wait(ctx context.Context) (*kept, error) {
	select {
	case <-x.done:
		return x.kept, x.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// verifier returns what reads the tokens for an audience. It accepts what was revoked.
func (t *Tokens) verifier(audience string) (*doorward.Verifier, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.verifiers[audience]; ok {
		return v, nil
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: t.cfg.Issuer.URL(), Audience: audience, Keys: t.cfg.Issuer.Keys(), Revocations: doorward.NoRevocations,
		Logger: slog.New(slog.DiscardHandler), CacheSize: -1,
	})
	if err == nil {
		t.verifiers[audience] = v
	}
	return v, err
}

// get returns what is kept under a name, or nil. The caller holds t.mu.
func (t *Tokens) get(n name) *kept {
	if k, ok := t.young[n]; ok {
		return k
	}
	return t.old[n]
}

// put keeps a token. A full generation becomes the old one, and the one before it is dropped.
// The caller holds t.mu.
func (t *Tokens) put(n name, k *kept) {
	if len(t.young) >= keptMost {
		t.old, t.young = t.young, make(map[name]*kept)
	}
	t.young[n] = k
}
