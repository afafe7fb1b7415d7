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

func (c *told) SetWriteDeadline(t time.Time) error {
	c.times++
	return c.Conn.SetWriteDeadline(t)
}

// connect returns a connection of this server's, the peer's end of it, and what is below.
func connect(t *testing.T) (conn, peer net.Conn, below *told) {
	t.Helper()
	end, peer := net.Pipe()
	below = &told{Conn: end}
	conn = server.Limited(below)
	t.Cleanup(func() { must(t, errors.Join(conn.Close(), peer.Close())) })
	return conn, peer, below
}

// receive reads n bytes after a while.
func receive(peer net.Conn, n int, after time.Duration) {
	time.AfterFunc(after, func() { _, _ = io.ReadFull(peer, make([]byte, n)) })
}

func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	t.Run("moved to later, it costs nothing and holds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			conn, _, below := connect(t)
			for range 1000 { // as net/http does for each request
				must(t, conn.SetWriteDeadline(time.Now().Add(30*time.Second)))
				time.Sleep(time.Millisecond)
				must(t, conn.SetWriteDeadline(time.Time{}))
			}
			must(t, conn.SetWriteDeadline(time.Now().Add(30*time.Second)))
			if below.times != 1 {
				t.Errorf("the connection was told %d times", below.times)
			}
			begin := time.Now()
			n, err := conn.Write([]byte("nobody reads"))
			if took := time.Since(begin); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 30*time.Second {
				t.Errorf("%d, %v after %s", n, err, took)
			}
		})
	})
	t.Run("a timer that is too early ends no write", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			conn, peer, _ := connect(t)
			must(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
			must(t, conn.SetWriteDeadline(time.Now().Add(time.Hour)))
			go func() { _, _ = io.ReadFull(peer, make([]byte, 10)) }()
			receive(peer, 1000, time.Minute)
			if n, err := conn.Write([]byte(strings.Repeat("x", 1000))); n != 1000 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	})
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			conn, peer, _ := connect(t)
			must(t, conn.SetDeadline(time.Now().Add(time.Second)))
			must(t, conn.SetDeadline(time.Time{}))
			receive(peer, 5, time.Hour)
			if n, err := conn.Write([]byte("hello")); n != 5 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	})
	t.Run("moved to earlier, it ends a write under way", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			conn, peer, _ := connect(t)
			must(t, conn.SetWriteDeadline(time.Now().Add(time.Hour)))
			begin := time.Now()
			time.AfterFunc(time.Minute, func() { must(t, conn.SetWriteDeadline(time.Unix(1, 0))) })
			if n, err := conn.Write([]byte("hello")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != time.Minute {
				t.Errorf("%d, %v after %s", n, err, time.Since(begin))
			}
			must(t, conn.SetWriteDeadline(time.Time{})) // and is over after that
			receive(peer, 5, 0)
			if n, err := conn.Write([]byte("hello")); n != 5 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	})
}
