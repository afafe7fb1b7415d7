package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// writeDeadline is when a connection gives up to write. net/http moves it with each request, nearly always to
// later, and to set a timer costs more than to look at it. So the timer that is set stays if it is the earlier one, and a
// write that it ends too early goes on.
type writeDeadline struct {
	mu   sync.Mutex // guards what follows
	want time.Time  // zero is never
	set  time.Time  // what the connection was told; zero is never
}

// move gives up writes on conn at t, those under way too.
func (d *writeDeadline) move(conn net.Conn, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.set.Equal(t) || !d.set.IsZero() && (t.IsZero() || d.set.Before(t)) {
		return nil
	}
	d.set = t
	return conn.SetWriteDeadline(t)
}

// write writes to conn until it is time to give up.
func (d *writeDeadline) write(conn net.Conn, p []byte) (int, error) {
	n, err := conn.Write(p)
	for err != nil && errors.Is(err, os.ErrDeadlineExceeded) && d.renew(conn) {
		var more int
		more, err = conn.Write(p[n:])
		n += more
	}
	return n, err
}

// renew sets the timer to what is wanted, and reports whether there is time left.
func (d *writeDeadline) renew(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.want.IsZero() && !time.Now().Before(d.want) {
		return false
	}
	d.set = d.want
	return conn.SetWriteDeadline(d.want) == nil
}
