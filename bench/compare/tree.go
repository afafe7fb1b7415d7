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

// tick is the unit of most times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// stat is what /proc says of a process.
type stat struct {
	parent int
	waited time.Duration // user and system, of the children that have ended, in ticks
}

// treeTime is the processor time, user and system, of a process and of all that descend from it. A thread that has ended
// counts no more; a process that has does, in ticks of 10 ms.
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
		if !descends(all, pid, root) {
			continue
		}
		used, err := threadsTime(pid)
		if err != nil {
			return 0, err
		}
		total += s.waited + used
	}
	return total, nil
}

// threadsTime is what the threads of a process have run for, to the nanosecond.
func threadsTime(pid int) (total time.Duration, err error) {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(names) == 0 {
		return 0, errors.Join(fmt.Errorf("no times of process %d in /proc", pid), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		total += time.Duration(n)
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

// parseStat reads fields 4, 16 and 17 of proc_pid_stat(5). They are counted from behind the name, which may hold anything.
func parseStat(text string) (stat, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return stat{}, errors.New("too few fields")
	}
	parent, err := strconv.Atoi(fields[1])
	s := stat{parent: parent}
	for _, field := range fields[13:15] {
		n, e := strconv.ParseInt(field, 10, 64)
		s.waited, err = s.waited+time.Duration(n)*tick, errors.Join(err, e)
	}
	return s, err
}
