// Package spool writes lines for a reader that may stall, and lets nobody wait for it.
package spool

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// room is how many bytes may wait to be written.
const room = 1 << 20

// patience is how long the end waits for the reader.
const patience = time.Second

// Spool is an [io.Writer] that never waits. It writes in a goroutine of its own, so that a pipe that nobody empties, or a
// terminal that somebody has stopped, stops nothing else. Lines for which there is no room are lost, and counted.
type Spool struct {
	to  io.Writer
	gap func(lost int)

	mu    sync.Mutex // guards the next three
	lines [][]byte   // that wait
	size  int        // of all of them
	lost  int        // lines that came after them

	more, end, done chan struct{}
}

// New returns a Spool that writes to a writer. Where lines are missing it calls gap, which may say so there.
func New(to io.Writer, gap func(lost int)) *Spool {
	s := &Spool{to: to, gap: gap, more: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

// Write takes one line. It may be called concurrently, and never fails.
func (s *Spool) Write(line []byte) (int, error) {
	s.mu.Lock()
	if s.lost == 0 && s.size+len(line) <= room {
		s.lines = append(s.lines, bytes.Clone(line))
		s.size += len(line)
	} else {
		s.lost++
	}
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Close writes what waits, for a second at most. What is written after it is lost.
func (s *Spool) Close() {
	close(s.end)
	select {
	case <-s.done:
	case <-time.After(patience):
	}
}

func (s *Spool) run() {
	defer close(s.done)
	for {
		select {
		case <-s.more:
			s.flush()
		case <-s.end:
			s.flush()
			return
		}
	}
}

// flush writes what waits now.
func (s *Spool) flush() {
	s.mu.Lock()
	lines, lost := s.lines, s.lost
	s.lines, s.size, s.lost = nil, 0, 0
	s.mu.Unlock()
	for _, line := range lines {
		_, _ = s.to.Write(line)
	}
	if lost > 0 {
		s.gap(lost)
	}
}
