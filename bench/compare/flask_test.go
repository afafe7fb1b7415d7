package main

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// The tutorial's app lets the good token in and no other, so what is measured is a check.
func TestFlaskChecks(t *testing.T) {
	t.Parallel()
	if _, err := flaskVersions(t.Context()); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	p, err := startFlask(t.Context(), t.TempDir(), flaskPlain)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	request := strings.TrimSpace(string(p.text))
	good := request[strings.LastIndexByte(request, ' ')+1:]
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"good", good, http.StatusOK},
		{"none", "", http.StatusForbidden},
		{"wrong signature", good[:len(good)-8] + "AAAAAAAA", http.StatusForbidden},
		{"no signature", good[:strings.LastIndexByte(good, '.')+1], http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.address+"/protected", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Access-Token", tt.token)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got.StatusCode, tt.want)
		}
	}
}

// The time of a tree is that of its root, of children that have ended and of those that live.
func TestTreeTime(t *testing.T) {
	t.Parallel()
	const spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "("+spin+"); sh -c '"+spin+"; echo; read line'; true")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	got, err := treeTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	want := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if off := (got - want).Abs(); off > 10*tick || want < 20*tick {
		t.Errorf("treeTime is %v, but all of it took %v", got, want)
	}
	if _, err := treeTime(cmd.Process.Pid); err == nil {
		t.Error("a process that has ended has a time")
	}
}
