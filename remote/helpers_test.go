package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

const setURL = "https://id.example/keys"

// world answers requests in memory, so that tests in a bubble own the clock.
type world struct {
	mu     sync.Mutex
	answer func(r *http.Request) (*http.Response, error)
	asked  []*http.Request
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.asked = append(w.asked, r)
	answer := w.answer
	w.mu.Unlock()
	return answer(r)
}

func (w *world) set(answer func(r *http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func (w *world) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[len(w.asked)-1]
}

// serves answers each request with the text.
func serves(text string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return response(200, text, headers...), nil }
}

var errDown = errors.New("no route to host")

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// slow answers as next does, after d or never.
func slow(d time.Duration, next func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return next(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func response(status int, text string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, ContentLength: -1,
		Body: io.NopCloser(bytes.NewBufferString(text)),
	}
}

// fixture is a key set over a world, and what it reported.
type fixture struct {
	*world
	keys     *remote.KeySet
	mu       sync.Mutex
	outcomes []remote.Outcome
}

func (f *fixture) outcome() remote.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outcomes[len(f.outcomes)-1]
}

// wantOver wants no fetch under way.
func (f *fixture) wantOver(t testing.TB) {
	t.Helper()
	asked := f.requests()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.outcomes) != asked {
		t.Errorf("%d fetches have begun, %d have ended", asked, len(f.outcomes))
	}
}

func newFixture(t testing.TB, change func(*remote.Config)) *fixture {
	t.Helper()
	f := &fixture{world: &world{answer: down}}
	cfg := remote.Config{
		URL: setURL, Transport: f.world, Logger: slog.New(slog.DiscardHandler),
		Observe: func(o remote.Outcome) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.outcomes = append(f.outcomes, o)
		},
	}
	if change != nil {
		change(&cfg)
	}
	keys, err := remote.NewKeySet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.keys = keys
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// want asks for a kid and compares the error.
func (f *fixture) want(t testing.TB, kid string, wantErr error) {
	t.Helper()
	key, err := f.keys.Key(t.Context(), kid)
	if !errors.Is(err, wantErr) || (key == nil) == (err == nil) {
		t.Errorf("Key(%q) = %v, %v; want %v", kid, key, err, wantErr)
	}
	if errors.Is(wantErr, remote.ErrUnavailable) && errors.Is(err, jwt.ErrKey) {
		t.Errorf("Key(%q) = %v, which says that there is no such key", kid, err)
	}
}

func newKey(t testing.TB, kid string) *jwt.Key {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = key.WithID(kid); err != nil {
		t.Fatal(err)
	}
	return key
}

// setOf is the text of a published set.
func setOf(t testing.TB, keys ...*jwt.Key) string {
	t.Helper()
	set, err := jwt.NewSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func kids(t testing.TB, names ...string) string {
	t.Helper()
	keys := make([]*jwt.Key, len(names))
	for i, name := range names {
		keys[i] = newKey(t, name)
	}
	return setOf(t, keys...)
}

// verifies asks the key set what a verifier would ask for a token of key.
func (f *fixture) verifies(ctx context.Context, key *jwt.Key) error {
	token, err := jwt.Sign(key, "at+jwt", map[string]string{"sub": "ann"})
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	_, err = jwt.Verify(ctx, token, f.keys, "at+jwt")
	return err
}

// recorder collects log records, one a line.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func isErr(err, want error) bool { return errors.Is(err, want) }

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }
