package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

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
	c.want(t, "POST /refresh", map[string]any{"refresh_token": second["refresh_token"]}, 401, "invalid_token")
	c.bearer = "nonsense"
	c.want(t, "POST /logout", nil, 401, "invalid_token")
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
	again.want(t, "POST /refresh", map[string]any{"refresh_token": tokens["refresh_token"]}, 401, "invalid_token")
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
