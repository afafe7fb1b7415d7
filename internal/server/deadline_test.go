package server_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/server"
)

// told counts how often a connection is told when to give up.
type told struct {
	net.Conn
	times int
}

func (c *told) SetReadDeadline(t time.Time) error {
	c.times++
	return c.Conn.SetReadDeadline(t)
}

func (c *told) SetWriteDeadline(t time.Time) error {
	c.times++
	return c.Conn.SetWriteDeadline(t)
}

// direction is one way that bytes go on a connection of this server's.
type direction struct {
	net.Conn
	peer     net.Conn
	below    *told
	move     func(time.Time) error
	transfer func([]byte) (int, error)
	answer   func([]byte) (int, error) // the peer's end of it
}

// hello lets 5 bytes go.
func (d direction) hello() (int, error) { return d.transfer([]byte("hello")) }

// serve lets the peer take, or send, n bytes after a while.
func (d direction) serve(n int, after time.Duration) {
	time.AfterFunc(after, func() { _, _ = d.answer(make([]byte, n)) })
}

func (d direction) good(t *testing.T) {
	t.Helper()
	if n, err := d.hello(); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// late wants a transfer to give up after a while.
func (d direction) late(t *testing.T, want time.Duration) {
	t.Helper()
	begin := time.Now()
	n, err := d.hello()
	if took := time.Since(begin); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
		t.Errorf("%d, %v after %s, want nothing after %s", n, err, took, want)
	}
}

// connect returns a connection, for reads or for writes.
func connect(t *testing.T, way string) direction {
	t.Helper()
	end, peer := net.Pipe()
	d := direction{peer: peer, below: &told{Conn: end}}
	d.Conn = server.Limited(d.below)
	t.Cleanup(func() { must(t, errors.Join(d.Close(), peer.Close())) })
	d.move, d.transfer, d.answer = d.SetReadDeadline, d.Read, peer.Write
	if way == "writes" {
		d.move, d.transfer = d.SetWriteDeadline, d.Write
		d.answer = func(p []byte) (int, error) { return io.ReadFull(peer, p) }
	}
	return d
}

// bothWays runs a test in a bubble for reads and for writes.
func bothWays(t *testing.T, test func(t *testing.T, d direction)) {
	t.Helper()
	for _, way := range []string{"reads", "writes"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, connect(t, way)) })
		})
	}
}

// As net/http does for each request.
func TestDeadlineCostsNothing(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, d direction) {
		for range 1000 {
			must(t, d.move(time.Now().Add(30*time.Second)))
			d.serve(5, time.Millisecond)
			d.good(t)
			must(t, d.move(time.Unix(1, 0)))
			d.late(t, 0)
			must(t, d.move(time.Time{}))
		}
		must(t, d.move(time.Now().Add(30*time.Second)))
		if d.below.times != 1 {
			t.Errorf("the connection was told %d times", d.below.times)
		}
		d.late(t, 30*time.Second)
	})
}

// A transfer that is cut short by a deadline which was moved to a later time goes on.
func TestDeadlineTooEarly(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]time.Duration{"an hour": time.Hour, "never": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, d direction) {
				must(t, d.SetDeadline(time.Now().Add(time.Second)))
				d.serve(5, 0)
				d.good(t) // and a timer is set
				var then time.Time
				if later > 0 {
					then = time.Now().Add(later)
				}
				must(t, d.SetDeadline(then))
				d.serve(5, 59*time.Minute)
				d.good(t)
				if d.below.times != 2 {
					t.Errorf("the connection was told %d times", d.below.times)
				}
				if later > 0 {
					d.late(t, time.Minute)
				}
			})
		})
	}
}

// A timer that ends a write in its middle lets the rest go on.
func TestDeadlineTooEarlyForTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, "writes")
		must(t, d.SetWriteDeadline(time.Now().Add(time.Second)))
		go func() { _, _ = io.ReadFull(d.peer, make([]byte, 1+10)) }()
		_, err := d.Write([]byte("x"))
		must(t, errors.Join(err, d.SetWriteDeadline(time.Now().Add(time.Hour))))
		time.AfterFunc(time.Minute, func() { _, _ = io.ReadFull(d.peer, make([]byte, 990)) })
		if n, err := d.Write([]byte(strings.Repeat("x", 1000))); n != 1000 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A deadline that is moved to now ends a transfer that waits.
func TestDeadlineEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, d direction) {
		for _, first := range []time.Duration{0, time.Hour} {
			if first > 0 {
				must(t, d.move(time.Now().Add(first)))
			}
			time.AfterFunc(time.Minute, func() { must(t, d.move(time.Unix(1, 0))) })
			d.late(t, time.Minute)
			d.late(t, 0)
			must(t, d.move(time.Time{})) // and is over after that
			d.serve(5, time.Hour)
			d.good(t)
		}
	})
}
