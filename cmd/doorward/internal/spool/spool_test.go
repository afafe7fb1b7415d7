package spool_test

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/spool"
)

// stalled is a reader that takes nothing until it is released.
type stalled struct {
	release chan struct{}
	text    bytes.Buffer
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.release
	return s.text.Write(p)
}

// Nobody waits for a reader that stalls, and goes on later. Each line is written whole and once, or is counted.
func TestSpool(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 1000
	line := strings.Repeat("x", 299) + "\n"
	reader, lost := &stalled{release: make(chan struct{})}, 0
	s := spool.New(reader, func(n int) { lost += n })
	var begun atomic.Int32
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if begun.Add(1) == writers*each*9/10 { // more than there is room for
					close(reader.release)
				}
				if n, err := s.Write([]byte(line)); n != len(line) || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
		})
	}
	all.Wait()
	s.Close()
	text := reader.text.String()
	if written := strings.Count(text, line); written+lost != writers*each || lost == 0 || len(text) != written*len(line) {
		t.Errorf("%d bytes in %d lines and %d lost, of %d", len(text), written, lost, writers*each)
	}
}
