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
	idleDelay = 250 * time.Millisecond // without a hash, before memory is given back
	idleEvery = 10 * time.Second       // at most, so that a steady trickle of logins is not slowed
)

// slots bounds how many hashes are computed at once and how many callers wait.
type slots struct {
	free    chan struct{}
	queue   int64
	wait    time.Duration
	keep    bool
	waiting atomic.Int64
	refused atomic.Int64
	hashed  atomic.Int64
	waited  atomic.Int64 // nanoseconds, of all who have waited

	mu     sync.Mutex // guards what follows
	busy   int
	timer  *time.Timer
	gaveAt time.Time
}

func (s *slots) init(cfg Config) {
	s.free = make(chan struct{}, cfg.Slots)
	s.queue = int64(cfg.Queue)
	s.wait = cfg.Wait
	s.keep = cfg.KeepMemory
}

// stats reads what a metric wants to know.
func (s *slots) stats() Stats {
	return Stats{
		Slots: cap(s.free), InUse: len(s.free), Waiting: int(s.waiting.Load()),
		Hashed: s.hashed.Load(), Refused: s.refused.Load(), Waited: time.Duration(s.waited.Load()),
	}
}

// acquire takes a slot. Callers get slots in the order in which they came: a
// channel hands each one that is released to whoever waits longest.
func (s *slots) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("password: wait for a slot: %w", err)
	}
	select {
	case s.free <- struct{}{}:
	default:
		if err := s.enqueue(ctx); err != nil {
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
	return nil
}

func (s *slots) release() {
	s.mu.Lock()
	s.busy--
	if s.busy == 0 && !s.keep {
		s.giveBackLater()
	}
	s.mu.Unlock()
	<-s.free
}

func (s *slots) enqueue(ctx context.Context) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > s.queue {
		s.refused.Add(1)
		return ErrBusy
	}
	begun := time.Now()
	defer func() { s.waited.Add(int64(time.Since(begun))) }()
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return nil
	case <-timer.C:
		s.refused.Add(1)
		return ErrBusy
	case <-ctx.Done():
		return fmt.Errorf("password: wait for a slot: %w", ctx.Err())
	}
}

// giveBackLater wants s.mu held.
func (s *slots) giveBackLater() {
	delay := idleDelay
	if !s.gaveAt.IsZero() {
		delay = max(delay, idleEvery-time.Since(s.gaveAt))
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(delay, s.giveBack)
		return
	}
	s.timer.Reset(delay)
}

// giveBack returns the memory of the last hashes to the operating system: 19 MiB
// each, which would otherwise stay resident for minutes.
func (s *slots) giveBack() {
	s.mu.Lock()
	idle := s.busy == 0
	if idle {
		s.gaveAt = time.Now()
	}
	s.mu.Unlock()
	if idle {
		debug.FreeOSMemory()
	}
}
