package server

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is when reads from a connection, or writes to it, time out. net/http moves both deadlines several times with
// each request, nearly always to a later time, and to set one on the connection costs much more than to compare it. So
// the connection keeps the deadline that it has while that is the earlier one; a transfer that it ends too early goes on
// with the new one; and while nothing is transferred, none is set.
type deadline struct {
	transfer func([]byte) (int, error) // Read or Write of the connection
	tell     func(time.Time) error     // SetReadDeadline or SetWriteDeadline

	mu   sync.Mutex // guards what follows
	want time.Time  // the deadline; zero means never
	set  time.Time  // the one that the connection has; zero means never
	busy int        // transfers under way
}

// move sets the deadline, for transfers under way too.
func (d *deadline) move(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.busy == 0 {
		return nil
	}
	return d.hasten()
}

// do reads or writes until the deadline.
func (d *deadline) do(p []byte) (int, error) {
	if err := d.begin(); err != nil {
		return 0, err
	}
	defer d.end()
	n, err := d.transfer(p)
	for err != nil && errors.Is(err, os.ErrDeadlineExceeded) && d.renew() {
		var more int
		more, err = d.transfer(p[n:])
		n += more
	}
	return n, err
}

func (d *deadline) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.late() && d.over() {
		return os.ErrDeadlineExceeded
	}
	if err := d.hasten(); err != nil {
		return err
	}
	d.busy++
	return nil
}

func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
}

// renew sets the deadline on the connection, and reports whether there is time left.
func (d *deadline) renew() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over() {
		return false
	}
	d.set = d.want
	return d.tell(d.want) == nil
}

// hasten sets the deadline on the connection if the one there is too late. d.mu is held.
func (d *deadline) hasten() error {
	if !d.late() {
		return nil
	}
	d.set = d.want
	return d.tell(d.want)
}

// late reports whether the connection would time out after the deadline. d.mu is held.
func (d *deadline) late() bool {
	return !d.want.IsZero() && (d.set.IsZero() || d.want.Before(d.set))
}

// over reports whether the deadline has passed. d.mu is held.
func (d *deadline) over() bool { return !d.want.IsZero() && !time.Now().Before(d.want) }
