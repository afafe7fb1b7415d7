package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a TCP proxy that a test can delay, halve and cut.
type wire struct {
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	targets []string   // where it leads, tried in turn: host:port, or the path of a unix socket
	state   wireState
	open    map[net.Conn]bool
}

// wireState is what is wrong with a wire; nothing is wrong with the zero value.
type wireState struct {
	delay  time.Duration // of each packet, in both directions
	halved bool          // what comes back is lost, and nobody is told
	cut    bool          // connections are reset, and new ones as well
}

func newWire(t *testing.T, targets ...string) *wire {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, targets: targets, open: map[net.Conn]bool{}}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.set(wireState{cut: true})
		w.work.Wait()
	})
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) url() string { return "http://" + w.address() }

// lead lets new connections lead somewhere else.
func (w *wire) lead(targets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.targets = targets
}

// set makes something wrong with the wire, or nothing again.
func (w *wire) set(state wireState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	healed := w.state.halved && !state.halved
	w.state = state
	if state.cut || healed { // who lost a part of what was sent has to begin anew
		for conn := range w.open {
			_ = conn.Close()
		}
	}
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.work.Go(func() { w.join(near) })
	}
}

// join connects a connection with the first target that answers, until one side ends it.
func (w *wire) join(near net.Conn) {
	defer w.forget(near)
	if !w.keep(near) {
		return
	}
	far, err := w.dial()
	if err != nil {
		return
	}
	defer w.forget(far)
	if !w.keep(far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { w.pump(near, far, true) })
	w.pump(far, near, false)
	back.Wait()
}

func (w *wire) dial() (net.Conn, error) {
	w.mu.Lock()
	targets := w.targets
	w.mu.Unlock()
	err := errors.New("there is no target")
	for _, target := range targets {
		network := "tcp"
		if strings.HasPrefix(target, "/") {
			network = "unix"
		}
		var far net.Conn
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		far, err = new(net.Dialer).DialContext(ctx, network, target)
		cancel()
		if err == nil {
			return far, nil
		}
	}
	return nil, err
}

func (w *wire) pump(to, from net.Conn, back bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		state := w.now()
		if state.delay > 0 {
			timer := time.NewTimer(state.delay)
			<-timer.C
		}
		if lost := back && state.halved; n > 0 && !lost {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) now() wireState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func (w *wire) keep(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[conn] = true
	return !w.state.cut
}

func (w *wire) forget(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, conn)
	_ = conn.Close()
}
