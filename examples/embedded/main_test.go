package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// TestEmbedded runs the program as main does and talks to it over loopback.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	c := start(t, t.TempDir())

	c.want(t, "GET /orders", nil, 401, "missing_token")
	c.want(t, "POST /login", map[string]string{"username": "alice", "password": "wrong"}, 401, "invalid_credentials")
	c.want(t, "POST /login", map[string]string{"username": "nobody", "password": "wrong"}, 401, "invalid_credentials")
	c.want(t, "POST /login", map[string]any{"username": 1}, 400, "invalid_request")
	c.want(t, "POST /login", map[string]string{"username": "alice", "role": "admin"}, 400, "invalid_request")

	first := c.want(t, "POST /login", map[string]string{"username": "alice", "password": c.password}, 200, "")
	c.bearer = first["access_token"].(string)
	if got := c.want(t, "GET /orders", nil, 200, ""); got["subject"] == "alice" || got["subject"] == "" {
		t.Errorf("subject %q, want the random id of alice", got["subject"])
	}
	second := c.want(t, "POST /refresh", map[string]any{"refresh_token": first["refresh_token"]}, 200, "")
	if second["refresh_token"] == first["refresh_token"] {
		t.Error("the refresh token was not rotated")
	}
	c.want(t, "GET /orders", nil, 200, "") // A refresh does not end the access token before.

	c.bearer = second["access_token"].(string)
	c.want(t, "POST /logout", nil, 204, "")
	c.want(t, "POST /logout", nil, 204, "")
	c.want(t, "GET /orders", nil, 401, "invalid_token")
	got := c.want(t, "POST /refresh", map[string]any{"refresh_token": second["refresh_token"]}, 400, "invalid_grant")
	if got["reason"] != "logout" {
		t.Errorf("reason %q, want logout", got["reason"])
	}
	c.want(t, "POST /refresh", map[string]any{"refresh_token": "nonsense"}, 400, "invalid_grant")
	c.bearer = "nonsense"
	c.want(t, "POST /logout", nil, 401, "invalid_token")
	c.bearer = ""
	c.want(t, "POST /logout", nil, 401, "missing_token")
}

// TestInactive asks whether an answer tells a stranger that the password of somebody who may not log in is right.
func TestInactive(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := start(t, folder)
	tokens := c.want(t, "POST /login", map[string]string{"username": "alice", "password": c.password}, 200, "")
	db, err := sql.Open("sqlite", filepath.Join(folder, "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE users SET active = FALSE WHERE name = 'alice'`); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, guess := range []map[string]string{
		{"username": "alice", "password": c.password},
		{"username": "alice", "password": "wrong"},
		{"username": "nobody", "password": "wrong"},
		{"username": "alice", "password": strings.Repeat("long", 1000)},
	} {
		got := c.want(t, "POST /login", guess, 401, "invalid_credentials")
		delete(got, "request_id")
		answers = append(answers, fmt.Sprint(got))
	}
	if len(slices.Compact(answers)) != 1 {
		t.Errorf("answers differ: %q", answers)
	}
	got := c.want(t, "POST /refresh", map[string]any{"refresh_token": tokens["refresh_token"]}, 400, "invalid_grant")
	if got["reason"] != "subject_inactive" {
		t.Errorf("reason %q, want subject_inactive", got["reason"])
	}
}

// TestAnswers asks what a client reads of errors that no request of another test makes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	cfg := doorwardtest.NewIssuer(t).Config()
	cfg.Logger = slog.New(slog.DiscardHandler)
	verifier, err := doorward.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{verifier: verifier}
	for _, tt := range []struct {
		err               error
		status            int
		code, reads, wait string
	}{
		{explain(password.ErrBusy), 503, "busy", "too many logins", "2"},
		{explain(password.ErrText), 401, "invalid_credentials", "is wrong", ""},
		{explain(errors.New("no such table")), 500, "server_error", "the log has the reason", ""},
		{issuer.ErrUnavailable, 503, "unavailable", "the store does not answer", "5"},
		{issuer.ErrTooMany, 429, "too_many_requests", "too often", "60"},
		{context.Canceled, 503, "unavailable", "given up", "5"},
	} {
		w := httptest.NewRecorder()
		a.handler(func(http.ResponseWriter, *http.Request) error { return tt.err })(w, httptest.NewRequest(http.MethodPost, "/login", http.NoBody))
		if body := w.Body.String(); w.Code != tt.status || w.Header().Get("Retry-After") != tt.wait || !strings.Contains(body, `"error":"`+tt.code+`"`) || !strings.Contains(body, tt.reads) {
			t.Errorf("%v: %d %s, Retry-After %q; want %d %s, %s", tt.err, w.Code, body, w.Header().Get("Retry-After"), tt.status, tt.code, tt.wait)
		}
	}
}

// TestScope takes a role from someone who is logged in.
func TestScope(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := start(t, folder)
	db, err := sql.Open("sqlite", filepath.Join(folder, "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	people := &users{db: db, hasher: password.New(password.Config{})}
	if err := people.add(t.Context(), "bob", "bob's own words", "clerk"); err != nil {
		t.Fatal(err)
	}
	tokens := c.want(t, "POST /login", map[string]string{"username": "bob", "password": "bob's own words"}, 200, "")
	c.bearer = tokens["access_token"].(string)
	c.want(t, "GET /orders", nil, 200, "")

	if _, err := db.ExecContext(t.Context(), `UPDATE users SET role = 'guest' WHERE name = 'bob'`); err != nil {
		t.Fatal(err)
	}
	tokens = c.want(t, "POST /refresh", map[string]any{"refresh_token": tokens["refresh_token"]}, 200, "")
	c.bearer = tokens["access_token"].(string)
	c.want(t, "GET /orders", nil, 403, "insufficient_scope")
}

// TestRestart logs out, stops the program and starts it again on the same folder.
func TestRestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := start(t, folder)
	tokens := c.want(t, "POST /login", map[string]string{"username": "alice", "password": c.password}, 200, "")
	c.bearer = tokens["access_token"].(string)
	c.want(t, "POST /logout", nil, 204, "")
	c.stop()

	again := start(t, folder)
	if again.password != "" {
		t.Error("a second start made another user")
	}
	again.want(t, "POST /refresh", map[string]any{"refresh_token": tokens["refresh_token"]}, 400, "invalid_grant")
	again.want(t, "POST /login", map[string]string{"username": "alice", "password": c.password}, 200, "")
}

// client talks to one running program.
type client struct {
	url, password, bearer string
	stop                  func()
}

// start runs the program until the test ends or stop is called.
func start(t *testing.T, folder string) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-listen", "127.0.0.1:0", "-data", folder}, write)
		write.CloseWithError(fmt.Errorf("the program ended: %w", err))
		done <- err
	}()
	c := &client{stop: func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		done <- nil
	}}
	t.Cleanup(c.stop)
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if _, text, ok := strings.Cut(lines.Text(), ", password "); ok {
			c.password = text
		}
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			c.url = url
			return c
		}
	}
	t.Fatal("the program does not say where it listens")
	return nil
}

// want sends one request and checks the status and the code in an error's body.
func (c *client) want(t *testing.T, request string, body any, status int, code string) map[string]any {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil && status != http.StatusNoContent {
		t.Fatalf("%s: %v", request, err)
	}
	if is, _ := got["error"].(string); resp.StatusCode != status || is != code {
		t.Fatalf("%s: %d %v, want %d %q", request, resp.StatusCode, got, status, code)
	}
	if challenge := resp.Header.Get("WWW-Authenticate"); status == 401 && !strings.HasPrefix(challenge, "Bearer ") {
		t.Errorf("%s: WWW-Authenticate %q", request, challenge)
	}
	return got
}
