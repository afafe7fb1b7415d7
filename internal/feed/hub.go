package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

const (
	// maxBehind is how many events a stream may be behind before it is cut.
	maxBehind = 64
	// maxPerEvent is how many entries one event has at most.
	maxPerEvent = 1000
	// maxRemembered is how many entries are remembered in order not to be told again.
	maxRemembered = 100_000
)

// Errors of [Feed.Follow].
var (
	// ErrFull says that there are as many streams as there may be, or that the server stops.
	ErrFull = errors.New("feed: no more streams")
	// ErrResync says that no stream can go on from the cursor.
	ErrResync = errors.New("feed: the cursor is of another history or too far behind")
)

// Stream is one reader's stream of events, which are to be written as they are.
type Stream struct {
	first  []byte
	events chan []byte
	hub    *hub
}

// First is the first event: what the reader's cursor lacks.
func (s *Stream) First() []byte { return s.first }

// Events are those that follow. The channel is closed when the stream must end.
func (s *Stream) Events() <-chan []byte { return s.events }

// Close ends the stream. It may be called more than once.
func (s *Stream) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.cut(s)
}

// Follow begins a stream at the cursor that a reader has come to. It returns ErrFull if
// there are limit streams already, ErrResync, or an error of the store.
//
// The order counts: first the stream joins the hub, then the store is read. What the
// read does not see comes through the hub, and what the hub has told before is in the
// read. So the first event may end at the hub's cursor, even if the read got further.
func (f *Feed) Follow(ctx context.Context, after issuer.Cursor, limit int) (*Stream, error) {
	s := &Stream{hub: &f.hub, events: make(chan []byte, maxBehind)}
	lineage, told, err := f.hub.enter(s, limit)
	if err != nil {
		return nil, err
	}
	a, err := f.Read(ctx, after, time.Now())
	if err == nil && (a.Snapshot || a.More || a.Lineage != lineage) {
		err = ErrResync
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.first = eventOf(lineage, after, told, a.EntriesJSON)
	return s, nil
}

// Publish sends each page that the issuer's follower reads to the streams. Calls come in the
// order of the pages.
func (f *Feed) Publish(page issuer.RevocationPage) { f.hub.publish(page) }

// Followers is how many streams are open.
func (f *Feed) Followers() int {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	return len(f.hub.streams)
}

// Close ends all streams and begins no more. Polls are still answered.
func (f *Feed) Close() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.hub.closed = true
	f.hub.cutAll()
}

// hub passes each event to all streams.
type hub struct {
	mu      sync.Mutex // guards what follows
	streams map[*Stream]struct{}
	closed  bool
	lineage string
	told    issuer.Cursor       // the streams know everything before it
	last    map[cutoff]struct{} // what the last page held, some of which the next may repeat
}

// cutoff identifies a Revocation.
type cutoff struct {
	kind       doorward.Kind
	id, before string
}

// enter adds s to the streams that get what is published from now on.
func (h *hub) enter(s *Stream, limit int) (lineage string, told issuer.Cursor, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.streams) >= limit {
		return "", "", ErrFull
	}
	h.streams[s] = struct{}{}
	return h.lineage, h.told, nil
}

// publish tells what is new in a page. Each event must begin where the one before ended, so
// that, while there are streams, told moves only with an event.
func (h *hub) publish(page issuer.RevocationPage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lineage != page.Lineage {
		h.cutAll()
		h.lineage = page.Lineage
	}
	if len(h.streams) == 0 {
		h.told, h.last = page.Next, nil
		return
	}
	fresh := h.unheard(page.Entries)
	for ; len(fresh) > maxPerEvent; fresh = fresh[maxPerEvent:] {
		h.tell(eventOf(h.lineage, h.told, h.told, encode(fresh[:maxPerEvent])))
	}
	if len(fresh) > 0 {
		h.tell(eventOf(h.lineage, h.told, page.Next, encode(fresh)))
		h.told = page.Next
	}
}

// unheard returns the entries that were not in the page before: a store may repeat entries
// from one page to the next.
func (h *hub) unheard(entries []doorward.Revocation) []doorward.Revocation {
	now := make(map[cutoff]struct{}, min(len(entries), maxRemembered))
	var fresh []doorward.Revocation
	for _, e := range entries {
		key := cutoff{e.Kind, e.ID, e.Before}
		if _, ok := h.last[key]; !ok {
			fresh = append(fresh, e)
		}
		if len(now) < maxRemembered {
			now[key] = struct{}{}
		}
	}
	h.last = now
	return fresh
}

// tell gives an event to each stream, and cuts those that are too far behind.
func (h *hub) tell(event []byte) {
	for s := range h.streams {
		select {
		case s.events <- event:
		default:
			h.cut(s)
		}
	}
}

// cutAll ends all streams. h.mu is held.
func (h *hub) cutAll() {
	for s := range h.streams {
		h.cut(s)
	}
}

// cut ends a stream, if it has not ended. h.mu is held.
func (h *hub) cut(s *Stream) {
	if _, ok := h.streams[s]; ok {
		delete(h.streams, s)
		close(s.events)
	}
}
