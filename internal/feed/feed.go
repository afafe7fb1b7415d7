// Package feed tells services elsewhere what was revoked: by answers to their
// polls, which are read from the store, and by streams, which carry what the
// issuer's follower reads. docs/revocations.md describes the wire form.
package feed

import (
	"context"
	"sync"
	"time"

	"github.com/doorward/doorward/issuer"
)

// PageLimit is how many entries a page has at most.
const PageLimit = 4000

// Page is one page of the store's record of cut-offs.
type Page struct {
	issuer.RevocationPage
	// Snapshot says that the page belongs to a list of all cut-offs that have not expired.
	Snapshot bool
	// More says that Next is the cursor of the next page of the same sequence.
	More bool
}

// Source is the store's record of cut-offs, read in pages.
type Source interface {
	// RevocationPage returns at most limit cut-offs recorded at or after the cursor,
	// the oldest first. The zero Cursor, and one that is not of this history, begin a
	// snapshot: all that have not expired. The pages of a sequence together hold
	// all that was recorded when its first page was read; the last Next goes on there.
	RevocationPage(ctx context.Context, after issuer.Cursor, limit int) (Page, error)
}

const (
	// shareFor is how long after its beginning a read answers other polls too.
	shareFor = 100 * time.Millisecond
	// readTimeout bounds one read, and maxReads how many go on at once.
	readTimeout = 5 * time.Second
	maxReads    = 8
	// maxKept is how many entries the reads that are shared may have together.
	maxKept = 8 * PageLimit
)

// Feed answers polls and feeds streams. It is safe for concurrent use and runs no
// goroutine.
type Feed struct {
	source Source
	slots  chan struct{}

	mu   sync.Mutex // guards what follows
	open map[issuer.Cursor]*read
	kept int // entries of the reads in open that are over

	hub hub
}

// New returns a Feed of a store. For its streams to bring news, the issuer's
// issuer.Config.Followed must call [Feed.Publish].
func New(source Source) *Feed {
	return &Feed{
		source: source, slots: make(chan struct{}, maxReads),
		open: map[issuer.Cursor]*read{}, hub: hub{streams: map[*Stream]struct{}{}},
	}
}

// Answer is a page and when its reading began.
type Answer struct {
	Page
	// Begun is before the store was asked: all that was revoked until then is in the
	// page, or in those that follow it.
	Begun time.Time
	// EntriesJSON is Entries as the array that services read.
	EntriesJSON []byte
}

// Age is the time since Begun: the larger of what the monotonic and the wall clock say,
// so that a machine that slept over an answer does not pass it off as new.
func (a Answer) Age() time.Duration { return since(a.Begun, time.Now()) }

// Read returns the page after a cursor. Calls with one cursor that come together share
// one read of the store, but not a read that began before notBefore.
func (f *Feed) Read(ctx context.Context, after issuer.Cursor, notBefore time.Time) (Answer, error) {
	r, mine := f.join(after, notBefore)
	if mine {
		f.run(ctx, after, r)
		return r.answer, r.err
	}
	select {
	case <-r.done:
		return r.answer, r.err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// read is one read of the store. answer and err are set before done is closed.
type read struct {
	begun  time.Time
	done   chan struct{}
	over   bool // guarded by Feed.mu
	answer Answer
	err    error
}

// join returns the read of another call that will do, or a new one that the caller must run.
func (f *Feed) join(after issuer.Cursor, notBefore time.Time) (r *read, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for cursor, r := range f.open {
		if r.over && since(r.begun, now) >= shareFor {
			f.drop(cursor, r)
		}
	}
	if r, ok := f.open[after]; ok && !r.begun.Before(notBefore) {
		return r, false
	}
	if r, ok := f.open[after]; ok {
		f.drop(after, r)
	}
	r = &read{begun: now, done: make(chan struct{})}
	f.open[after] = r
	return r, true
}

// run reads the store. It goes on if the caller's context ends, since others may have joined.
func (f *Feed) run(ctx context.Context, after issuer.Cursor, r *read) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		r.answer, r.err = f.ask(ctx, after, r.begun)
		<-f.slots
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(r.done)
	if f.open[after] != r {
		return
	}
	r.over = true
	f.kept += len(r.answer.Entries)
	if r.err != nil || f.kept > maxKept {
		f.drop(after, r)
	}
}

// ask reads one page. begun is from before the wait for a slot, so that the wait counts as age.
func (f *Feed) ask(ctx context.Context, after issuer.Cursor, begun time.Time) (Answer, error) {
	page, err := f.source.RevocationPage(ctx, after, PageLimit)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Page: page, Begun: begun, EntriesJSON: encode(page.Entries)}, nil
}

// drop takes a read out of those that can be joined. Feed.mu is held.
func (f *Feed) drop(after issuer.Cursor, r *read) {
	delete(f.open, after)
	if r.over {
		f.kept -= len(r.answer.Entries)
	}
}

// since is the time from t to now, by the monotonic or the wall clock, whichever says more.
func since(t, now time.Time) time.Duration {
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}
