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
	"slices"
	"sync"
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
	times, err := c.latencies(ctx, connections, 0, d)
	return float64(max(len(times), 1)), err
}

// latencies sends requests on some connections for a while and returns the nanoseconds that each answer took, the least first.
// With a pace, that is how many requests a second the connections send in all, each at its time.
func (c client) latencies(ctx context.Context, connections int, pace float64, d time.Duration) ([]float64, error) {
	now := time.Now()
	times, errs := make([][]float64, connections), make([]error, connections)
	var wg sync.WaitGroup
	for i := range errs {
		s := schedule{until: now.Add(d)}
		if pace > 0 {
			s.every = time.Duration(float64(connections) / pace * float64(time.Second))
			s.next = now.Add(s.every * time.Duration(i+1) / time.Duration(connections))
		}
		wg.Go(func() { times[i], errs[i] = c.talk(ctx, s) })
	}
	wg.Wait()
	all := slices.Concat(times...)
	slices.Sort(all)
	return all, errors.Join(errs...)
}

// schedule is when a client sends.
type schedule struct {
	until time.Time
	every time.Duration // 0 means at once when there is an answer
	next  time.Time
}

// wait waits until it is time for the next request and returns when that is. If the answer before it came too late it was
// due long ago: who has to wait for a slow server waits from then on.
func (s *schedule) wait() time.Time {
	now := time.Now()
	if s.every == 0 {
		return now
	}
	due := s.next
	s.next = due.Add(s.every)
	if now.After(due) {
		return due
	}
	<-time.After(due.Sub(now))
	return time.Now()
}

// talk is one client. Where the server ends the connection with its answer, each request has one of its own.
func (c client) talk(ctx context.Context, s schedule) (times []float64, err error) {
	for open := true; open; open = time.Now().Before(s.until) {
		if times, err = c.connection(ctx, &s, times); err != nil {
			return times, err
		}
	}
	return times, nil
}

// connection asks on one connection for as long as the server lets it. It reads the first answer as HTTP, and of the others
// that they are as long and have the same first line: so it takes less of the machine than the server does. It adds to times.
func (c client) connection(ctx context.Context, s *schedule, times []float64) (_ []float64, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return times, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(s.until.Add(10 * time.Second)); err != nil {
		return times, err
	}
	var seen bytes.Buffer
	sent := time.Now()
	if _, err := conn.Write(c.text); err != nil {
		return times, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &seen)), nil)
	if err != nil {
		return times, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return times, fmt.Errorf("the answer is %s %q: %w", answer.Status, body, err)
	}
	now := time.Now()
	times = append(times, float64(now.Sub(sent)))
	if answer.Close {
		return times, nil
	}
	const line = len("HTTP/1.1 200 OK\r\n")
	buf := make([]byte, seen.Len())
	for now.Before(s.until) {
		sent = s.wait()
		if _, err := conn.Write(c.text); err != nil {
			return times, err
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			return times, err
		}
		if string(buf[:line]) != string(seen.Bytes()[:line]) {
			return times, fmt.Errorf("an answer begins with %q", buf[:line])
		}
		now = time.Now()
		times = append(times, float64(now.Sub(sent)))
	}
	return times, nil
}
