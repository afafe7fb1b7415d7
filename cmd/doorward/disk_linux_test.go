package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is where a server keeps its data, and what makes it full.
type disk struct {
	name    string
	program string                      // serve on that disk
	see     func(pid int) (root string) // through which its files are seen from here
	fill    func(pid int, dir string) error
	free    func(pid int, dir string) error
}

// Attack_F12, a full disk: logins, refreshes and logouts are refused with 503, tokens are judged all the while, nothing
// that was acknowledged is lost, and all of it ends with the disk's being full, without a restart.
func TestAttack_F12_FullDisk(t *testing.T) {
	t.Parallel()
	here := func(int) string { return "" }
	disks := []disk{{"no file may grow", binary, here, limitFiles("4096:"), limitFiles("unlimited:")}}
	if program, err := onSmallDisk(t); err != nil {
		t.Logf("no file system of its own, as this machine lets nobody mount one: %v", err)
	} else {
		within := func(pid int) string { return fmt.Sprintf("/proc/%d/root", pid) }
		disks = append(disks, disk{"a file system is full", program, within, fillUp, empty})
	}
	for _, d := range disks {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			d.suffer(t)
		})
	}
}

func (d disk) suffer(t *testing.T) {
	base := t.TempDir()
	dir, file := filepath.Join(base, "data"), filepath.Join(base, "doorward.yaml")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte("refresh: {window: 1ms, budget: 100, limit: 10000}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := startProgram(d.program, "", dir, []string{diskVariable + "=" + dir}, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, s.logs.text())
		}
	})
	pid := s.cmd.Process.Pid
	seen := d.see(pid) + dir
	c := &cluster{
		t: t, bound: 10 * time.Second, login: credentials("admin", readPassword(t, seen)),
		nodes: []*member{{process: s, address: s.url}},
	}
	good := must(t, 200, "POST", s.url+"/login", "", c.login)
	l := c.startLoad(slices.Repeat([]string{c.login}, 4))
	defer l.stop()
	l.await(t, 200, 60)

	if err := d.fill(pid, seen); err != nil {
		t.Fatal(err)
	}
	l.await(t, 503, 20)
	for range 3 { // What was written over finds its place still.
		for _, got := range []answer{
			must(t, 503, "POST", s.url+"/login", "", c.login),
			must(t, 503, "POST", s.url+"/logout", good.member("access_token"), ""),
		} {
			if got.member("error") != "unavailable" || got.header.Get("Retry-After") == "" {
				t.Errorf("while the disk is full: %s, Retry-After %q", got.body, got.header.Get("Retry-After"))
			}
		}
		must(t, 200, "GET", s.url+"/protected", good.member("access_token"), "")
	}
	l.await(t, 200, l.count(200)+60) // These are checks.

	if err := d.free(pid, seen); err != nil {
		t.Fatal(err)
	}
	c.awaitLogins(10 * time.Second)
	l.await(t, 204, l.count(204)+3)
	must(t, 204, "POST", s.url+"/logout", good.member("access_token"), "")
	l.stop()
	l.settle(t)
	l.judge(t)
	if n := l.count(0) + l.count(500); n > 0 {
		t.Errorf("%d requests were answered with 500 or not at all", n)
	}
}

// await waits until so many requests of the load have been answered with a status.
func (l *load) await(t *testing.T, status, n int) {
	t.Helper()
	begun := time.Now()
	for tick := time.Tick(10 * time.Millisecond); l.count(status) < n; <-tick {
		if time.Since(begun) > 2*time.Minute { // Other tests have these processors too.
			t.Fatalf("%d answers with %d after two minutes, want %d", l.count(status), status, n)
		}
	}
}

// limitFiles sets how long a file of a process may become.
func limitFiles(limit string) func(int, string) error {
	return func(pid int, _ string) error {
		return exec.CommandContext(context.Background(), "prlimit", fmt.Sprintf("--pid=%d", pid), "--fsize="+limit).Run()
	}
}

const diskVariable = "TEST_DISK"

// onSmallDisk returns a doorward that serves from a file system of its own, of 4 MiB, in its own name space.
func onSmallDisk(t *testing.T) (string, error) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "unshare", "-Urm", "mount", "-t", "tmpfs", "none", t.TempDir()).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	script := filepath.Join(t.TempDir(), "doorward")
	text := fmt.Sprintf(`#!/bin/sh
exec unshare -Urm sh -c 'mount -t tmpfs -o size=4m,mode=700 none "$%s" && exec "$0" "$@"' '%s' "$@"
`, diskVariable, binary)
	return script, os.WriteFile(script, []byte(text), 0o700)
}

// fillUp writes a file until there is no room.
func fillUp(_ int, dir string) error {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		return err
	}
	defer f.Close()
	for page := []byte(strings.Repeat("x", 4096)); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil
}

func empty(_ int, dir string) error { return os.Remove(filepath.Join(dir, "filler")) }
