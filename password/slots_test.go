package password_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/password"
)

// ASVS_15.2.2.
func TestBurst_Attack_E03(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{Slots: 1, Queue: 4, Wait: time.Minute})
	var wg sync.WaitGroup
	var ok, busy atomic.Int64
	for range 1000 {
		wg.Go(func() {
			switch err := h.VerifyNothing(t.Context(), good); {
			case errors.Is(err, password.ErrMismatch):
				ok.Add(1)
			case errors.Is(err, password.ErrBusy):
				busy.Add(1)
			default:
				t.Errorf("VerifyNothing = %v", err)
			}
		})
	}
	wg.Wait()
	if ok.Load()+busy.Load() != 1000 || busy.Load() == 0 || ok.Load() == 0 {
		t.Errorf("%d hashed and %d busy of 1000", ok.Load(), busy.Load())
	}
	if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
		t.Errorf("after the burst: %v, want ErrMismatch", err)
	}
}

func TestQueue_Attack_E03(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := password.New(password.Config{Slots: 2})
		release := password.Hold(h)
		start := time.Now()
		var wg sync.WaitGroup
		for range 8 { // four times the slots
			wg.Go(func() {
				if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrBusy) {
					t.Errorf("queued: %v, want ErrBusy", err)
				}
				if waited := time.Since(start); waited != 2*time.Second {
					t.Errorf("waited %v, want 2s", waited)
				}
			})
		}
		synctest.Wait()
		if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("the ninth: %v after %v, want ErrBusy at once", err, time.Since(start))
		}
		if got, want := h.Stats(), (password.Stats{Slots: 2, InUse: 2, Waiting: 8, Refused: 1}); got != want {
			t.Errorf("while they wait: %+v, want %+v", got, want)
		}
		wg.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := h.Hash(ctx, good); !errors.Is(err, context.Canceled) {
				t.Errorf("Hash = %v, want Canceled", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()

		release()
		if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("with free slots: %v, want ErrMismatch", err)
		}
		if got, want := h.Stats(), (password.Stats{Slots: 2, Hashed: 1, Refused: 9, Waited: 16 * time.Second}); got != want {
			t.Errorf("at the end: %+v, want %+v", got, want)
		}
	})
}

// Strangers hold no more than their part of the slots, and their queue is their own.
func TestReserved_Attack_E03_E07(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := password.New(password.Config{Slots: 4, Reserved: 2, Queue: 8})
		known := h.Reserved()
		release := password.HoldLine(h) // as many as strangers get
		if got := h.Stats(); got.InUse != 2 || got.Slots != 4 {
			t.Fatalf("strangers hold %d of %d slots, want 2 of 4", got.InUse, got.Slots)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrBusy) {
					t.Errorf("a stranger in the queue: %v, want ErrBusy", err)
				}
			})
		}
		synctest.Wait()
		if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrBusy) {
			t.Errorf("a stranger beyond the queue: %v, want ErrBusy", err)
		}
		start := time.Now()
		if err := known.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) || time.Since(start) != 0 {
			t.Errorf("a known one: %v after %v, want a hash at once", err, time.Since(start))
		}
		wg.Wait()
		release()
		if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("a stranger after them: %v, want ErrMismatch", err)
		}
	})
}

// Callers of both lines, some of whom give up, leave every slot free.
func TestLinesLeaveNothing_Attack_E03(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := password.New(password.Config{Slots: 2, Reserved: 1})
		release := password.Hold(h)
		var wg sync.WaitGroup
		for i := range 12 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%4+1)*time.Second)
			defer cancel()
			wg.Go(func() {
				if err := [2]*password.Hasher{h, h.Reserved()}[i%2].VerifyNothing(ctx, good); errors.Is(err, password.ErrMismatch) {
					t.Error("hashed while every slot is held")
				}
			})
		}
		wg.Wait()
		release()
		for _, h := range []*password.Hasher{h, h.Reserved(), h.Reserved(), h} {
			if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
				t.Errorf("with free slots: %v, want ErrMismatch", err)
			}
		}
		if got := h.Stats(); got.InUse != 0 || got.Waiting != 0 {
			t.Errorf("at the end: %+v", got)
		}
	})
}

// A burst begins with its first hash and is over when none follows.
func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := make(chan bool, 100)
		h := password.New(password.Config{Slots: 2, KeepMemory: true, Busy: func(busy bool) { told <- busy }})
		hash := func() {
			if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		hash()
		hash()
		time.Sleep(249 * time.Millisecond)
		synctest.Wait()
		if len(told) != 1 || !<-told {
			t.Errorf("after %v it was not told once, that the burst began", time.Since(begun))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(told) != 1 || <-told {
			t.Errorf("after %v it was not told once more, that the burst is over", time.Since(begun))
		}
		for range 30 { // a login each second is one burst in ten seconds
			hash()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(told); n < 4 || n > 6 {
			t.Errorf("told %d times in 30 s, want 4 to 6", n)
		}
	})
}

// Not parallel, as the tests below: they look at the memory of the whole process.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := password.New(password.Config{Slots: 2})
		hash := func() {
			if _, err := h.Hash(t.Context(), good); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			hash()
		}
		before := stats()
		time.Sleep(time.Second) // of the bubble's clock
		after := stats()
		if held, was := resident(after), resident(before); held > 15<<20 || was < held+15<<20 {
			t.Errorf("resident heap before %d, after %d bytes, want under 15 MiB and 15 MiB less", was, held)
		}
		// A login each second, for 30 seconds: a collection in 10 seconds, not for each. The runtime counts those of the whole
		// process, to which what tests before this one have left may add a few.
		for range 30 {
			hash()
			time.Sleep(time.Second)
		}
		if n := stats().NumForcedGC - after.NumForcedGC; n < 2 || n > 8 {
			t.Errorf("%d forced collections in 30 s, want about 3", n)
		}
	})
}

func TestMemoryIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := password.New(password.Config{Slots: 2, KeepMemory: true})
		before := stats()
		for range 5 {
			if err := h.VerifyNothing(t.Context(), good); !errors.Is(err, password.ErrMismatch) {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if n := stats().NumForcedGC - before.NumForcedGC; n >= 5 {
			t.Errorf("%d forced collections after 5 bursts, want none of ours", n)
		}
	})
}

func TestVerifyNothingCostsTheSame_Attack_E01(t *testing.T) {
	h := password.New(password.Config{KeepMemory: true})
	hash := mustHash(t, good)
	cost := func(verify func() error) uint64 {
		before := stats().TotalAlloc
		if err := verify(); !errors.Is(err, password.ErrMismatch) {
			t.Fatal(err)
		}
		return stats().TotalAlloc - before
	}
	wrong := cost(func() error { _, err := h.Verify(t.Context(), hash, "wrong"); return err })
	none := cost(func() error { return h.VerifyNothing(t.Context(), "wrong") })
	for _, m := range known { // An old hash is not cheaper to guess at than ours.
		if strings.HasPrefix(m.Scheme, "salted") {
			none = cost(func() error { _, err := h.Verify(t.Context(), m.Hash, "wrong"); return err })
		}
	}
	if wrong < 19456<<10 || max(wrong, none)-min(wrong, none) > 64<<10 {
		t.Errorf("a wrong password takes %d bytes, no user or an old hash %d", wrong, none)
	}
}

func stats() runtime.MemStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

func resident(m runtime.MemStats) uint64 { return m.HeapSys - m.HeapReleased }
