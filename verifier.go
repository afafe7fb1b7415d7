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
	// Keys are the issuer's keys. The method Key is called for each token and
	// should answer from memory. If its error is not a jwt.ErrKey, the keys cannot
	// be known now, and the request is answered with 503.
	Keys jwt.KeySet
	// Revocations are asked for each token that is good otherwise.
	// NoRevocations accepts every token until it expires.
	Revocations Revocations

	// YoungWhenStale accepts a token while Revocations are out of date, if it was
	// issued (iat) less than this long ago. The price is that a revoked token may
	// pass for that much longer. 0 accepts none: every request is answered with 503.
	// At most 10 min. The Need YoungWhenStale sets another limit for a route.
	YoungWhenStale time.Duration

	// Types are the accepted values of the header's typ; "" admits a token
	// without typ. Nil means {"at+jwt"} (RFC 9068). Any other type needs
	// RequireClaims, since otherwise an ID token would pass for an access token.
	Types []string
	// RequireClaims are names of claims that must be present and not null, beside exp,
	// sub, iss and aud, and in a token of type at+jwt iat and jti.
	RequireClaims []string

	// Leeway is how far iat and nbf may lie in the future. 0 means 30 s; at most 5 min.
	Leeway time.Duration
	// ExpiryLeeway is how long a token is accepted after exp. 0 means not at all; at most 60 s.
	ExpiryLeeway time.Duration
	// MaxLifetime bounds exp − iat, and for tokens without iat the time left
	// until exp. 0 means 24 h.
	MaxLifetime time.Duration
	// ClockOffset, if set, returns how far the issuer's clock is ahead of this
	// machine's, negative if it is behind, as remote.Feed.ClockOffset does. It makes
	// no token acceptable. But a token that only the wrong clock of this machine
	// refuses is answered with 503 (ErrClock), not with 401: the client need not
	// refresh it. A clock that is ahead by no more than Leeway counts as right. It
	// may be called concurrently. Nil means that the offset is not known.
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
	// Logger gets one record for each refused request, and one when YoungWhenStale
	// begins and ceases to matter. It never gets a token. Nil means slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called once for each request that Require, Optional or
	// Check decides on, and once for each call of Verify and each of Refuse with an
	// error of this package or of jwt, or of a request that was given up. It may be called concurrently.
	Observe func(Outcome)
	// CacheSize bounds, in bytes, the memory for verified tokens with asymmetric
	// signatures. 0 means 16 MiB, a negative value turns the cache off. 16 MiB are room
	// for 6,000 tokens of 600 bytes that are in use at once. With many more, nearly each
	// request costs a signature again.
	CacheSize int
}

// Outcome is how one verification ended.
type Outcome struct {
	// Reason is "ok", "anonymous", "young" (accepted although revocations are out of
	// date), or why the token was refused. It is one word of a small fixed set, fit
	// for the label of a metric.
	Reason string
	// Cached reports that the token came from the cache, which spared the signature.
	Cached bool
}

// Verifier checks the tokens of one issuer for one audience or, made by [AnyOf], of several.
// It may be used concurrently.
type Verifier struct {
	joined           []*Verifier // set by AnyOf; then, beside it, only the fields about requests are
	issuer, audience string
	keys             jwt.KeySet
	near             jwt.KeySet // keys, but without those that have to be fetched
	revocations      Revocations
	set              *RevocationSet // revocations, if they are of this type: spares a second look at the clock
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
// ErrAudience, ErrRevoked, ErrStale. ErrClock takes the place of ErrExpired, ErrNotYet or
// ErrStale. raw is the token alone, without "Bearer".
//
// ErrNoKeys, ErrStale and ErrClock say nothing against the token. Test for them first
// and answer that the service is unavailable (503, or Unavailable in gRPC); every other
// error means that the caller is not authenticated. The error is for the log: a client
// should learn no more of it than [Refusal.Description] says.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	c, cached, err := v.check(ctx, raw)
	err = v.settle(ctx, c, err, nil)
	v.observed(err, cached)
	if refuses(err) {
		return nil, err
	}
	return c, nil
}

// check is Verify, except that it returns the claims beside an error, too, if the
// signature is good. Those are for the log alone.
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

// checkNow makes the checks whose result can change, which a cached token has to pass
// again on each use.
func (v *Verifier) checkNow(c *Claims) error {
	now := time.Now()
	err := v.checkAt(c, now)
	if !errors.Is(err, ErrExpired) && !errors.Is(err, ErrNotYet) {
		return err
	}
	again := v.checkAt(c, now.Add(v.clockError()))
	if again == nil || errors.Is(again, ErrStale) {
		// The text of err, but not err itself: a caller must not take this for ErrExpired and refresh.
		return fmt.Errorf("%w: %s", ErrClock, err.Error())
	}
	return again
}

// clockError returns how far this machine's clock is known to be off, or 0 if that is no
// reason to doubt a refusal. A clock that is a little ahead is none: Leeway covers it.
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

// observed reports one outcome; err is nil for a good token.
func (v *Verifier) observed(err error, cached bool) {
	if v.observe != nil {
		v.observe(Outcome{Reason: verdictOn(err).reason, Cached: cached})
	}
}

// keySource returns keys with errors that tell "there is no such key" (jwt.ErrKey) from
// "I cannot know now" (ErrNoKeys), also if keys is a type of the caller's own.
func keySource(keys jwt.KeySet) jwt.KeySet {
	switch keys.(type) {
	case *jwt.Key, *jwt.Set:
		return keys // These hold all their keys, so they always know.
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
