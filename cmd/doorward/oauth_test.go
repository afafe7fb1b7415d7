package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// program is a client of a server, with what it needs to call.
type program struct {
	server *process
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// newProgram adds a client that may ask about tokens, too.
func newProgram(t *testing.T, s *process, flags ...string) program {
	t.Helper()
	out, _ := command(t, failure.ExitDone, "", append([]string{
		"client", "add", "nightly", "--scope", "reports:read", "--scope", "tokens:introspect", "--json", "--data", s.dir,
	}, flags...)...)
	p := program{server: s}
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.Secret == "" {
		t.Fatal(err)
	}
	return p
}

func (p program) environment() []string {
	return append(os.Environ(), "URL_OF_ISSUER="+p.server.url, "CLIENT_ID="+p.ID, "CLIENT_SECRET="+p.Secret)
}

// golang.org/x/oauth2 gets tokens by both methods, and uses them; what docs/oauth.md shows of it stands here word for word.
func TestOAuthOfGo(t *testing.T) {
	t.Parallel()
	s, _ := serveEmpty(t)
	p := newProgram(t, s)
	page, err := os.ReadFile("../../docs/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```go\n")
	block, _, closed := strings.Cut(block, "```")
	source, err := os.ReadFile("oauth_test.go")
	if err != nil || !closed {
		t.Fatal(err, closed)
	}
	for line := range strings.Lines(block) {
		if line = strings.ReplaceAll(strings.TrimSpace(line), `"http://127.0.0.1:8080/oauth/token"`, "at"); !strings.Contains(string(source), "\t"+line+"\n") {
			t.Errorf("docs/oauth.md shows what is not tried here: %s", line)
		}
	}

	ctx, id, secret, at := t.Context(), p.ID, p.Secret, s.url+"/oauth/token"
	config := clientcredentials.Config{
		ClientID: id, ClientSecret: secret,
		TokenURL: at,
	}
	client := config.Client(ctx) // an *http.Client that gets and renews the token by itself
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()

	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		config.AuthStyle = style
		config.Scopes, config.EndpointParams = []string{"reports:read"}, url.Values{"resource": {s.url}}
		token, err := config.Token(ctx)
		if err != nil || token.Extra("scope") != "reports:read" || token.RefreshToken != "" {
			t.Errorf("%+v, %v", token, err)
		}
		config.Scopes = []string{"admin"}
		p.wantRefused(t, ctx, config, "invalid_scope")
		config.Scopes, config.EndpointParams = nil, url.Values{"resource": {"https://x.example"}}
		p.wantRefused(t, ctx, config, "invalid_target")
		wrong := config
		wrong.ClientSecret += "x"
		p.wantRefused(t, ctx, wrong, "invalid_client")
	}
}

func (p program) wantRefused(t *testing.T, ctx context.Context, config clientcredentials.Config, code string) {
	t.Helper()
	_, err := config.Token(ctx)
	refused := &oauth2.RetrieveError{}
	if !errors.As(err, &refused) || refused.ErrorCode != code {
		t.Errorf("%v, want %s", err, code)
	}
}

// Debian's Authlib and requests; the Python of docs/oauth.md runs as it stands.
func TestOAuthOfPython(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), debianPython, "-c", "import authlib, requests").Run(); err != nil {
		t.Skipf("%s has no modules authlib and requests: run make deps", debianPython)
	}
	s, _ := serveEmpty(t)
	p := newProgram(t, s, "--audience", "https://reports.example")
	run := exec.CommandContext(t.Context(), debianPython, "testdata/authlib_client.py")
	run.Env = p.environment()
	if out, err := run.CombinedOutput(); err != nil || string(out) != "client_secret_basic\nclient_secret_post\nrequests\n" {
		t.Errorf("%v\n%s", err, out)
	}
	page, err := os.ReadFile("../../docs/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```python\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("docs/oauth.md has no python block")
	}
	script := "import os\nid, secret = os.environ['CLIENT_ID'], os.environ['CLIENT_SECRET']\n" +
		strings.ReplaceAll(block, "http://127.0.0.1:8080", s.url) + "print(session.token['token_type'])\n"
	run = exec.CommandContext(t.Context(), debianPython, "-c", script)
	run.Env = p.environment()
	if out, err := run.CombinedOutput(); err != nil || string(out) != "Bearer\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// openid-client and jose, under the Node that is here.
func TestOAuthOfNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not here: run make deps")
	}
	if _, err := os.Stat("testdata/node/node_modules/openid-client"); err != nil {
		t.Skip("openid-client is not here: run make deps")
	}
	s, _ := serveEmpty(t)
	p := newProgram(t, s, "--audience", "https://reports.example")
	run := exec.CommandContext(t.Context(), node, "clients.mjs")
	run.Dir, run.Env = "testdata/node", p.environment()
	if out, err := run.CombinedOutput(); err != nil || string(out) != "client_secret_basic\nclient_secret_post\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
