package remote_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

// Attack_F13: a stream that ends after each event is opened again ever more slowly, and asks for no more questions than that.
// One that has lasted is opened again at once, and goes on where the answer after its end left off.
func TestAttack_F13_StreamEndsAgainAndAgain(t *testing.T) {
	open, write, places := eventStream()
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.streams = slow(2*time.Second, serves(eventText("a", "a.0", "a.0"), "Content-Type", "text/event-stream"))
	}, func(f *feedFixture) {
		pass(time.Hour)
		cut := strings.Count(strings.Join(f.reasons(), " "), "stream")
		if cut < 90 || cut > 540 { // 30 s is the longest wait, and half of it the usual
			t.Errorf("%d streams in an hour", cut)
		}
		if n := f.questions(); n > 60*60*4/15+1+cut {
			t.Errorf("%d questions, %d streams", n, cut)
		}
		f.with(func() { f.streams = open })
		for len(places()) == 0 {
			pass(time.Second)
		}
		for range 5 {
			pass(28 * time.Second)
			write(":\n\n")
		}
		if at := places(); len(at) != 1 {
			t.Errorf("a stream with heartbeats was opened %d times", len(at))
		}
		f.with(func() { f.delay = 3 * time.Second })
		for n := f.questions(); f.questions() == n; pass(100 * time.Millisecond) { // an answer waits to be noticed
		}
		pass(3100 * time.Millisecond)
		f.revoke(session("s"))
		opened := len(places())
		write(eventText("a", "a.0", "a.0") + "event: resync\ndata: {}\n\n")
		pass(2900 * time.Millisecond)
		if at := places(); len(at) != opened {
			t.Errorf("opened again before an answer: %q", at)
		}
		pass(1200 * time.Millisecond)
		if at := places(); len(at) != opened+1 || at[opened] != "a.1" {
			t.Errorf("streams from %q, the answer ended at a.1", at)
		}
	})
}

// Attack_F11: what a stream brings beyond the bound is not passed over: the questions go on before it, until there is room.
func TestAttack_F11_StreamIsBounded(t *testing.T) {
	open, write, _ := eventStream()
	inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) { cfg.MaxEntries, i.streams = 2, open }, func(f *feedFixture) {
		f.revoke(session("s1"), session("s2"), session("s3"))
		write(eventText("a", "a.0", "a.3", f.entries...))
		pass(time.Minute + time.Second)
		f.want("s3", doorward.ErrStale)
		if !slices.Contains(f.reasons(), "size") {
			t.Errorf("outcomes %v", f.reasons())
		}
		if last := f.queries[len(f.queries)-1]; !strings.HasPrefix(last, "after=a.0&") {
			t.Errorf("asked %s", last)
		}
	})
}
