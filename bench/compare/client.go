package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connections is how many clients ask at the same time, each again as soon as it has its answer.
const connections = 16

// client asks one server for one thing.
type client struct {
	address string
	text    []byte // of the request
}

func newClient(address, path, header string) client {
	return client{address, []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n" + header + "\r\n\r\n")}
}

// ask sends requests on all connections for a while and returns how many were answered.
func (c client) ask(ctx context.Context, d time.Duration) (float64, error) {
	until := time.Now().Add(d)
	var total atomic.Int64
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			n, err := c.talk(ctx, until)
			total.Add(int64(n))
			errs[i] = err
		})
	}
	wg.Wait()
	return float64(max(total.Load(), 1)), errors.Join(errs...)
}

// talk is one client. Where the server ends the connection with its answer, each request has one of its own.
func (c client) talk(ctx context.Context, until time.Time) (n int, err error) {
	for open := true; open; open = time.Now().Before(until) {
		more, err := c.connection(ctx, until)
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

// connection asks on one connection for as long as the server lets it. It reads the first answer as HTTP, and of the others
// that they are as long and have the same first line: so it takes less of the machine than the server does.
func (c client) connection(ctx context.Context, until time.Time) (n int, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(until.Add(10 * time.Second)); err != nil {
		return 0, err
	}
	var seen bytes.Buffer
	if _, err := conn.Write(c.text); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &seen)), nil)
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s %q: %w", answer.Status, body, err)
	}
	if answer.Close {
		return 1, nil
	}
	const line = len("HTTP/1.1 200 OK\r\n")
	buf := make([]byte, seen.Len())
	for n = 1; time.Now().Before(until); n++ {
		if _, err := conn.Write(c.text); err != nil {
			return n, err
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			return n, err
		}
		if string(buf[:line]) != string(seen.Bytes()[:line]) {
			return n, fmt.Errorf("an answer begins with %q", buf[:line])
		}
	}
	return n, nil
}
