package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
	eraser   = "\r\x1b[K"
)

// progress is a bar on the terminal that stderr is. Elsewhere it shows nothing.
type progress struct {
	a     *app
	what  string // what is counted beside the bar
	shown time.Time
	on    bool
}

func (a *app) progress(what string) *progress {
	return &progress{a: a, what: what, on: isTerminal(a.errs)}
}

// show draws the bar at read of whole, at most ten times a second.
func (p *progress) show(count int, read, whole int64) {
	if !p.on || time.Since(p.shown) < barEvery {
		return
	}
	p.shown = time.Now()
	share := 0
	if whole > 0 {
		share = int(min(100, 100*read/whole))
	}
	full := barWidth * share / 100
	fmt.Fprintf(p.a.errs, "%s[%s%s] %3d %% · %d %s", eraser, strings.Repeat("#", full), strings.Repeat("-", barWidth-full), share, count, p.what)
}

// clear removes the bar, so that a line can be written.
func (p *progress) clear() {
	if p.on && !p.shown.IsZero() {
		fmt.Fprint(p.a.errs, eraser)
		p.shown = time.Time{}
	}
}
