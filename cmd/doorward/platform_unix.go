//go:build unix

package main

import (
	"math"
	"syscall"
)

// privateFiles makes what this process creates readable for its own user alone.
func privateFiles() { syscall.Umask(0o077) }

// openFiles is how many files this process may have open at once, connections included. The Go runtime has raised it as far
// as it may.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
