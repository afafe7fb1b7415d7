package server_test

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// Nobody learns from the time of an answer whether there is a user: names that exist, do not, or are disabled are tried
// one after the other in random order, so that whatever else the machine does hits all alike. The samples of two of
// them must be mixed: of two answers the one for a known name is the later as often as not (Mann-Whitney). The long form
// takes 2,000 of each with the real hash, the short one fewer with one that is so cheap that the rest of the way shows.
func TestAttack_E01_Timing_Standard_W04(t *testing.T) {
	samples, within := 200, 0.15
	hasher := account.Hasher(cheap{})
	if os.Getenv("DOORWARD_SOAK") != "" {
		samples, within, hasher = 2000, 0.06, password.New(password.Config{})
	}
	w := newWorld(t, func(s *settings) {
		s.direct, s.people = true, hasher
		s.server.Limits = server.Limits{Login: quota.Limits{Each: 1 << 30, All: 1 << 30}}
	})
	for round := range 3 { // Three times by chance is never.
		took := w.timeLogins(t, round, samples)
		worst := 0.0
		for _, kind := range []string{"known", "disabled"} {
			share := later(took[kind], took["unknown"])
			t.Logf("%s: later than an unknown name in %.1f %% of all pairs; medians %v and %v", kind, 100*share, median(took[kind]), median(took["unknown"]))
			worst = max(worst, share-0.5, 0.5-share)
		}
		if worst <= within {
			return
		}
	}
	t.Errorf("in three rounds users can be told from nobody by the time of the answer")
}

// timeLogins fails a number of logins of each kind, each name no more often than the throttle lets it.
func (w *world) timeLogins(t *testing.T, round, samples int) map[string][]time.Duration {
	t.Helper()
	for i := range samples / account.TryLimit {
		w.addUser(fmt.Sprintf("known-%d-%d", round, i), bobWord)
		gone := w.addUser(fmt.Sprintf("disabled-%d-%d", round, i), bobWord)
		_, err := w.people.Disable(t.Context(), gone, issuer.Event{Actor: "test"})
		must(t, err)
	}
	kinds := []string{"known", "disabled", "unknown"}
	took := map[string][]time.Duration{}
	for i := range samples {
		rand.Shuffle(len(kinds), func(a, b int) { kinds[a], kinds[b] = kinds[b], kinds[a] })
		for _, kind := range kinds {
			word := map[string]string{"known": "wrong wrong wrong", "disabled": bobWord, "unknown": "wrong wrong wrong"}[kind]
			body := fmt.Sprintf(`{"username":"%s-%d-%d","password":"%s"}`, kind, round, i/account.TryLimit, word)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", strings.NewReader(body))
			r.Header.Set("Content-Type", jsonMedia)
			answer := httptest.NewRecorder()
			begun := time.Now()
			w.server.ServeHTTP(answer, r)
			took[kind] = append(took[kind], time.Since(begun))
			if answer.Code != http.StatusUnauthorized {
				t.Fatalf("%s: %d %s", kind, answer.Code, answer.Body)
			}
		}
	}
	return took
}

// later is the share of pairs in which the first is the greater: U of Mann and Whitney over the number of pairs.
func later(a, b []time.Duration) float64 {
	slices.Sort(a)
	slices.Sort(b)
	pairs, below := 0.0, 0
	for _, x := range a {
		for below < len(b) && b[below] < x {
			below++
		}
		pairs += float64(below)
	}
	return pairs / float64(len(a)*len(b))
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// cheap is a Hasher of a few microseconds.
type cheap struct{}

func (cheap) Hash(_ context.Context, text string) (string, error) { return cheapSum(text), nil }

func (cheap) Verify(_ context.Context, hash, text string) (bool, error) {
	if subtle.ConstantTimeCompare([]byte(hash), []byte(cheapSum(text))) == 1 {
		return false, nil
	}
	return false, password.ErrMismatch
}

func (cheap) VerifyNothing(_ context.Context, text string) error {
	_ = cheapSum(text)
	return password.ErrMismatch
}

func cheapSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "cheap:" + hex.EncodeToString(sum[:])
}
