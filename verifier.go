package doorward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/tokencache"
	"github.com/doorward/doorward/jwt"
)

// Config says what a [Verifier] accepts. Issuer, Audience, Keys and
// Revocations are required.
type Config struct {
	// Issuer is the only iss accepted, compared byte for byte.
	Issuer string
	// Audience must be one of a token's aud, compared byte for byte.
	Audience string
	// Keys are the issuer's keys. Its method Key is asked for each token and is
	// not expected to dial. An error of it that is no jwt.ErrKey means that the
	// keys cannot be known now: the request is answered with 503.
	Keys jwt.KeySet
	// Revocations are asked for each token that is good otherwise.
	// NoRevocations accepts every token until it expires.
	Revocations Revocations

	// YoungWhenStale is how long ago a token may have been issued, by its iat, that is accepted
	// while Revocations are out of date. A revoked token is refused so much later. 0 means
	// none: all are answered with 503. At most 10 min. Routes may differ, by the Need YoungWhenStale.
	YoungWhenStale time.Duration

	// Types are the accepted values of the header's typ; "" admits a token
	// without typ. Nil means {"at+jwt"} (RFC 9068). Any other type needs
	// RequireClaims, since otherwise an ID token would pass for an access token.
	Types []string
	// RequireClaims are names of claims that must be present and not null, beside exp,
	// sub, iss and aud.
	RequireClaims []string

	// Leeway is how far iat and nbf may lie in the future. 0 means 30 s; at most 5 min.
	Leeway time.Duration
	// ExpiryLeeway is how long a token is accepted after exp. 0 means not at all; at most 60 s.
	ExpiryLeeway time.Duration
	// MaxLifetime bounds exp − iat, and for tokens without iat the time left
	// until exp. 0 means 24 h.
	MaxLifetime time.Duration
	// ClockOffset, if set, says how far the clock by which the issuer makes tokens is ahead of this machine's, below
	// 0 if it is behind. A token that is refused for its time by this machine's clock alone, which is behind or
	// more than Leeway ahead, is then answered with 503 (ErrClock), not 401. No token is accepted for it. It
	// may be called concurrently. Nil means that nobody knows.
	ClockOffset func() time.Duration

	// Extractors are the places where a request may carry its token. Nil means
	// {BearerHeader()}. A request with more than one token in them is refused.
	Extractors []Extractor
	// Realm is the realm of the challenges. "" means "api".
	Realm string
	// ErrorHandler writes the answer to a refused request. Status and
	// Refusal.Header are decided; the header is set on the writer already. If it
	// writes nothing, WriteRefusal does. Nil means WriteRefusal.
	ErrorHandler func(http.ResponseWriter, *http.Request, *Refusal)
	// Logger gets one record for each refused request, and one when YoungWhenStale begins and
	// ceases to matter, never a token. Nil means slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called once for each request, and once for each call
	// of Verify. It may be called concurrently.
	Observe func(Outcome)
	// CacheSize bounds, in bytes, the memory for verified tokens with asymmetric
	// signatures. 0 means 16 MiB, a negative value turns the cache off.
	CacheSize int
}

// Outcome is how one verification ended.
type Outcome struct {
	// Reason is "ok", "anonymous", "young" (accepted although revocations are out of
	// date), or why the token was refused: a word of a small fixed set, fit for a
	// metric's label.
	Reason string
	// Cached reports that the signature had been verified before.
	Cached bool
}

// Verifier checks tokens of one issuer for one audience, or what AnyOf has joined. It may be used concurrently.
type Verifier struct {
	joined           []*Verifier // for AnyOf; then only what concerns requests is set beside it
	issuer, audience string
	keys             jwt.KeySet
	near             jwt.KeySet // those of keys that are in memory
	revocations      Revocations
	set              *RevocationSet // revocations, when they are one: spares a look at the clock
	young            time.Duration
	lenient          atomic.Bool // young made the difference for the last token accepted
	types            []string
	requireClaims    []string
	leeway           time.Duration
	expiryLeeway     time.Duration
	maxLifetime      time.Duration
	clockOffset      func() time.Duration // nil if nobody knows
	extractors       []Extractor
	vary             []string
	realm            string
	errorHandler     func(http.ResponseWriter, *http.Request, *Refusal)
	logger           *slog.Logger
	observe          func(Outcome)
	cache            *cache
}

// NewVerifier checks the configuration. Its error names the field.
func NewVerifier(cfg Config) (*Verifier, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("doorward: Config.%w", err)
	}
	v := &Verifier{
		issuer: cfg.Issuer, audience: cfg.Audience, keys: keySource(cfg.Keys), near: nearKeys(cfg.Keys),
		revocations:   cfg.Revocations,
		young:         cfg.YoungWhenStale,
		clockOffset:   cfg.ClockOffset,
		types:         slices.Clone(cfg.Types),
		requireClaims: slices.Clone(cfg.RequireClaims),
		leeway:        cmp.Or(cfg.Leeway, 30*time.Second),
		expiryLeeway:  cfg.ExpiryLeeway,
		maxLifetime:   cmp.Or(cfg.MaxLifetime, 24*time.Hour),
		extractors:    slices.Clone(cfg.Extractors),
		realm:         cmp.Or(cfg.Realm, defaultRealm),
		errorHandler:  cfg.ErrorHandler,
		logger:        cmp.Or(cfg.Logger, slog.Default()),
		observe:       cfg.Observe,
		cache:         tokencache.New[verified](cmp.Or(cfg.CacheSize, 16<<20)),
	}
	if v.types == nil {
		v.types = []string{typeAccess}
	}
	if v.extractors == nil {
		v.extractors = []Extractor{BearerHeader()}
	}
	if v.errorHandler == nil {
		v.errorHandler = WriteRefusal
	}
	v.set, _ = cfg.Revocations.(*RevocationSet)
	v.vary = varyOf(v.extractors)
	return v, nil
}

// Verify checks a token and returns its claims, or the first of these errors
// that applies: jwt.ErrMalformed, jwt.ErrKey (ErrNoKeys among them),
// jwt.ErrSignature, jwt.ErrType, ErrClaims, ErrExpired, ErrNotYet, ErrIssuer,
// ErrAudience, ErrRevoked, ErrStale; or ErrClock, in the place of ErrExpired, ErrNotYet or
// ErrStale. raw is the token alone, without "Bearer".
//
// ErrNoKeys, ErrStale and ErrClock say nothing against the token: ask for them first, and answer "unavailable" (503, gRPC's
// Unavailable), everything else "not authenticated". The error is for the log; a client is told no more than [Refusal.Description] says.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	c, cached, err := v.check(ctx, raw)
	err = v.settle(ctx, c, err, nil)
	v.observed(err, cached)
	if refuses(err) {
		return nil, err
	}
	return c, nil
}

// check is Verify, but returns the claims also with an error if the signature
// is good: for the log alone.
func (v *Verifier) check(ctx context.Context, raw string) (c *Claims, cached bool, err error) {
	if v.joined != nil {
		j := v.checkJoined(ctx, raw)
		return j.claims, j.cached, j.err
	}
	return v.checkWith(ctx, raw, v.keys)
}

func (v *Verifier) checkWith(ctx context.Context, raw string, keys jwt.KeySet) (c *Claims, cached bool, err error) {
	digest, c := v.cached(ctx, raw, keys)
	if c != nil {
		return c, true, v.checkNow(c)
	}
	token, err := jwt.Verify(ctx, raw, keys, v.types...)
	if err != nil {
		return nil, false, err
	}
	if c, err = v.decodeClaims(&token); err != nil {
		return c, false, err
	}
	if err = v.checkNow(c); err == nil {
		v.keep(digest, raw, &token, c)
	}
	return c, false, err
}

// checkNow is what a cached token is asked again on each use.
func (v *Verifier) checkNow(c *Claims) error {
	now := time.Now()
	err := v.checkAt(c, now)
	if !errors.Is(err, ErrExpired) && !errors.Is(err, ErrNotYet) {
		return err
	}
	again := v.checkAt(c, now.Add(v.clockError()))
	if again == nil || errors.Is(again, ErrStale) {
		return fmt.Errorf("%w: %s", ErrClock, err.Error()) // It is no ErrExpired: nobody shall refresh for it.
	}
	return again
}

// clockError is how wrong this machine's clock is known to be, 0 where that is no reason to doubt a refusal. What
// seems to be of the future is more than Leeway ahead already.
func (v *Verifier) clockError() time.Duration {
	if v.clockOffset == nil {
		return 0
	}
	if off := v.clockOffset(); off > 0 || off < -v.leeway {
		return off
	}
	return 0
}

func (v *Verifier) checkAt(c *Claims, now time.Time) error {
	switch {
	case !now.Before(c.ExpiresAt.Add(v.expiryLeeway)):
		return ErrExpired
	case c.notBefore.After(now.Add(v.leeway)), c.IssuedAt.After(now.Add(v.leeway)):
		return ErrNotYet
	case c.IssuedAt.IsZero() && c.ExpiresAt.Sub(now) > v.maxLifetime:
		return &claimError{"exp", "is too far away: more than MaxLifetime"}
	case c.Issuer != v.issuer:
		return fmt.Errorf("%w: iss is %q, want %q", ErrIssuer, c.Issuer, v.issuer)
	case !slices.Contains(c.Audience, v.audience):
		return fmt.Errorf("%w: aud is %q, want %q", ErrAudience, c.Audience, v.audience)
	}
	return v.checkRevoked(c, now)
}

func (v *Verifier) checkRevoked(c *Claims, now time.Time) error {
	if v.set != nil {
		return v.set.check(c, now)
	}
	err := v.revocations.Check(c)
	if err != nil && !errors.Is(err, ErrRevoked) && !errors.Is(err, ErrStale) {
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	return err
}

// observed reports one outcome. A nil err is a good token.
func (v *Verifier) observed(err error, cached bool) {
	if v.observe != nil {
		v.observe(Outcome{Reason: verdictOn(err).reason, Cached: cached})
	}
}

// keySource makes errors of other people's key sets tell apart "there is no
// such key" and "I do not know".
func keySource(keys jwt.KeySet) jwt.KeySet {
	switch keys.(type) {
	case *jwt.Key, *jwt.Set:
		return keys // they always know
	}
	return foreignKeys{keys}
}

type foreignKeys struct{ jwt.KeySet }

func (f foreignKeys) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	key, err := f.KeySet.Key(ctx, kid)
	if err != nil && !errors.Is(err, jwt.ErrKey) {
		return nil, fmt.Errorf("%w: %w", ErrNoKeys, err)
	}
	return key, err
}
