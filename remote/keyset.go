package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/jwt"
)

const (
	coolDown    = 30 * time.Second // between the beginnings of two fetches
	maxLastGood = 7 * 24 * time.Hour
)

// ErrUnavailable says that the key set cannot know its keys now. It is not a
// jwt.ErrKey, so a verifier answers 503.
var ErrUnavailable = errors.New("remote: key set not available")

var errUnknown = fmt.Errorf("remote: no key has the token's kid: %w", jwt.ErrKey)

// Config says where a key set is. Either URL or Issuer is required.
type Config struct {
	// URL is where the key set is: https, or http to this machine itself.
	URL string
	// Issuer, instead of URL, is the issuer whose metadata name the URL; see [Discover].
	// They are read with the first fetch, and again after a fetch that failed. If the
	// issuer is a program with an issuer.Issuer that serves no metadata, set URL to the
	// address at which it serves Issuer.JWKS.
	Issuer string
	// InsecureAllowHTTP admits plain HTTP to other machines. Whoever can change an
	// answer on the way then makes tokens.
	InsecureAllowHTTP bool
	// Transport makes the requests: for a private certificate authority, a proxy,
	// or rules about addresses. Whatever it is, requests are bounded in time, answers
	// in size, and redirects are not followed. Nil means a transport that takes the
	// proxy from the environment.
	Transport http.RoundTripper

	// LastGood is how long the last good set is used when no newer one is to be
	// had. 0 means 24 h; at most 7 days.
	LastGood time.Duration
	// Logger gets one record for each fetch that failed. Nil means slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called once for each fetch, before the callers that wait for
	// the fetch go on. Calls do not overlap.
	Observe func(Outcome)
}

// Outcome is how one fetch ended.
type Outcome struct {
	// Reason is "ok", "unchanged", or what failed: "network", "status", "type",
	// "size", "content" or "metadata". It is fit for a metric's label.
	Reason string
	// Keys is the number of keys in use after it.
	Keys int
}

// KeySet is the key set of an issuer elsewhere. It implements jwt.KeySet and may be used concurrently.
//
// A set that was fetched is fresh for as long as its Cache-Control says (RFC 9111 §5.2.2), at
// least for 30 s, and for 5 minutes if that says nothing. Then it is fetched again, with its ETag.
type KeySet struct {
	client   *client
	url      string // "" until discovery has found it; only the fetch under way touches it
	issuer   string
	lastGood time.Duration
	logger   *slog.Logger
	observe  func(Outcome)

	current atomic.Pointer[answer]
	life    context.Context // of all fetches; ended by Close
	end     context.CancelFunc

	mu      sync.Mutex // guards what follows
	flight  *flight    // the fetch under way
	begun   time.Time  // when the last fetch began
	problem error      // why the last fetch failed; nil if it did not
}

// flight is one fetch. done is closed when it is over.
type flight struct{ done chan struct{} }

// NewKeySet checks the configuration. Its error names the field. It does not dial: the
// first token does, or Refresh, or Run.
func NewKeySet(cfg Config) (*KeySet, error) {
	c := newClient(cfg.Transport, cfg.InsecureAllowHTTP)
	switch {
	case cfg.URL == "" && cfg.Issuer == "":
		return nil, errors.New("remote: Config.URL or Config.Issuer is required")
	case cfg.URL != "" && cfg.Issuer != "":
		return nil, errors.New("remote: Config.URL and Config.Issuer exclude each other")
	case cfg.LastGood < 0 || cfg.LastGood > maxLastGood:
		return nil, fmt.Errorf("remote: Config.LastGood is %v, not between 0 and %v", cfg.LastGood, maxLastGood)
	case cfg.URL != "":
		if _, err := c.checkURL(cfg.URL); err != nil {
			return nil, fmt.Errorf("remote: Config.URL %w", err)
		}
	default:
		if _, err := c.metadataPlaces(cfg.Issuer); err != nil {
			return nil, fmt.Errorf("remote: Config.Issuer %w", err)
		}
	}
	s := &KeySet{
		client: c, url: cfg.URL, issuer: cfg.Issuer,
		lastGood: cmp.Or(cfg.LastGood, 24*time.Hour),
		logger:   cmp.Or(cfg.Logger, slog.Default()),
		observe:  cfg.Observe,
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Key implements jwt.KeySet. A known key is returned from memory; if the set is no longer
// fresh, a fetch begins meanwhile. For an unknown kid Key waits for the fetch under way, or
// for a new one if the last began 30 s ago or more, until ctx ends.
//
// It returns jwt.ErrKey when the set, as it is now, has no such key, and ErrUnavailable
// when nobody can say: there is no set, it is older than Config.LastGood, or
// the last fetch failed, so that the key may be a new one.
func (s *KeySet) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	if key, err := s.Known(ctx, kid); err == nil {
		return key, nil
	}
	problem := s.Refresh(ctx)
	key, err := s.Known(ctx, kid)
	switch {
	case err == nil:
		return key, nil
	case problem != nil:
		return nil, problem
	case s.usable(time.Now()) == nil:
		return nil, fmt.Errorf("%w: the last good set is too old", ErrUnavailable)
	}
	return nil, err
}

// Known is Key without waiting: it returns jwt.ErrKey for each key that is not in memory. It lets
// doorward.AnyOf look into several sets before it waits for one.
func (s *KeySet) Known(ctx context.Context, kid string) (*jwt.Key, error) {
	now := time.Now()
	a := s.usable(now)
	if a == nil {
		return nil, errUnknown
	}
	key, err := a.set.Key(ctx, kid)
	if err == nil && a.age(now) >= a.fresh {
		s.fetch() // and answer meanwhile
	}
	return key, err
}

// Refresh waits until the set has been fetched, or ctx ends. If the last fetch
// began less than 30 s ago it returns that one's result: nil, or ErrUnavailable
// and why. At the start of a service it tells whether the issuer can be reached.
func (s *KeySet) Refresh(ctx context.Context) error {
	if f := s.fetch(); f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil:
		return fmt.Errorf("%w: closed", ErrUnavailable)
	case s.problem != nil:
		// Not wrapped: among the causes are jwt.ErrKey.
		return fmt.Errorf("%w: %v", ErrUnavailable, s.problem) //nolint:errorlint // see above
	}
	return nil
}

// Run keeps the set fresh until ctx ends or the set is closed; then it waits for the fetch under way
// and returns nil. A failed fetch is tried again after 30 s.
func (s *KeySet) Run(ctx context.Context) error {
	defer s.wait()
	for {
		timer := time.NewTimer(s.untilDue())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.life.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if f := s.fetch(); f != nil {
			select {
			case <-f.done:
			case <-ctx.Done():
			}
		}
	}
}

// Close ends the fetch under way and waits for it. The set then fetches no
// more; the keys that it knows stay for as long as they would have.
func (s *KeySet) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.wait()
	return nil
}
