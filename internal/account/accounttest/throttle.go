package accounttest

import (
	"context"
	"time"
)

const window = 10 * time.Minute

// try counts a try of at most 10 and reports whether it was counted.
func (f *fixture) try(ctx context.Context, s Store, name string) bool {
	f.Helper()
	_, counted := f.tryUntil(ctx, s, name)
	return counted
}

// tryUntil is try and returns when the window ends, too.
func (f *fixture) tryUntil(ctx context.Context, s Store, name string) (time.Time, bool) {
	f.Helper()
	ends, wait, err := s.Reserve(ctx, keyOf(name), 10, window, event)
	if err != nil {
		f.Error(err)
	}
	if wait < 0 || wait > window+slack {
		f.Errorf("again in %v, want up to %v", wait, window+slack)
	}
	return ends, err == nil && wait == 0
}

func testThrottle(f *fixture) {
	for i := range 15 {
		if counted := f.try(f.Context(), f.store, "ada"); counted != (i < 10) {
			f.Errorf("try %d: counted %v", i+1, counted)
		}
	}
	if !f.try(f.Context(), f.store, "bob") {
		f.Error("the tries of one name count for another")
	}
	_, wait, err := f.store.Reserve(f.Context(), keyOf("ada"), 10, window, event)
	if err != nil || wait < window-time.Minute {
		f.Errorf("again in %v, %v, want nearly %v", wait, err, window)
	}
}

func testThrottleTogether(f *fixture) {
	counted := f.together(100, func(ctx context.Context, s Store) bool { return f.try(ctx, s, "ada") })
	if counted != 10 {
		f.Errorf("%d of 100 tries at once were counted, want 10", counted)
	}
}

func testThrottleRestart(f *fixture) {
	for range 10 {
		f.try(f.Context(), f.store, "ada")
	}
	if f.try(f.Context(), f.again(), "ada") {
		f.Error("an eleventh try was counted after a restart")
	}
}

func testThrottleWindow(f *fixture) {
	key := keyOf("ada")
	if _, wait, err := f.store.Reserve(f.Context(), key, 1, time.Millisecond, event); err != nil || wait != 0 {
		f.Fatalf("the first try: %v, %v", wait, err)
	}
	f.tryOnce(key, time.Millisecond)
}

// tryOnce counts a try of at most 1, once the window before it has ended. The clock is a real one.
func (f *fixture) tryOnce(key [32]byte, window time.Duration) {
	f.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		_, wait, err := f.store.Reserve(f.Context(), key, 1, window, event)
		if err != nil {
			f.Fatal(err)
		}
		if wait == 0 {
			return
		}
		if time.Now().After(deadline) {
			f.Fatal("a window of a millisecond has not ended after a minute")
		}
	}
}

// A try that is given back late takes none from the window after its own.
func testReleaseLate(f *fixture) {
	key := keyOf("ada")
	ends, wait, err := f.store.Reserve(f.Context(), key, 1, time.Millisecond, event)
	if err != nil || wait != 0 {
		f.Fatalf("the first try: %v, %v", wait, err)
	}
	f.tryOnce(key, window)
	if err := f.store.Release(f.Context(), key, ends); err != nil {
		f.Fatal(err)
	}
	if _, wait, err := f.store.Reserve(f.Context(), key, 1, window, event); err != nil || wait == 0 {
		f.Errorf("a second try is counted in the new window: %v", err)
	}
}

func testRelease(f *fixture) {
	var ends time.Time
	for range 10 {
		ends, _ = f.tryUntil(f.Context(), f.store, "ada")
	}
	if err := f.store.Release(f.Context(), keyOf("ada"), ends); err != nil {
		f.Fatal(err)
	}
	if !f.try(f.Context(), f.store, "ada") {
		f.Error("a try was given back and is not there")
	}
	if f.try(f.Context(), f.store, "ada") {
		f.Error("one try was given back and two were there")
	}
	for range 3 { // of a name without tries: nothing to give back
		if err := f.store.Release(f.Context(), keyOf("bob"), ends); err != nil {
			f.Fatal(err)
		}
	}
	for i := range 11 {
		if counted := f.try(f.Context(), f.store, "bob"); counted != (i < 10) {
			f.Errorf("try %d: counted %v", i+1, counted)
		}
	}
}

func testClear(f *fixture) {
	for range 11 {
		f.try(f.Context(), f.store, "ada")
	}
	if err := f.store.Clear(f.Context(), keyOf("ada")); err != nil {
		f.Fatal(err)
	}
	if !f.try(f.Context(), f.store, "ada") {
		f.Error("the tries were forgotten and count")
	}
	if err := f.store.Clear(f.Context(), keyOf("nobody")); err != nil {
		f.Error(err)
	}
}
