//go:build unix

package main

import (
	"math"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// privateFiles makes what this process creates readable for its own user alone.
func privateFiles() { syscall.Umask(0o077) }

// ownerOf returns who owns path, as sudo -u takes it, and whether we are that user.
func ownerOf(path string) (name string, mine bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return "", true, nil
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username, false, nil
	}
	return "'#" + id + "'", false, nil
}

// openFiles is how many files this process may have open at once, connections included. The Go runtime has raised it as far
// as it may.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
