package server

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is when a connection gives up to read, or to write. net/http moves both several times with each request,
// nearly always to later, and to set a timer costs more than to look at it. So the timer that is set stays if it is the
// earlier one, what it ends too early goes on, and while nobody reads or writes nothing is set at all.
type deadline struct {
	transfer func([]byte) (int, error) // Read or Write of the connection
	tell     func(time.Time) error     // SetReadDeadline or SetWriteDeadline

	mu   sync.Mutex // guards what follows
	want time.Time  // zero is never
	set  time.Time  // what the connection was told; zero is never
	busy int        // transfers under way
}

// move gives up at t, transfers under way too.
func (d *deadline) move(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.busy == 0 {
		return nil
	}
	return d.hasten()
}

// do reads or writes until it is time to give up.
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

// renew sets the timer to what is wanted, and reports whether there is time left.
func (d *deadline) renew() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over() {
		return false
	}
	d.set = d.want
	return d.tell(d.want) == nil
}

// hasten sets a timer that would end too late. d.mu is held.
func (d *deadline) hasten() error {
	if !d.late() {
		return nil
	}
	d.set = d.want
	return d.tell(d.want)
}

// late reports whether the timer would end after what is wanted. d.mu is held.
func (d *deadline) late() bool {
	return !d.want.IsZero() && (d.set.IsZero() || d.want.Before(d.set))
}

// over reports whether it is time to give up. d.mu is held.
func (d *deadline) over() bool { return !d.want.IsZero() && !time.Now().Before(d.want) }
