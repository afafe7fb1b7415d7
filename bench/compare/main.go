// Command compare measures Doorward's token core beside other Go libraries for tokens, on the same tokens and with
// the same checks, and writes the page that shows the figures. It needs Unix for the processor time that it reads.
//
// All figures of a table come from interleaved rounds: each round runs every row once, for a moment, in
// another order. So what else the machine does falls on all rows alike, and ratios mean more than times.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// effort says for how long to measure.
type effort struct {
	rounds     int           // of what runs in process
	slice      time.Duration // of one row in one round
	httpRounds int
	httpSlice  time.Duration
	gateStarts int       // of the programs that stand in front of an upstream
	gateRounds int       // after each start
	gatePace   float64   // requests a second in all, when the clients do pause
	entries    int       // revocations in the set that is searched
	sessions   []int     // in the stores in which sessions are refreshed
	refreshed  int       // of them in turn: enough that none comes again within its millisecond, whatever the callers
	progress   io.Writer // is told what is measured
	counted    int       // operations whose allocations are counted
}

var (
	full = effort{
		rounds: 25, slice: 20 * time.Millisecond, httpRounds: 50, httpSlice: 120 * time.Millisecond, gateStarts: 6, gateRounds: 8, gatePace: 4000,
		entries: 1_000_000, counted: 100, sessions: []int{1_000, 10_000, 100_000, 1_000_000}, refreshed: 960,
		progress: os.Stderr,
	}
	quick = effort{
		rounds: 2, slice: time.Millisecond, httpRounds: 1, httpSlice: 20 * time.Millisecond, gateStarts: 2, gateRounds: 1, gatePace: 4000,
		entries: 10_000, counted: 3, sessions: []int{1_000, 2_000}, refreshed: 64,
		progress: io.Discard,
	}
)

func main() {
	out := flag.String("out", "", "the folder to write benchmarks.md and the plots into; none by default")
	short := flag.Bool("quick", false, "measure for a moment only, to see that it works; the figures mean nothing")
	serve := flag.String("serve", "", "serve with the middleware of this name, or as a proxy to this URL, until standard input ends; used by the program itself")
	gate := flag.Bool("gate", false, "measure what stands in front of an upstream alone, and print its section")
	flag.Parse()
	e := full
	if *short {
		e = quick
	}
	if err := run(context.Background(), e, *out, *serve, *gate); err != nil {
		fmt.Fprintln(os.Stderr, "compare: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, e effort, out, serve string, gate bool) error {
	if serve != "" {
		return serveUntilEnd(ctx, serve, os.Stdin, os.Stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if gate {
		return printGate(ctx, e, self, os.Stdout)
	}
	f, err := newField(algorithms...)
	if err != nil {
		return err
	}
	r, err := f.measure(ctx, e, self)
	if err != nil {
		return err
	}
	if out == "" {
		return r.page(os.Stdout)
	}
	return r.write(out)
}

// printGate measures one section alone.
func printGate(ctx context.Context, e effort, self string, w io.Writer) error {
	r := &result{effort: e}
	if err := r.measureGate(ctx, e, self); err != nil {
		return err
	}
	r.pageGate(w)
	tableTargets(w, r.targetsGate())
	return nil
}
