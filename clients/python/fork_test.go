package python_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// A process that was forked after the first check asks for itself what was revoked, also if Python's hooks were not called.
func TestFork(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	signers := newSigners(t)[:1]
	keys, _ := publish(t, signers)
	server := &scripted{asked: make([]int, 1), reply: func(int) reply {
		return func(w http.ResponseWriter, n int, question url.Values) {
			if n > 0 && !question.Has("after") { // The child begins.
				write(w, question, `"entries":[{"kind":"session","id":`+quote(session)+`}]`)
				return
			}
			write(w, question, "")
		}
	}}
	feed := httptest.NewServer(server)
	t.Cleanup(feed.Close)
	asked, err := json.Marshal(map[string]string{
		"issuer": issuer, "audience": audience, "keys": keys, "feed": feed.URL, "token": sessionToken(t, signers[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/fork.py")
	cmd.Stdin = bytes.NewReader(asked)
	out, err := cmd.Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != ended {
		t.Errorf("the child: %q, %v, want %q", got, err, ended)
	}
}
