package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// stat is what /proc says of a process.
type stat struct {
	parent int
	used   time.Duration // user and system, of the process and of the children it has waited for
}

// treeTime is the processor time, user and system, of a process and of all that descend from it, in ticks of 10 ms.
func treeTime(root int) (time.Duration, error) {
	all, err := readStats()
	if err != nil {
		return 0, err
	}
	if _, ok := all[root]; !ok {
		return 0, fmt.Errorf("process %d has ended", root)
	}
	var total time.Duration
	for pid, s := range all {
		if descends(all, pid, root) {
			total += s.used
		}
	}
	return total, nil
}

func descends(all map[int]stat, pid, root int) bool {
	for range len(all) { // the parents may change while they are read
		if pid == root {
			return true
		}
		s, ok := all[pid]
		if !ok {
			return false
		}
		pid = s.parent
	}
	return false
}

func readStats() (map[int]stat, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(errors.New("no /proc to read processor times from"), err)
	}
	all := make(map[int]stat, len(names))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		if all[pid], err = parseStat(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

// parseStat reads fields 4 and 14 to 17 of proc_pid_stat(5). They are counted from behind the name, which may hold anything.
func parseStat(text string) (stat, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return stat{}, errors.New("too few fields")
	}
	parent, err := strconv.Atoi(fields[1])
	s := stat{parent: parent}
	for _, field := range fields[11:15] {
		n, e := strconv.ParseInt(field, 10, 64)
		s.used, err = s.used+time.Duration(n)*tick, errors.Join(err, e)
	}
	return s, err
}
