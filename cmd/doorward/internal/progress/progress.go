// Package progress shows on a terminal how far long work is.
package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
	eraser   = "\r\x1b[K"
)

// Bar is a bar on one line of a terminal. It is for one goroutine.
type Bar struct {
	to    io.Writer
	what  string // what is counted beside the bar
	shown time.Time
}

// New returns a bar on the terminal to; nil shows nothing.
func New(to io.Writer, what string) *Bar {
	return &Bar{to: to, what: what}
}

// Show draws the bar at read of whole, at most ten times a second.
func (b *Bar) Show(count int, read, whole int64) {
	if b.to == nil || time.Since(b.shown) < barEvery {
		return
	}
	b.shown = time.Now()
	share := 0
	if whole > 0 {
		share = int(min(100, 100*read/whole))
	}
	full := barWidth * share / 100
	fmt.Fprintf(b.to, "%s[%s%s] %3d %% · %d %s", eraser, strings.Repeat("#", full), strings.Repeat("-", barWidth-full), share, count, b.what)
}

// Clear removes the bar, so that a line can be written.
func (b *Bar) Clear() {
	if b.to != nil && !b.shown.IsZero() {
		fmt.Fprint(b.to, eraser)
		b.shown = time.Time{}
	}
}
