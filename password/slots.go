package password

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idleDelay = 250 * time.Millisecond // without a hash, before a burst is over
	idleEvery = 10 * time.Second       // at most, so that a steady trickle of logins is not slowed
)

// slots bounds how many hashes are computed at once and how many callers wait.
type slots struct {
	free              chan struct{}
	anybody, reserved line
	queue             int64           // Config.Queue, for each line
	wait              time.Duration   // Config.Wait
	keep              bool            // Config.KeepMemory
	tell              func(busy bool) // Config.Busy, or nil

	refused atomic.Int64
	hashed  atomic.Int64
	waited  atomic.Int64 // nanoseconds, of all who have waited

	mu     sync.Mutex  // guards what follows
	busy   int         // slots that are taken
	burst  bool        // has begun and is not over
	timer  *time.Timer // ends the burst; nil before the first
	overAt time.Time   // when the last burst was over
}

// line is a queue for slots. open has one place for each slot that its callers may hold together.
type line struct {
	open    chan struct{}
	waiting atomic.Int64
}

func newSlots(cfg Config) *slots {
	s := &slots{free: make(chan struct{}, cfg.Slots), queue: int64(cfg.Queue), wait: cfg.Wait, keep: cfg.KeepMemory, tell: cfg.Busy}
	s.anybody.open = make(chan struct{}, cfg.Slots-cfg.Reserved)
	s.reserved.open = make(chan struct{}, cfg.Slots)
	return s
}

// stats reads what a metric wants to know.
func (s *slots) stats() Stats {
	return Stats{
		Slots: cap(s.free), InUse: len(s.free), Waiting: int(s.anybody.waiting.Load() + s.reserved.waiting.Load()),
		Hashed: s.hashed.Load(), Refused: s.refused.Load(), Waited: time.Duration(s.waited.Load()),
	}
}

// acquire takes a slot. The callers of a line get slots in the order in which they came, since
// a channel serves whoever has waited longest.
func (s *slots) acquire(ctx context.Context, l *line) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("password: wait for a slot: %w", err)
	}
	if !s.try(l) {
		if err := s.enqueue(ctx, l); err != nil {
			return err
		}
	}
	s.hashed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	if s.timer != nil {
		s.timer.Stop()
	}
	s.say(true)
	return nil
}

func (s *slots) release(l *line) {
	s.mu.Lock()
	s.busy--
	if s.busy == 0 && (!s.keep || s.tell != nil) {
		s.endLater()
	}
	s.mu.Unlock()
	<-s.free
	<-l.open
}

// try takes a slot for which nobody has to wait.
func (s *slots) try(l *line) bool {
	select {
	case l.open <- struct{}{}:
	default:
		return false
	}
	select {
	case s.free <- struct{}{}:
		return true
	default:
		<-l.open
		return false
	}
}

// enqueue waits for a slot, unless too many wait already.
func (s *slots) enqueue(ctx context.Context, l *line) error {
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > s.queue {
		s.refused.Add(1)
		return ErrBusy
	}
	begun := time.Now()
	defer func() { s.waited.Add(int64(time.Since(begun))) }()
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	if err := s.await(ctx, l.open, timer); err != nil {
		return err
	}
	if err := s.await(ctx, s.free, timer); err != nil {
		<-l.open
		return err
	}
	return nil
}

// await takes a place in c before the timer ends.
func (s *slots) await(ctx context.Context, c chan<- struct{}, timer *time.Timer) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-timer.C:
		s.refused.Add(1)
		return ErrBusy
	case <-ctx.Done():
		return fmt.Errorf("password: wait for a slot: %w", ctx.Err())
	}
}

// endLater has the burst end after a while without a hash. s.mu is held.
func (s *slots) endLater() {
	delay := idleDelay
	if !s.overAt.IsZero() {
		delay = max(delay, idleEvery-time.Since(s.overAt))
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(delay, s.end)
		return
	}
	s.timer.Reset(delay)
}

// end ends a burst. The memory of its hashes, 19 MiB each, would otherwise stay resident for minutes.
func (s *slots) end() {
	if s.over() && !s.keep {
		debug.FreeOSMemory()
	}
}

// over ends the burst and reports true, unless a hash has begun since the timer ran out.
func (s *slots) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		return false
	}
	s.overAt = time.Now()
	s.say(false)
	return true
}

// say calls tell if a burst has begun or is over now. s.mu is held.
func (s *slots) say(burst bool) {
	if burst != s.burst && s.tell != nil {
		s.tell(burst)
	}
	s.burst = burst
}
