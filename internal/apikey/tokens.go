// Package apikey replaces the API keys in requests with access tokens, so that code which checks
// tokens needs to know nothing of keys: revocation, scope and staleness are those of the token.
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
	// Proxies are the proxies in front that are trusted to name the client's address.
	Proxies origin.Proxies
}

const (
	// keptMost is how many tokens each of two generations holds: some 16 MiB in all.
	keptMost = 4096
	// renewAt is after how many tenths of a token's life it is renewed.
	renewAt = 9
	// patience bounds an exchange. haste bounds it while the key still has a live token.
	patience = 10 * time.Second
	haste    = 2 * time.Second
	// pause is how long after a failed renewal a live token is used before the next one is tried.
	pause = 5 * time.Second
)

// Tokens are the access tokens that API keys stand for. Each is made when its key is first seen and
// kept until shortly before it expires, so that most requests do not touch the store. Their number is
// bounded, and nothing is kept for a text that is no key. It is safe for concurrent use and runs no
// goroutine.
type Tokens struct {
	cfg Config

	mu         sync.Mutex // guards what follows
	verifiers  map[string]*doorward.Verifier
	young, old map[name]*kept
	underWay   map[name]*exchange
}

// name is what a token is kept under. It has a digest of the key, so that the key itself is not kept.
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

// exchange is one exchange of a key for a token. Other requests with the key wait for it.
type exchange struct {
	done chan struct{} // closed when what follows is set
	kept *kept
	err  error
}

// New returns Tokens that hold none yet.
func New(cfg Config) *Tokens {
	cfg.Header, cfg.TokenHeader = textproto.CanonicalMIMEHeaderKey(cfg.Header), textproto.CanonicalMIMEHeaderKey(cfg.TokenHeader)
	return &Tokens{
		cfg: cfg, verifiers: map[string]*doorward.Verifier{}, young: map[name]*kept{}, underWay: map[name]*exchange{},
	}
}

// Header is Config.Header.
func (t *Tokens) Header() string { return t.cfg.Header }

// Swap returns r itself if it carries no API key. Otherwise it returns a copy of r in which an access
// token for the audience stands where the key was, and that token. The errors are those of
// account.APIKeys.Exchange and doorward.ErrTwoTokens; [Refuse] makes an answer of them.
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

// run makes a token for all who wait for x. If that fails, have, the live token before it or nil, is used
// on, unless the error says that the key is not good for it.
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
	// This only reads the claims. The verifier of the request checks what was revoked meanwhile.
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

// verifier returns the verifier that reads the tokens for an audience. It accepts revoked ones.
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
