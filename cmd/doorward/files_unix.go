//go:build unix

package main

import (
	"math"
	"syscall"
)

// openFiles is how many files this process may have open at once, connections included. The Go runtime has raised it as far
// as it may.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
