// Package spool writes lines for a reader that may stall, and lets nobody wait for it.
package spool

import (
	"io"
	"sync"
	"time"
)

// room is how many bytes may wait to be written.
const room = 1 << 20

// patience is how long the end waits for the reader.
const patience = time.Second

// Spool is an [io.Writer] that never waits. It writes in a goroutine of its own, so that a pipe that nobody empties, or a
// terminal that somebody has stopped, stops nothing else. Lines that come while it writes are written together. Those for
// which there is no room are lost, and counted.
type Spool struct {
	to  io.Writer
	gap func(lost int)

	mu    sync.Mutex // guards the next two
	lines []byte     // that wait
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
	if s.lost == 0 && len(s.lines)+len(line) <= room {
		s.lines = append(s.lines, line...)
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
	var written []byte // whose memory the next lines use
	for {
		select {
		case <-s.more:
			written = s.flush(written)
		case <-s.end:
			s.flush(written)
			return
		}
	}
}

// flush writes what waits now, while the next lines wait in the memory of free. It returns what it has written.
func (s *Spool) flush(free []byte) []byte {
	s.mu.Lock()
	lines, lost := s.lines, s.lost
	s.lines, s.lost = free[:0], 0
	s.mu.Unlock()
	if len(lines) > 0 {
		_, _ = s.to.Write(lines)
	}
	if lost > 0 {
		s.gap(lost)
	}
	return lines
}
