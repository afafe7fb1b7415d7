package main

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// row is one thing to measure.
type row struct {
	name string
	op   func() error
}

// figure is what a row took.
type figure struct {
	name   string
	times  []float64 // nanoseconds of processor time for one operation, a value for each round
	allocs float64
	bytes  float64
}

func (f figure) median() float64  { return median(f.times) }
func (f figure) minimum() float64 { return slices.Min(f.times) }

// over is how many times the time of base f takes: the median of the rounds' ratios.
func (f figure) over(base figure) float64 {
	ratios := make([]float64, len(f.times))
	for i := range ratios {
		ratios[i] = f.times[i] / base.times[i]
	}
	return median(ratios)
}

// interleave measures the rows in rounds. In each round every row has the processor for a slice, in another order. What
// it takes is the processor time of the whole process, the collection of garbage included, on one processor.
func interleave(e effort, rows []row) ([]figure, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	figures := make([]figure, len(rows))
	counts := make([]int, len(rows))
	for i, r := range rows {
		if err := r.op(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		figures[i] = figure{name: r.name}
		figures[i].allocs, figures[i].bytes = allocations(r.op, e.counted)
		counts[i] = calibrate(r.op, e.slice)
	}
	for round := range e.rounds {
		for _, i := range order(len(rows), round) {
			taken, err := timed(rows[i].op, counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", rows[i].name, err)
			}
			figures[i].times = append(figures[i].times, taken)
		}
	}
	return figures, nil
}

// order begins with another row in each round, and goes backwards in every second one, so that no row always comes
// after the same other.
func order(rows, round int) []int {
	all := make([]int, rows)
	for i := range all {
		all[i] = (i + round) % rows
	}
	if round%2 == 1 {
		slices.Reverse(all)
	}
	return all
}

// calibrate returns how often op runs in a slice of time.
func calibrate(op func() error, slice time.Duration) int {
	for n := 1; ; n *= 2 {
		taken, err := timed(op, n)
		if total := taken * float64(n); err != nil || total > float64(slice)/4 {
			return max(1, int(float64(slice)/max(taken, 1)))
		}
	}
}

// timed returns the nanoseconds that one of n operations took.
func timed(op func() error, n int) (float64, error) {
	start := processorTime()
	for range n {
		if err := op(); err != nil {
			return 0, err
		}
	}
	return float64(processorTime()-start) / float64(n), nil
}

// allocations are the number and the bytes that one operation allocates. The lowest of some tries leaves out what others
// allocate meanwhile.
func allocations(op func() error, runs int) (count, size float64) {
	const tries = 3
	var before, after runtime.MemStats
	for try := range tries {
		runtime.ReadMemStats(&before)
		for range runs {
			_ = op() // the caller has seen it succeed
		}
		runtime.ReadMemStats(&after)
		n, b := float64((after.Mallocs-before.Mallocs)/uint64(runs)), float64((after.TotalAlloc-before.TotalAlloc)/uint64(runs))
		if try == 0 || n < count {
			count, size = n, b
		}
	}
	return count, size
}

// processorTime is what the process has used of the processors so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
