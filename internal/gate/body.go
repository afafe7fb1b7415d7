package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/doorward/doorward"
)

// stall is how long the gate waits for a client that neither sends nor receives a byte.
const stall = time.Minute

// armEvery is the least time between two moves of a deadline, since a move costs.
const armEvery = time.Second

// farewell is how long a client may go on sending a body that nobody reads any more: some
// clients read their answer only then.
const farewell = time.Second

// upload is the body of a request on its way to the upstream. A goroutine of the
// transport reads it, which may outlive the request's.
type upload struct {
	io.ReadCloser
	transit *transit

	reading  sync.Mutex // held while the client is read from
	mu       sync.Mutex // guards what follows, and the deadline for reading
	armed    time.Time
	complete bool // has been read to its end
	talks    bool // while the answer comes, too
	over     bool // nobody may wait for it any more
}

// Read waits for the client as long as it goes on sending, and starts the upstream's time anew.
func (u *upload) Read(p []byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	if !u.wait() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := u.ReadCloser.Read(p)
	u.transit.pace.came(n)
	u.transit.progress()
	switch {
	case errors.Is(err, io.EOF):
		u.transit.passTrailers()
		u.finish()
	case err != nil:
		u.transit.broken.Store(true)
	case u.transit.in.ProtoMajor > 1:
		u.rest()
	}
	return n, err
}

// wait sets the deadline for the next bytes. It reports false if there is no next read.
func (u *upload) wait() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if !u.over && !u.talks && now.Sub(u.armed) > armEvery {
		u.armed = now
		u.deadline(now.Add(stall))
	}
	u.transit.pace.wait(now)
	return !u.over
}

// rest lifts the deadline between two reads: an idle stream of HTTP/2 would be reset.
func (u *upload) rest() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.armed = time.Time{}
	if !u.over {
		u.deadline(time.Time{})
	}
}

// talk lifts the deadline for good: in a conversation, such as a stream of gRPC, the client may only listen.
func (u *upload) talk() {
	u.mu.Lock()
	u.talks = true
	u.mu.Unlock()
	u.rest()
}

// finish lifts the deadline for good: the server goes on reading, to see the client go.
func (u *upload) finish() {
	u.rest()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.complete = true
}

// done reports whether the body has been read to its end.
func (u *upload) done() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.complete
}

// leave gives the client a moment to stop sending, if it has not yet.
func (u *upload) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if !u.complete {
		u.deadline(time.Now().Add(farewell))
	}
}

// part leaves what is still to come of the body to net/http. Over HTTP/1.1 the transport stops reading first: if net/http had to stop it,
// that would lift the deadline, and a client that sends no more would keep its connection for as long as it likes.
func (u *upload) part() {
	if u.transit.in.ProtoMajor == 1 {
		u.stop()
		u.reading.Lock()
		defer u.reading.Unlock()
	}
	u.leave()
}

// stop ends the read under way, and any other.
func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if !u.complete {
		u.deadline(time.Now())
	}
}

// deadline is for HTTP of both versions; a writer of a test may have none.
func (u *upload) deadline(at time.Time) { _ = u.transit.control.SetReadDeadline(at) }

// trailed is the body of an answer that a trailer may follow. The trailer is complete when the
// body is closed, and is cleaned then.
type trailed struct {
	io.ReadCloser
	proxy  *Proxy
	answer *http.Response
}

// Close ends the body.
func (b *trailed) Close() error {
	err := b.ReadCloser.Close()
	b.proxy.cleanTrailer(b.answer.Trailer)
	return err
}

// conversation is the body of an answer of HTTP/2 to a request that has a body, too. The transport does not look at the
// context while it waits for the client to send more or for the API to take more, so the end of the context closes it.
type conversation struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
	once   sync.Once // A second time the transport would allow the API to send more than it may.
}

// Close ends the context first: else the transport would wait until nobody reads the request any more.
func (c *conversation) Close() error {
	c.cancel(nil)
	c.sever()
	return nil
}

func (c *conversation) sever() { c.once.Do(func() { _ = c.ReadCloser.Close() }) }

// download is the body of an answer whose length is known: the upstream may not pause in it for too long.
type download struct {
	trailed
	*transit

	asked bool // the first piece was read, or is being read
}

// Read waits for the upstream, each time for its timeout at most. If the answer has several pieces its header is sent
// before the first is there, which may take long to make.
func (d *download) Read(p []byte) (int, error) {
	if !d.asked && d.left > bufferSize {
		if err := d.writer.FlushError(); err != nil {
			return 0, err
		}
	}
	d.asked = true
	d.timer.Reset(d.timeout)
	n, err := d.ReadCloser.Read(p)
	d.timer.Stop()
	return n, err
}

// call is the body of an answer of gRPC. If its session ends, so does the call, with a status that says so: a client that is
// merely cut off would take it for a fault of the API.
type call struct {
	trailed
	*transit
}

// Read ends as the API's answer does, or with the session.
func (c *call) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	var status, message string // https://grpc.github.io/grpc/core/md_doc_statuscodes.html
	switch over := context.Cause(c.transit); {
	case errors.Is(over, errSessionOver), errors.Is(over, doorward.ErrRevoked):
		status, message = "16", "session ended"
	case errors.Is(over, doorward.ErrStale):
		status, message = "14", "tokens cannot be checked at the moment"
	default:
		return n, err
	}
	if c.answer.Trailer == nil {
		c.answer.Trailer = http.Header{}
	}
	c.answer.Trailer.Set("Grpc-Status", status)
	c.answer.Trailer.Set("Grpc-Message", message)
	return n, io.EOF
}

// writer writes an answer to a client that may be slow, but not for ever.
type writer struct {
	http.ResponseWriter
	transit *transit
	armed   time.Time
}

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header of the answer. Of interim answers (RFC 9110 §15.2) only the links of Early Hints (RFC 8297)
// pass, since their other headers have not been checked, and none to a client of HTTP/1.0, which does not know them.
func (w *writer) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	h := w.Header()
	links := h["Link"]
	if status != http.StatusEarlyHints || links == nil || !w.transit.in.ProtoAtLeast(1, 1) {
		return
	}
	clear(h) // ReverseProxy does the same afterwards.
	h["Link"] = links
	h["Content-Length"] = nil // It is not sent. For it net/http copies the map, from which it may still read when the client has gone.
	w.armLine()
	w.ResponseWriter.WriteHeader(status)
}

// Write waits for the client as long as it goes on receiving. A piece is sent at once if
// another follows. The last one is sent with the end of the answer, so that a short answer
// takes one write.
func (w *writer) Write(p []byte) (int, error) {
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.transit.pace.came(n)
	if w.transit.left -= int64(n); err == nil && w.transit.left > 0 {
		err = w.FlushError()
	}
	return n, err
}

// arm sets the deadline for what is written next.
func (w *writer) arm() {
	now := time.Now()
	w.transit.pace.wait(now)
	if now.Sub(w.armed) > armEvery {
		w.armed = now
		_ = w.transit.control.SetWriteDeadline(now.Add(stall))
	}
}

// armLine sets the deadline for what comes over HTTP/1.1 before the answer and at its end. Over HTTP/2 no client has to make room for
// that, and an idle stream would be reset.
func (w *writer) armLine() {
	if w.transit.in.ProtoMajor == 1 {
		w.arm()
		w.transit.pace.came(0)
	}
}

// FlushError sends what was written at once.
func (w *writer) FlushError() error {
	w.arm()
	err := w.transit.control.Flush()
	w.transit.pace.came(bufferSize)
	if w.transit.in.ProtoMajor > 1 {
		_ = w.transit.control.SetWriteDeadline(time.Time{}) // An idle stream would be reset.
		w.armed = time.Time{}
	}
	return err
}
