package gate

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// stall is how long a client may take neither to send nor to receive a byte that it is
// waited for, before it is given up.
const stall = time.Minute

// armEvery is how often a deadline is moved at most.
const armEvery = time.Second

// upload is the body of a request on its way to the upstream.
type upload struct {
	io.ReadCloser
	transit *transit
	armed   time.Time
}

// Read waits for the client as long as it goes on sending, and starts the upstream's time anew.
func (u *upload) Read(p []byte) (int, error) {
	t := u.transit
	now := time.Now()
	if now.Sub(u.armed) > armEvery {
		u.armed = now
		_ = t.control.SetReadDeadline(now.Add(stall)) // not every writer has one
	}
	n, err := u.ReadCloser.Read(p)
	if t.in.ProtoMajor > 1 {
		_ = t.control.SetReadDeadline(time.Time{}) // An idle stream would be reset.
		u.armed = time.Time{}
	}
	t.progress()
	switch {
	case errors.Is(err, io.EOF):
		_ = t.control.SetReadDeadline(time.Time{}) // The server goes on reading, to see the client go.
		t.passTrailers()
	case err != nil:
		t.broken.Store(true)
	}
	return n, err
}

// download is the body of an answer whose length is known: the upstream may not pause in it for too long.
type download struct {
	io.ReadCloser
	*transit
}

// Read waits for the upstream for as long as it may take.
func (d *download) Read(p []byte) (int, error) {
	d.timer.Reset(d.timeout)
	n, err := d.ReadCloser.Read(p)
	d.timer.Stop()
	return n, err
}

// writer writes an answer to a client that may be slow, but not for ever.
type writer struct {
	http.ResponseWriter
	transit *transit
	armed   time.Time
}

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write waits for the client as long as it goes on receiving.
func (w *writer) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.armed) > armEvery {
		w.armed = now
		_ = w.transit.control.SetWriteDeadline(now.Add(stall))
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what was written at once.
func (w *writer) FlushError() error {
	err := w.transit.control.Flush()
	if w.transit.in.ProtoMajor > 1 {
		_ = w.transit.control.SetWriteDeadline(time.Time{}) // An idle stream would be reset.
		w.armed = time.Time{}
	}
	return err
}

// tunnel is the client's end of a WebSocket. It copies with small buffers, since most
// sockets are idle and there may be many.
type tunnel struct {
	net.Conn
	early io.Reader // what the client has sent already; nil if nothing
}

// ReadFrom copies to the client.
func (t *tunnel) ReadFrom(r io.Reader) (int64, error) { return copySmall(t.Conn, r) }

// WriteTo copies from the client.
func (t *tunnel) WriteTo(w io.Writer) (int64, error) {
	if t.early != nil {
		if n, err := copySmall(w, t.early); err != nil {
			return n, err
		}
	}
	return copySmall(w, t.Conn)
}

func copySmall(dst io.Writer, src io.Reader) (int64, error) {
	buffer := make([]byte, 2<<10)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buffer)
}
