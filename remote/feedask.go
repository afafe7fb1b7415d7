package remote

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/doorward/doorward"
)

// firstWait bounds the wait after the first failure; each further one doubles it.
const firstWait = time.Second

// sequence is an answer that comes in several pages. After the last of them everything is known
// that was revoked before heard.
type sequence struct {
	cursor   string // of the next page
	snapshot bool   // it holds all revocations, not only those since the last answer
	heard    time.Time
	entries  int       // on the pages so far
	unknown  time.Time // until when the entries of unknown kinds hold; zero if there are none
}

// catchUp asks for pages until there are no more. After an error the next call goes on with the
// page that is missing, or with the first if the issuer cannot go on from there.
func (f *Feed) catchUp(ctx context.Context) error {
	for {
		after := f.next()
		asked := time.Now() // before the question is sent
		a, err := f.ask(ctx, after)
		if err == nil {
			if !a.now.IsZero() {
				f.clock.Read(a.now, asked)
			}
			err = f.take(after, asked, a)
		} else if e, ok := errors.AsType[*failure](err); ok && e.status == http.StatusBadRequest {
			f.forget() // the issuer cannot read the cursor
		}
		if err != nil || !a.more {
			return err
		}
	}
}

// next returns the cursor of the page to ask for.
func (f *Feed) next() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sequence != nil {
		return f.sequence.cursor
	}
	return f.cursor
}

// forget drops the cursor, so that the next answer is a snapshot. What is known to be revoked
// stays revoked.
func (f *Feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor, f.sequence = "", nil
}

// ask fetches the page after a cursor. The nonce proves that the answer was made for this
// request and does not come from a cache.
func (f *Feed) ask(ctx context.Context, after string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nonce := rand.Text()
	r, err := f.request(ctx, "application/json", url.Values{"after": {after}, "nonce": {nonce}})
	if err != nil {
		return page{}, err
	}
	d, err := f.client.fetch(r, "")
	if err != nil {
		return page{}, err
	}
	a, err := parsePage(d.body)
	switch {
	case err != nil:
		return page{}, failed("content", "%w", err)
	case a.nonce != nonce:
		return page{}, failed("content", "the answer is to another question")
	case a.more && (a.next == after || len(a.entries) == 0):
		return page{}, failed("content", "the pages do not go on")
	}
	return a, nil
}

// request makes a request with this service's credential. Values that are empty are left out.
func (f *Feed) request(ctx context.Context, accept string, query url.Values) (*http.Request, error) {
	for name := range query {
		if query.Get(name) == "" {
			delete(query, name)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.cfg.URL+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, failed("network", "%w", err)
	}
	f.authorize(r)
	r.Header.Set("Accept", accept)
	return r, nil
}

// take adds the entries of a page. After the last page it confirms that everything is known that
// was revoked when the first was asked for.
func (f *Feed) take(after string, asked time.Time, a page) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkHistory(after, a); err != nil {
		f.cursor, f.sequence = "", nil
		return err
	}
	s := f.sequence
	switch {
	case s == nil:
		s = &sequence{snapshot: a.snapshot, heard: asked.Add(-a.age)}
	case a.snapshot && !s.snapshot: // the history was lost between two pages
		s = &sequence{snapshot: true, heard: asked.Add(-a.age), entries: s.entries}
	}
	f.sequence = s
	if s.entries += len(a.entries); s.entries > f.cfg.MaxEntries {
		f.sequence = nil
		return failed("size", "there are more than %d revocations", f.cfg.MaxEntries)
	}
	if err := f.add(a.entries); err != nil {
		return err
	}
	s.cursor = a.next
	if a.more {
		return nil
	}
	if s.snapshot { // it holds everything, so that no older entry of an unknown kind is left
		f.unknown.Store(byBothClocks(s.unknown))
	}
	f.cursor, f.sequence = a.next, nil
	f.set.Confirm(s.heard)
	select {
	case f.ready <- struct{}{}:
	default:
	}
	return nil
}

// checkHistory returns an error if a page does not continue what came before it, and logs that the
// issuer's store has another history or cannot continue this one. What is known stays known until
// it expires, since a store that was restored from a backup may have lost revocations. f.mu is held.
func (f *Feed) checkHistory(after string, a page) error {
	known, inside := f.lineage, f.sequence != nil && f.sequence.snapshot
	switch {
	case a.lineage != known && known != "" && !a.snapshot:
		f.lineage = a.lineage
		return failed("history", "two histories answer")
	case a.lineage != known && known != "":
		f.cfg.Logger.Warn("the issuer's store has another history; all revocations are read again", "lineage", a.lineage)
	case inside && !a.snapshot:
		return failed("content", "the pages do not go on")
	case after != "" && a.snapshot && !inside:
		f.cfg.Logger.Warn("the issuer's store cannot go on from here, as after a restart or a restore of it; all revocations are read again", "lineage", a.lineage)
	}
	if a.lineage != known {
		f.sequence = nil
	}
	f.lineage = a.lineage
	return nil
}

// add adds entries, unless there would be too many. f.mu is held.
func (f *Feed) add(entries []entry) error {
	if f.set.Len()+len(entries) > f.cfg.MaxEntries {
		if f.set.Add(); f.set.Len()+len(entries) > f.cfg.MaxEntries { // Add drops what has expired
			return failed("size", "there are more than %d revocations", f.cfg.MaxEntries)
		}
	}
	var unknown time.Time // until when those of unknown kinds hold
	cuts := make([]doorward.Revocation, 0, len(entries))
	for _, e := range entries {
		if e.known {
			cuts = append(cuts, e.cut)
			continue
		}
		until := e.cut.ExpiresAt
		if until.IsZero() {
			until = time.Unix(1<<40, 0) // as good as never
		}
		unknown = later(unknown, until)
	}
	f.set.Add(cuts...)
	f.renewKeys(cuts)
	f.noteUnknown(unknown)
	if f.sequence != nil { // its snapshot may be older than what a stream has brought meanwhile
		f.sequence.unknown = later(f.sequence.unknown, unknown)
	}
	return nil
}

// mostRevokedKeys bounds Feed.revoked; an issuer revokes one key in years.
const mostRevokedKeys = 1000

// renewKeys lets the key set be fetched at once if entries revoke a key. It does so once for each
// key, since one entry may come several times.
func (f *Feed) renewKeys(cuts []doorward.Revocation) {
	if f.cfg.Keys == nil {
		return
	}
	news := false
	f.renewing.Lock()
	for _, cut := range cuts {
		if cut.Kind == doorward.KindKey && !f.revoked[cut.ID] && len(f.revoked) < mostRevokedKeys {
			f.revoked[cut.ID], news = true, true
		}
	}
	f.renewing.Unlock()
	if news {
		f.cfg.Keys.endCoolDown()
	}
}

// noteUnknown makes the feed stale until a time.
func (f *Feed) noteUnknown(until time.Time) {
	if until := byBothClocks(until); until != nil {
		if before := f.unknown.Load(); before == nil || until.After(*before) {
			f.unknown.Store(until)
		}
	}
}

// byBothClocks gives a time of the wall clock a monotonic reading too. It returns nil if the time is past.
func byBothClocks(until time.Time) *time.Time {
	now := time.Now()
	left := until.Sub(now.Round(0))
	if left <= 0 {
		return nil
	}
	until = now.Add(left)
	return &until
}

// hasUnknown reports whether an entry of an unknown kind holds, by either clock.
func (f *Feed) hasUnknown() bool {
	until := f.unknown.Load()
	if until == nil {
		return false
	}
	now := time.Now()
	return until.After(now) || until.Round(0).After(now.Round(0))
}

// backOff returns how long to wait after a failure: a random part of a limit that doubles up to
// Poll. A refused credential is tried again only after Poll, since it will not be accepted sooner.
func (f *Feed) backOff(err error, failures int) time.Duration {
	e, _ := errors.AsType[*failure](err)
	switch {
	case reasonOf(err) == "denied":
		return between(f.cfg.Poll*3/4, f.cfg.Poll)
	case e != nil && e.wait > 0:
		return between(0, firstWait) + min(e.wait, f.cfg.MaxStaleness/2)
	}
	return between(0, min(firstWait<<min(failures, 10), f.cfg.Poll))
}

// wait returns after d, or before if something comes on early or ctx ends.
func wait(ctx context.Context, d time.Duration, early <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
	}
}

// between returns a random duration in [least, most), or least if there is none.
func between(least, most time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return least + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(max(most-least, 1)))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
