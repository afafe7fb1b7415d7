package main

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
)

// What Doorward guards lets the good token in and no other, by every way; what is not guarded lets everybody in.
func TestGateChecks(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	nginx, _, err := findNginx(t.Context())
	if err != nil && !errors.Is(err, errNoNginx) {
		t.Fatal(err)
	}
	s, err := startSite(t.Context(), t.TempDir(), self, nginx)
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range s.ways {
		guarded := w.name == gateServe || w.name == gateNginx || w.name == questionServe
		for name, change := range map[string]func(string) string{
			"good":            func(token string) string { return token },
			"none":            func(string) string { return "" },
			"wrong signature": func(token string) string { return token[:len(token)-8] + "AAAAAAAA" },
		} {
			want := http.StatusOK
			if guarded && name != "good" {
				want = http.StatusUnauthorized
			}
			if got := w.status(t, change); got != want {
				t.Errorf("%s, %s: status %d, want %d", w.name, name, got, want)
			}
		}
	}
}

// status is that of the answer to the way's request with another Authorization.
func (w *way) status(t *testing.T, change func(string) string) int {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.text)))
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", w.address
	r.Header.Set("Authorization", change(r.Header.Get("Authorization")))
	if r.Header.Get("Authorization") == "" {
		r.Header.Del("Authorization")
	}
	got, err := http.DefaultClient.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got.StatusCode
}

func TestPageWithoutNginx(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	(&result{}).pageGate(&page)
	if !strings.Contains(page.String(), errNoNginx.Error()) {
		t.Error("the page does not say that nginx was not measured")
	}
}
