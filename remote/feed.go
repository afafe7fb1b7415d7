package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/clock"
)

const (
	defaultPoll    = 5 * time.Second
	defaultEntries = 2_000_000
)

// FeedConfig says where an issuer publishes its revocations, and with which credential they
// are read. URL, ClientID and ClientSecret are required.
type FeedConfig struct {
	// URL is the /revocations of a Doorward: https, or http to this machine itself. Programs
	// that embed an issuer.Issuer do not serve it.
	URL string
	// ClientID and ClientSecret are what "doorward client add" has printed.
	ClientID     string
	ClientSecret string `json:"-"`
	// InsecureAllowHTTP admits plain HTTP to other machines. Whoever can read the traffic
	// learns the secret, and whoever can change it hides revocations.
	InsecureAllowHTTP bool
	// Transport makes the requests: for a private certificate authority or a proxy. Nil means a
	// transport of its own that takes the proxy from the environment.
	Transport http.RoundTripper

	// MaxStaleness is the greatest [Feed.Age] with which tokens are accepted; beyond it they
	// are refused with doorward.ErrStale. 0 means 60 s; at least 2 s.
	MaxStaleness time.Duration
	// Poll is about how much time passes between two polls, and so how late a revocation
	// may come while there is no stream. 0 means 5 s, or a quarter of MaxStaleness if that
	// is less; at most half of MaxStaleness.
	Poll time.Duration
	// NoStream leaves out the stream, which brings revocations at once.
	NoStream bool
	// Keys, if set, is the key set of the same issuer. When one of its keys is revoked
	// another takes its place. A token of an unknown key then makes the set be fetched
	// at once, even if its last fetch is less than 30 s ago: once for each key that is
	// revoked. Nil means that tokens of the new key may be refused for those 30 s.
	Keys *KeySet
	// MaxEntries is how many revocations are kept, of 20 to 80 bytes each. If the issuer has
	// more, the feed goes stale. 0 means 2,000,000.
	MaxEntries int
	// Logger gets one record for each change: when polls fail and when they succeed again, when
	// the feed is stale and when it is fresh again, and when the client is refused. Nil means
	// slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called after each poll and at the end of each stream. Calls do not
	// overlap.
	Observe func(FeedOutcome)
}

// String leaves the secret out.
func (c FeedConfig) String() string { return "feed " + c.URL + " for " + c.ClientID }

// GoString leaves the secret out.
func (c FeedConfig) GoString() string { return c.String() }

// FeedOutcome is how one poll, or one stream, ended.
type FeedOutcome struct {
	// Reason is "ok", or what failed: "network", "status", "denied" (401 or 403), "type", "size",
	// "content", "history" or "stream". It is fit for a metric's label.
	Reason string
	// Entries is how many revocations are kept.
	Entries int
	// Age is that of [Feed.Age]; the greatest Duration before the first answer.
	Age time.Duration
}

// Feed follows what an issuer elsewhere has revoked. It implements doorward.Revocations, answers
// from memory, and may be used concurrently. It is stale until Run has its first answer.
//
// Only an answer to a poll makes it fresh, and only as of the moment at which that poll was sent:
// an open stream proves nothing. See [Feed.Age]. Whatever fails, what is known to be revoked
// stays revoked.
type Feed struct {
	client    *client
	cfg       FeedConfig // without the secret
	authorize func(*http.Request)
	owned     *http.Transport // closed by Run; nil if it is the user's
	set       *doorward.RevocationSet

	unknown atomic.Pointer[time.Time] // until when an entry holds whose kind is unknown; nil if there is none
	clock   clock.Other               // the issuer's
	kick    chan struct{}             // makes Run poll at once
	ready   chan struct{}             // there is a cursor for a stream

	mu       sync.Mutex // guards what follows
	cursor   string     // all revocations before it are known; "" before the first answer
	lineage  string     // names the history of the issuer's store
	sequence *sequence  // the answer of which some pages are still missing, or nil

	renewing sync.Mutex      // guards revoked
	revoked  map[string]bool // the keys for which Keys was told, by kid

	reporting sync.Mutex // guards what follows, and calls of Observe
	problem   string     // the reason logged last; "" while polls succeed
	stale     bool       // what was logged last
}

// NewFeed checks the configuration. Its error names the field. It does not dial: Run does.
func NewFeed(cfg FeedConfig) (*Feed, error) {
	cfg.MaxStaleness = cmp.Or(cfg.MaxStaleness, time.Minute)
	cfg.Poll = cmp.Or(cfg.Poll, min(defaultPoll, cfg.MaxStaleness/4))
	cfg.MaxEntries = cmp.Or(cfg.MaxEntries, defaultEntries)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	f := &Feed{
		cfg: cfg, set: doorward.NewRevocationSet(cfg.MaxStaleness),
		kick: make(chan struct{}, 1), ready: make(chan struct{}, 1), stale: true,
		revoked: map[string]bool{},
	}
	if cfg.Transport == nil {
		f.owned = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeaders, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: timeout,
		}
		cfg.Transport = f.owned
	}
	f.client = newClient(cfg.Transport, cfg.InsecureAllowHTTP)
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("remote: FeedConfig.%w", err)
	}
	f.authorize = func(r *http.Request) { r.SetBasicAuth(cfg.ClientID, cfg.ClientSecret) }
	f.cfg.ClientSecret = ""
	return f, nil
}

func (f *Feed) check() error {
	u, err := f.client.checkURL(f.cfg.URL)
	switch {
	case f.cfg.URL == "":
		return errors.New("URL is required")
	case err != nil:
		return fmt.Errorf("URL %w", err)
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("URL has a query")
	case f.cfg.ClientID == "" || strings.Contains(f.cfg.ClientID, ":"):
		return errors.New("ClientID is required, and has no colon")
	case f.cfg.ClientSecret == "":
		return errors.New("ClientSecret is required")
	case f.cfg.ClientSecret != strings.TrimSpace(f.cfg.ClientSecret):
		return errors.New("ClientSecret begins or ends with a space or a line end: trim what a file holds")
	case f.cfg.MaxStaleness < 2*time.Second:
		return fmt.Errorf("MaxStaleness is %v, less than 2 s", f.cfg.MaxStaleness)
	case f.cfg.Poll < 0 || f.cfg.Poll > f.cfg.MaxStaleness/2:
		return fmt.Errorf("Poll is %v, not between 0 and half of MaxStaleness", f.cfg.Poll)
	case f.cfg.MaxEntries < 0:
		return errors.New("MaxEntries is negative")
	}
	return nil
}

// Check implements doorward.Revocations.
func (f *Feed) Check(c *doorward.Claims) error {
	err := f.set.Check(c)
	if err == nil && f.hasUnknown() {
		return doorward.ErrStale
	}
	return err
}

// Age is how old the feed's knowledge is: the time since the last poll that was answered was
// sent, plus the age that the answer gave for itself. It is measured by the monotonic and by the
// wall clock, and the larger counts. Before the first answer it is the greatest Duration.
func (f *Feed) Age() time.Duration { return f.set.Age() }

// ClockOffset is how far the clock by which the issuer makes tokens is ahead of this machine's; it is negative
// if that clock is behind. It follows from the time in the last answer, which is in whole seconds, and from the
// monotonic clock since then, so that it changes at once when somebody sets the clock of this machine. Give it to
// doorward.Config.ClockOffset. It is 0 before the first answer, and if the issuer's answers have no time.
func (f *Feed) ClockOffset() time.Duration { return f.clock.Ahead() }

// Ready returns nil if tokens can be judged now, and otherwise why not: an error that wraps
// doorward.ErrStale. It is for the readiness probe of a service.
func (f *Feed) Ready() error {
	age := f.Age()
	switch {
	case age == math.MaxInt64:
		return fmt.Errorf("%w: nothing was heard yet: does Feed.Run run?", doorward.ErrStale)
	case age > f.cfg.MaxStaleness:
		return fmt.Errorf("%w: last heard %v ago", doorward.ErrStale, age.Round(time.Millisecond))
	case f.hasUnknown():
		return fmt.Errorf("%w: there is a revocation of a kind unknown to this version", doorward.ErrStale)
	}
	return nil
}

// Len is the number of revocations that are kept, some of which may have expired.
func (f *Feed) Len() int { return f.set.Len() }

// Run follows the issuer until ctx ends; then it waits for what is under way and returns
// nil. It is the feed's only background work. One Run per Feed.
func (f *Feed) Run(ctx context.Context) error {
	var beside sync.WaitGroup
	beside.Go(func() { f.watchAge(ctx) })
	if !f.cfg.NoStream {
		beside.Go(func() { f.keepStream(ctx) })
	}
	for failures, pages := 0, false; ctx.Err() == nil; {
		pace := between(f.cfg.Poll*3/4, f.cfg.Poll)
		err := f.catchUp(ctx)
		if ctx.Err() != nil {
			break
		}
		f.report(ctx, err)
		if err == nil {
			failures = 0
			if pages = !pages && f.Age() > f.cfg.Poll; pages {
				pace = 0 // it took many pages: ask for what came meanwhile
			}
		} else {
			pace = f.backOff(err, failures)
			failures++
		}
		wait(ctx, pace, f.kick)
	}
	beside.Wait()
	if f.owned != nil {
		f.owned.CloseIdleConnections()
	}
	return nil
}

// watchAge logs that the feed has become stale when that happens, even while a poll hangs.
func (f *Feed) watchAge(ctx context.Context) {
	for ctx.Err() == nil {
		f.reporting.Lock()
		f.reportAge(ctx)
		f.reporting.Unlock()
		left := f.cfg.MaxStaleness - f.Age()
		if left < 0 {
			left = time.Second
		}
		wait(ctx, left+time.Millisecond, nil)
	}
}

// report logs what has changed, and tells Observe how a poll or a stream ended. The end of a stream
// is not logged, since polls go on.
func (f *Feed) report(ctx context.Context, err error) {
	f.reporting.Lock()
	defer f.reporting.Unlock()
	o := FeedOutcome{Reason: reasonOf(err), Entries: f.Len(), Age: f.Age()}
	if o.Reason != "stream" {
		f.reportProblem(ctx, o, err)
	}
	f.reportAge(ctx)
	if f.cfg.Observe != nil {
		f.cfg.Observe(o)
	}
}

// reportAge logs whether the feed is stale, if that has changed. f.reporting is held.
func (f *Feed) reportAge(ctx context.Context) {
	err := f.Ready()
	if (err != nil) == f.stale {
		return
	}
	if f.stale = err != nil; f.stale {
		f.cfg.Logger.LogAttrs(ctx, slog.LevelError, "revocations are out of date: tokens cannot be judged",
			slog.String("reason", err.Error()), slog.Duration("limit", f.cfg.MaxStaleness))
		return
	}
	f.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "revocations are up to date", slog.Int("entries", f.Len()))
}

// reportProblem logs whether polls fail, if that or the reason has changed. f.reporting is held.
func (f *Feed) reportProblem(ctx context.Context, o FeedOutcome, err error) {
	switch {
	case err == nil && f.problem != "":
		f.problem = ""
		f.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "revocations are heard again")
	case err != nil && o.Reason != f.problem:
		f.problem = o.Reason
		level, text := slog.LevelWarn, "revocations not heard; asking again"
		if o.Reason == "denied" {
			level, text = slog.LevelError, "the issuer refuses this service's credential for revocations: the client's ID or secret is wrong, it is disabled, or it does not have the scope revocations:read"
		}
		attrs := []slog.Attr{slog.String("reason", err.Error()), slog.Duration("limit", f.cfg.MaxStaleness)}
		if o.Age < math.MaxInt64 { // Before the first answer there is none.
			attrs = append(attrs, slog.Duration("age", o.Age))
		}
		f.cfg.Logger.LogAttrs(ctx, level, text, attrs...)
	}
}

// reasonOf returns the word for FeedOutcome.Reason.
func reasonOf(err error) string {
	e, ok := errors.AsType[*failure](err)
	switch {
	case err == nil:
		return "ok"
	case !ok:
		return "network"
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return "denied"
	}
	return e.reason
}
