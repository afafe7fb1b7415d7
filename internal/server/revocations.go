package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/issuer"
)

const (
	// heartbeat is how often a quiet stream says that it is there, and its client is looked at again.
	heartbeat = 10 * time.Second
	// eventTimeout is how long one event may take to be written.
	eventTimeout = 10 * time.Second
	// cursorLimit is how long a cursor may be.
	cursorLimit = 4096
)

func (s *Server) revocationsRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/revocations", Quiet: true, Handle: s.revocations}
}

// revocationsAnswer is one page, without Nonce if the question had none.
type revocationsAnswer struct {
	Nonce    string          `json:"nonce,omitempty"`
	Lineage  string          `json:"lineage"`
	Snapshot bool            `json:"snapshot"`
	Entries  json.RawMessage `json:"entries"`
	Next     issuer.Cursor   `json:"next"`
	More     bool            `json:"more"`
	AgeMS    int64           `json:"age_ms"`
	Now      int64           `json:"now"`
}

// revocations tells a service what was revoked: an answer, or a stream.
func (s *Server) revocations(w http.ResponseWriter, r *http.Request) error {
	client, err := s.basicClient(r, account.ScopeRevocations)
	if err != nil {
		return err
	}
	q, err := parseRevocationsQuery(r)
	if err != nil {
		return err
	}
	if q.stream {
		return s.streamRevocations(w, r, client, q.after)
	}
	a, err := s.cfg.Feed.Read(r.Context(), q.after, time.Time{})
	if err != nil {
		return err
	}
	body, err := json.Marshal(revocationsAnswer{
		Nonce: q.nonce, Lineage: a.Lineage, Snapshot: a.Snapshot, Entries: a.EntriesJSON, Next: a.Next, More: a.More,
		AgeMS: int64((a.Age() + time.Millisecond - 1) / time.Millisecond),
		Now:   time.Now().Add(s.cfg.ClockOffset()).Unix(),
	})
	if err != nil {
		return fmt.Errorf("write revocations: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // The client may be gone; nobody is left to tell.
	return nil
}

// streamRevocations writes events until the reader goes, is too slow or may not read them any
// more, or the server stops. Each write has a deadline of its own: that of the server is for
// answers that end.
func (s *Server) streamRevocations(w http.ResponseWriter, r *http.Request, client account.Client, after issuer.Cursor) error {
	stream, err := s.cfg.Feed.Follow(r.Context(), after, max(1, s.cfg.Connections/2))
	if err != nil && !errors.Is(err, feed.ErrResync) {
		return err
	}
	out := eventWriter{w, http.NewResponseController(w)}
	_ = out.SetReadDeadline(time.Time{})                                      // If it cannot be lifted the stream ends early.
	defer func() { _ = out.SetWriteDeadline(time.Now().Add(eventTimeout)) }() // for the end of the answer
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if err != nil {
		out.write([]byte(feed.Resync))
		return nil
	}
	defer stream.Close()
	if !out.write([]byte(": doorward\n\n")) || !out.write(stream.First()) {
		return nil
	}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case event, ok := <-stream.Events():
			if !ok || !out.write(event) {
				return nil
			}
		case <-ticker.C:
			now, err := s.cfg.Clients.Find(r.Context(), client.ID)
			if errors.Is(err, account.ErrNoClient) || err == nil && !mayFollow(now) || !out.write([]byte(":\n\n")) {
				return nil
			}
		}
	}
}

// mayFollow reports whether a client may still read what was revoked.
func mayFollow(client account.Client) bool {
	return !client.Disabled && client.Scope.Has(account.ScopeRevocations)
}

// eventWriter writes events and sends them off.
type eventWriter struct {
	w http.ResponseWriter
	*http.ResponseController
}

func (e eventWriter) write(event []byte) bool {
	if err := e.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return false
	}
	_, err := e.w.Write(event)
	return err == nil && e.Flush() == nil
}

type revocationsQuery struct {
	after  issuer.Cursor
	nonce  string
	stream bool
}

var (
	cursorForm = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	nonceForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
)

func parseRevocationsQuery(r *http.Request) (q revocationsQuery, err error) {
	values, err := endpoint.Query(r)
	if err != nil {
		return q, err
	}
	for name, list := range values {
		switch {
		case len(list) > 1:
			return q, endpoint.InvalidRequest("a parameter comes twice", nil)
		case name == "after" && len(list[0]) <= cursorLimit && cursorForm.MatchString(list[0]):
			q.after = issuer.Cursor(list[0])
		case name == "nonce" && nonceForm.MatchString(list[0]):
			q.nonce = list[0]
		case name == "after", name == "nonce":
			return q, endpoint.InvalidRequest("after must be what next said, and nonce 16 to 64 letters, digits, - and _", nil)
		default:
			return q, endpoint.InvalidRequest("known parameters are after and nonce", nil)
		}
	}
	q.stream = r.Method == http.MethodGet && wantsEvents(r.Header.Values("Accept"))
	if q.stream && (q.after == "" || q.nonce != "") {
		return q, endpoint.InvalidRequest("a stream needs after, and has no nonce", nil)
	}
	return q, nil
}

// wantsEvents reports whether a request names text/event-stream as what it accepts.
func wantsEvents(accept []string) bool {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if media, _, err := mime.ParseMediaType(part); err == nil && media == "text/event-stream" {
			return true
		}
	}
	return false
}
