package gate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// A stream ends at most sweepPace plus sweepTime after the cut-off that ends it.
const (
	sweepPace    = 250 * time.Millisecond // between two looks at the open streams
	sweepLookups = 256                    // sessions that are looked up each time, at most
	sweepTime    = time.Second            // that the look-ups may take
)

// Streams are the WebSockets, event streams and answers of gRPC that are open, whichever
// [Proxy] has let them in. Run ends each when its session ends: by a cut-off, or at its idle or absolute
// end. It also ends them when revocations are too old to tell. A stream does not end when
// its access token expires: the session goes on, and nobody can refresh the token of a
// request that was sent long ago. Streams may be used concurrently.
type Streams struct {
	issuer *issuer.Issuer
	log    *slog.Logger

	sweeping sync.Mutex // one sweep at a time; guards lookAt of the streams

	mu     sync.Mutex // guards what follows
	open   map[*stream]struct{}
	closed bool
}

// stream is one WebSocket or event stream.
type stream struct {
	claims *doorward.Claims // nil if nobody proved who they are
	lookAt time.Time        // when to look the session up
	end    context.CancelCauseFunc
	grace  bool // may go on when the server stops, as long as other requests may
}

// Why a stream was ended.
var (
	errSessionOver = errors.New("gate: the session is over")
	errStopping    = errors.New("gate: stopping")
)

// NewStreams returns an empty set that asks iss for sessions. A nil log discards.
func NewStreams(iss *issuer.Issuer, log *slog.Logger) *Streams {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Streams{issuer: iss, log: log, open: map[*stream]struct{}{}}
}

// Run ends streams whose session is over, until ctx ends. Then it ends all streams, and
// any that is added later ends at once, but for answers of gRPC: most are whole in a moment.
func (s *Streams) Run(ctx context.Context) {
	tick := time.NewTicker(sweepPace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(ctx, time.Now())
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.closed = true
			for st := range s.open {
				if !st.grace {
					st.end(errStopping)
				}
			}
			return
		}
	}
}

// Len is how many streams are open.
func (s *Streams) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// add takes a stream over; end must end it. The caller removes it when it has ended.
func (s *Streams) add(c *doorward.Claims, end context.CancelCauseFunc, grace bool) *stream {
	st := &stream{claims: c, end: end, grace: grace}
	if c != nil {
		st.lookAt = c.ExpiresAt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && !grace {
		end(errStopping)
	}
	s.open[st] = struct{}{}
	return st
}

func (s *Streams) remove(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, st)
}

// sweep checks every stream against the revocations, as every request is. Of those whose
// session has to be looked up, it takes some; the others wait for the next sweep, so that
// look-ups do not delay cut-offs.
func (s *Streams) sweep(ctx context.Context, now time.Time) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	var due []*stream
	revocations := s.issuer.Revocations()
	for _, st := range s.known() {
		if err := revocations.Check(st.claims); err != nil {
			s.finish(st, err)
		} else if !now.Before(st.lookAt) && len(due) < sweepLookups {
			due = append(due, st)
		}
	}
	ctx, stop := context.WithTimeout(ctx, sweepTime)
	defer stop()
	for _, st := range due {
		if s.lookUp(ctx, st, now) != nil { // nor does the store answer for the next one
			return
		}
	}
}

// known returns the streams whose caller proved who they are.
func (s *Streams) known() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*stream, 0, len(s.open))
	for st := range s.open {
		if st.claims != nil {
			list = append(list, st)
		}
	}
	return list
}

// lookUp ends a stream whose session has lapsed, and sets when to look again. The stream of
// a token that has no session ends when the token expires. A store that does not answer needs
// no care here: revocations go stale, which ends the stream.
func (s *Streams) lookUp(ctx context.Context, st *stream, now time.Time) error {
	sessions, err := s.issuer.Sessions(ctx, issuer.SessionQuery{ID: st.claims.SessionID, Limit: 1})
	switch {
	case err != nil:
		st.lookAt = now.Add(time.Second)
	case len(sessions) == 0 || !sessions[0].Live(now):
		s.finish(st, errSessionOver)
	case sessions[0].IdleEnd.Before(sessions[0].AbsoluteEnd):
		st.lookAt = sessions[0].IdleEnd
	default:
		st.lookAt = sessions[0].AbsoluteEnd
	}
	return err
}

func (s *Streams) finish(st *stream, reason error) {
	s.log.Info("a stream was ended", "reason", reason.Error(), "sub", st.claims.Subject, "sid", st.claims.SessionID)
	st.end(reason)
	s.remove(st)
}
