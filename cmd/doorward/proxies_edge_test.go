package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hosts sends a Host that is none, or none at all: that is the client's fault, and nobody else's.
func (f *front) hosts(t *testing.T) {
	f.api.take()
	for _, lines := range []string{
		"GET /open/x HTTP/1.1\r\nHost: a@b\r\n", "GET /open/x HTTP/1.1\r\nHost: \u00e9\r\n", "GET /open/x HTTP/1.1\r\nHost: a,b\r\n",
	} {
		if status := f.conversation(t, lines+"Connection: close\r\n\r\n"); !strings.HasPrefix(status, "400") || len(f.api.take()) > 0 {
			t.Errorf("%q: %s", lines, status)
		}
	}
	status := f.conversation(t, "GET /open/x HTTP/1.0\r\n\r\n")
	if seen := f.api.take(); !strings.HasPrefix(status, "400") && (status != "200 OK" || len(seen) != 1) {
		t.Errorf("HTTP/1.0 without a Host: %s", status)
	}
}

// toLogin opens a page without a token. The browser knows its way to the host better than the proxy does, which
// may stand behind another.
func (f *front) toLogin(t *testing.T) {
	f.api.take()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/page.html", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}}
	res, err := http.DefaultTransport.RoundTrip(req) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusFound || len(f.api.take()) > 0 || to != "/login.html?return_to=%2Fpage.html" {
		t.Errorf("%d to %q", res.StatusCode, to)
	}
	got, _ := f.send("GET", "/page.html", nil)
	if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("a program reads %d of type %q", got.status, got.header.Get("Content-Type"))
	}
}

// stopped asks a Doorward that accepts connections and answers nothing.
func (f *front) stopped(t *testing.T) {
	process := f.door.cmd.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = process.Signal(syscall.SIGCONT) }()
	if err := eventually(func() bool { return isStopped(process.Pid) }); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	got, seen := f.send("GET", "/open/x", nil)
	if took := time.Since(begun); got.status < 500 || seen != nil || got.member("error") != "unavailable" || took > 10*time.Second {
		t.Errorf("%d %s after %v", got.status, got.body, took)
	}
}
