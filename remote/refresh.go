package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt"
)

const (
	maxDepth     = 32      // how deep the JSON of a document may be nested
	maxTag       = 1 << 10 // bytes of an ETag; a longer one is not used
	defaultFresh = 5 * time.Minute
)

// answer is a good set and what is known about it.
type answer struct {
	set    *jwt.Set
	digest [sha256.Size]byte // of its text
	url    string
	tag    string
	asked  time.Time     // when the request was sent that brought it, or that a 304 has answered since
	fresh  time.Duration // how long after asked it need not be fetched again
}

// age is the larger of what the monotonic and the wall clock say: the first stands
// still while the machine sleeps, the second may be set back.
func (a *answer) age(now time.Time) time.Duration {
	return max(now.Sub(a.asked), now.Round(0).Sub(a.asked.Round(0)))
}

// fetch returns the fetch under way, or begins one. It returns nil if the last
// began less than 30 s ago by the monotonic clock, or if the set is closed.
func (s *KeySet) fetch() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
	}
	if s.life.Err() != nil || !s.begun.IsZero() && time.Since(s.begun) < coolDown {
		return nil
	}
	s.begun = time.Now()
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go s.fly(f)
	return f
}

// endCoolDown lets the next unknown kid begin a fetch at once.
func (s *KeySet) endCoolDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = time.Time{}
}

// wait returns when the fetch under way, if any, is over.
func (s *KeySet) wait() {
	s.mu.Lock()
	f := s.flight
	s.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

// usable returns the last good set unless it is too old.
func (s *KeySet) usable(now time.Time) *answer {
	if a := s.current.Load(); a != nil && a.age(now) < s.lastGood {
		return a
	}
	return nil
}

// fly carries out a fetch. It forgets a URL that discovery has found if the fetch fails.
func (s *KeySet) fly(f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(s.life, timeout)
	defer cancel()
	before := s.current.Load()
	a, err := s.ask(ctx, before)
	if err == nil {
		s.current.Store(a)
	} else if s.issuer != "" {
		s.url = ""
	}
	s.report(ctx, before, a, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.problem = nil, err
}

// ask fetches the set. before is the last good one, or nil.
func (s *KeySet) ask(ctx context.Context, before *answer) (*answer, error) {
	asked := time.Now()
	if s.url == "" {
		address, err := s.client.discover(ctx, s.issuer)
		if err != nil {
			return nil, &failure{reason: "metadata", err: err}
		}
		s.url = address
	}
	var tag string
	if before != nil && before.url == s.url {
		tag = before.tag
	}
	d, err := s.client.get(ctx, s.url, tag)
	if err != nil {
		return nil, err
	}
	a := &answer{url: s.url, asked: asked, fresh: min(freshness(d.header), s.lastGood)}
	if d.unchanged {
		a.set, a.digest, a.tag = before.set, before.digest, before.tag
		return a, nil
	}
	if tag := d.header.Get("ETag"); len(tag) <= maxTag {
		a.tag = tag
	}
	a.digest = sha256.Sum256(d.body)
	if before != nil && a.digest == before.digest {
		a.set = before.set
		return a, nil
	}
	if a.set, err = parse(d.body, before); err != nil {
		return nil, failed("content", "%w", err)
	}
	return a, nil
}

// report logs a fetch that failed and calls Observe. The URL is not logged, since its query may be a secret.
func (s *KeySet) report(ctx context.Context, before, a *answer, err error) {
	o := Outcome{Reason: "ok"}
	switch {
	case err != nil:
		o.Reason = "network"
		if f, ok := errors.AsType[*failure](err); ok {
			o.Reason = f.reason
		}
		a = before
	case before != nil && a.set == before.set:
		o.Reason = "unchanged"
	}
	if a != nil {
		o.Keys = len(a.set.Keys())
	}
	if err != nil && s.life.Err() == nil {
		attrs := []slog.Attr{slog.String("reason", err.Error()), slog.Int("keys", o.Keys)}
		if a != nil {
			attrs = append(attrs, slog.Duration("age", a.age(time.Now()).Round(time.Second)), slog.Duration("limit", s.lastGood))
		}
		s.logger.LogAttrs(ctx, slog.LevelWarn, "key set not fetched", attrs...)
	}
	if s.observe != nil {
		s.observe(o)
	}
}

// untilDue returns how long Run waits before the next fetch.
func (s *KeySet) untilDue() time.Duration {
	s.mu.Lock()
	rest := coolDown - time.Since(s.begun)
	if s.begun.IsZero() {
		rest = 0
	}
	s.mu.Unlock()
	if a := s.current.Load(); a != nil {
		rest = max(rest, a.fresh-a.age(time.Now()))
	}
	return max(rest, 0)
}

// parse reads a public set. A key that was in the last one stays the same
// *jwt.Key, so that tokens it has verified stay cached.
func parse(body []byte, before *answer) (*jwt.Set, error) {
	if err := refuseSecrets(body); err != nil {
		return nil, err
	}
	set, err := jwt.ParseSet(body)
	if err != nil || before == nil {
		return set, err
	}
	keys := set.Keys()
	for i, k := range keys {
		old, err := before.set.Key(context.Background(), k.ID())
		if err == nil && same(old, k) {
			keys[i] = old
		}
	}
	return jwt.NewSet(keys...)
}

// same reports whether two keys have the same public JWK.
func same(a, b *jwt.Key) bool {
	x, errX := a.MarshalPublicJWK()
	y, errY := b.MarshalPublicJWK()
	return errX == nil && errY == nil && string(x) == string(y)
}

var errSecret = errors.New("the key set holds a secret or a private key")

// refuseSecrets looks for members that no published key has. Whoever published a
// private key has lost it, whatever kind of key it is; a secret there would
// let everybody make tokens.
func refuseSecrets(body []byte) error {
	return strict.Object(body, maxDepth, func(name, value []byte) error {
		if string(name) != "keys" {
			return nil
		}
		return strict.Array(value, maxDepth, func(element []byte) error {
			err := strict.Object(bytes.TrimSpace(element), maxDepth, func(name, _ []byte) error {
				switch string(name) {
				case "d", "k", "priv":
					return errSecret
				}
				return nil
			})
			if errors.Is(err, errSecret) {
				return err
			}
			return nil // a key that cannot be read is skipped by ParseSet too
		})
	})
}

// freshness reads Cache-Control and Age (RFC 9111 §4.2.1, §5.1). Of several directives the shortest time counts.
func freshness(h http.Header) time.Duration {
	fresh := defaultFresh
	said := false
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			var d time.Duration
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
			case "max-age":
				d = seconds(strings.Trim(value, `"`))
			default:
				continue
			}
			if !said || d < fresh {
				fresh = d
			}
			said = true
		}
	}
	if said {
		fresh -= seconds(h.Get("Age"))
	}
	return max(fresh, coolDown)
}

// seconds reads a delta-seconds (RFC 9111 §1.2.2), a year at most. It returns 0 for any other text.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(n, 365*24*3600)) * time.Second
}
