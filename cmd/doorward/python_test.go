package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

const debianPython = "/usr/bin/python3"

// A service in Python that checks tokens with clients/python/doorward.py, on Debian's Flask, hears of logouts from this
// server, and knows when it does not.
func TestPythonService(t *testing.T) {
	t.Parallel()
	o := newOrders(t)
	o.start(t, debianPython, "orders.py")
	token := o.login(t, "orders")
	var me struct{ Subject string }
	if err := json.Unmarshal([]byte(must(t, http.StatusOK, http.MethodGet, o.server.url+"/me", token, "").body), &me); err != nil {
		t.Fatal(err)
	}
	got := o.call(t, http.StatusOK, "GET", "/orders", token)
	if got.member("subject") != me.Subject || got.member("username") != "alice" {
		t.Errorf("claims: %s", got.body)
	}
	if got := o.call(t, http.StatusOK, "GET", "/around", token); got.member("username") != "alice" {
		t.Errorf("claims after a request within the request: %s", got.body)
	}
	t.Run("refusals", func(t *testing.T) { o.testRefusals(t, token) })
	t.Run("needs", func(t *testing.T) { o.testNeeds(t, token) })
	t.Run("middleware", func(t *testing.T) { o.testMiddleware(t, token) })
	t.Run("logout", func(t *testing.T) {
		other := o.login(t, "orders")
		must(t, http.StatusNoContent, http.MethodPost, o.server.url+"/logout", token, "")
		o.hears(t, http.StatusUnauthorized, token)
		for _, path := range []string{"/orders", "/wsgi/", "/asgi/", "/greeting"} {
			got := o.call(t, http.StatusUnauthorized, "GET", path, token)
			if got.member("error_description") != "session ended" {
				t.Errorf("%s: %s", path, got.body)
			}
		}
		o.call(t, http.StatusOK, "GET", "/orders", other)
		command(t, failure.ExitDone, "", "session", "revoke", "--user", "alice", "--data", o.server.dir)
		o.hears(t, http.StatusUnauthorized, other)
		o.call(t, http.StatusOK, "GET", "/orders", o.login(t, "orders"))
	})
	t.Run("the server is gone, and comes back", o.testSilence)
}

// The lines for FastAPI in clients/python/README.md guard a route, and the middleware all of them.
func TestPythonOfFastAPI(t *testing.T) {
	t.Parallel()
	needPython(t, "fastapi, uvicorn")
	page, err := os.ReadFile("../../clients/python/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```python\nfrom fastapi")
	block, _, closed := strings.Cut(block, "```")
	middleware := regexp.MustCompile("(?m)^`(app[.]add_middleware.*?)`").FindStringSubmatch(string(page))
	if !found || !closed || middleware == nil {
		t.Fatal("clients/python/README.md has no lines for FastAPI")
	}
	o := newOrders(t)
	script := `import os, sys
sys.path.insert(0, "../../../clients/python")
import doorward, uvicorn
tokens = doorward.Verifier(os.environ["ISSUER"], audience="orders", client_id=os.environ["CLIENT_ID"], client_secret=os.environ["CLIENT_SECRET"])
from fastapi` + block + `
guarded = FastAPI()
guarded.add_route("/", lambda request: Response(request.scope["doorward.claims"].username))
` + strings.Replace(middleware[1], "app", "guarded", 1) + `
app.mount("/guarded", guarded)
uvicorn.run(app, port=0)
`
	o.start(t, debianPython, "-c", script)
	token := o.login(t, "orders")
	if got := o.call(t, http.StatusForbidden, "GET", "/orders", token); got.member("error") != "insufficient_scope" {
		t.Errorf("without the scope: %s", got.body)
	}
	command(t, failure.ExitDone, "", "role", "add", "editor", "--scope", "orders:read", "--data", o.server.dir)
	token = o.login(t, "orders")
	if got := o.call(t, http.StatusOK, "GET", "/orders", token); got.member("for") != "alice" {
		t.Errorf("a good token: %s", got.body)
	}
	if got := o.call(t, http.StatusOK, "GET", "/guarded/", token); got.body != "alice" {
		t.Errorf("a good token, by the middleware: %s", got.body)
	}
	for _, path := range []string{"/orders", "/guarded/", "/guarded/openapi.json"} {
		if got := o.call(t, http.StatusUnauthorized, "GET", path, ""); got.member("error") != "missing_token" {
			t.Errorf("%s without a token: %s", path, got.body)
		}
	}
}

// Workers that are forked after the verifier has begun follow the keys and the revocations by themselves.
func TestPythonWorkers(t *testing.T) {
	t.Parallel()
	gunicorn, err := exec.LookPath("gunicorn")
	if err != nil {
		t.Skip("gunicorn is not here: run make deps")
	}
	o := newOrders(t)
	o.start(t, gunicorn, "--preload", "--workers", "2", "--bind", "127.0.0.1:0", "--access-logfile", "/dev/null", "orders:app")
	token := o.login(t, "orders")
	o.allHear(t, http.StatusOK, token)
	must(t, http.StatusNoContent, http.MethodPost, o.server.url+"/logout", token, "")
	o.allHear(t, http.StatusUnauthorized, token)
}

// allHear waits until the workers answer a token with a status, whichever is asked.
func (o *orders) allHear(t *testing.T, status int, token string) {
	t.Helper()
	inARow := 0
	if err := eventually(func() bool {
		if inARow++; o.status(t, token) != status {
			inARow = 0
		}
		return inARow >= 20
	}); err != nil {
		t.Errorf("not every worker answers %d: %v", status, err)
	}
}

// A service behind the gate takes what the gate has signed, and nobody else's word.
func TestPythonBehindGate(t *testing.T) {
	t.Parallel()
	needPython(t, "flask, jwt, cryptography")
	folder, addr := t.TempDir(), "127.0.0.1:"+freePort(t)
	o := &orders{env: append(clean(os.Environ()), "PYTHONDONTWRITEBYTECODE=1", "BEHIND=1", "ISSUER=http://"+addr)}
	o.start(t, debianPython, "orders.py")
	config := filepath.Join(folder, "doorward.yaml")
	text := "upstream: " + o.url + "\nupstream.audience: orders\nroutes:\n  - {path: /greeting, access: optional}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.server = serve(t, filepath.Join(folder, "data"), "--config", config, "--listen", addr)
	command(t, failure.ExitDone, aliceSecret, "user", "add", "alice", "--role", "editor", "--password-stdin", "--data", o.server.dir)
	token := o.login(t, "")
	direct, gate := o.url, o.server.url
	o.url = gate
	if got := o.call(t, http.StatusOK, "GET", "/orders", token); got.member("username") != "alice" || got.member("subject") == "" {
		t.Errorf("claims: %s", got.body)
	}
	o.testNeeds(t, token)
	if got := o.call(t, http.StatusOK, "GET", "/wsgi/", token); got.body != "alice" {
		t.Errorf("middleware: %s", got.body)
	}
	if got := o.call(t, http.StatusOK, "GET", "/greeting", ""); got.member("hello") != "stranger" {
		t.Errorf("nobody: %s", got.body)
	}
	for name, headers := range map[string]http.Header{
		"past the gate":        {"Authorization": {"Bearer " + token}},
		"the token instead":    {"Doorward-Assertion": {token}},
		"headers of one's own": {"Doorward-Subject": {"u_1"}, "Doorward-Username": {"alice"}},
		"twice":                {"Doorward-Assertion": {token, token}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, direct+"/orders", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = headers
		if got, err := exchange(req); err != nil || got.status != 401 && got.status != 400 {
			t.Errorf("%s: %d %s %v", name, got.status, got.body, err)
		}
	}
}

// orders is testdata/orders.py beside a server.
type orders struct {
	server *process
	flags  []string
	env    []string
	url    string
}

func newOrders(t *testing.T) *orders {
	t.Helper()
	needPython(t, "flask, jwt, cryptography")
	addr := "127.0.0.1:" + freePort(t)
	folder := t.TempDir()
	config := filepath.Join(folder, "doorward.yaml")
	if err := os.WriteFile(config, []byte("audiences: [orders]\nlisten: "+addr+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &orders{flags: []string{"--config", config, "--listen", addr}}
	o.server = serve(t, filepath.Join(folder, "data"), o.flags...)
	command(t, failure.ExitDone, aliceSecret, "user", "add", "alice", "--role", "editor", "--password-stdin", "--data", o.server.dir)
	out, _ := command(t, failure.ExitDone, "", "client", "add", "orders", "--scope", "revocations:read", "--json", "--data", o.server.dir)
	credential := answer{body: out}
	o.env = append(clean(os.Environ()), "PYTHONDONTWRITEBYTECODE=1", "WARM=1", "ISSUER="+o.server.url,
		"CLIENT_ID="+credential.member("client_id"), "CLIENT_SECRET="+credential.member("client_secret"))
	return o
}

// needPython skips the test without these modules of Debian's.
func needPython(t *testing.T, modules string) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), debianPython, "-c", "import "+modules).Run(); err != nil {
		t.Skipf("%s has not all of the modules %s: run make deps", debianPython, modules)
	}
}

// start starts the service and waits until it says where it listens.
func (o *orders) start(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir, cmd.Env = "testdata", o.env
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`).FindString(lines.Text()); url != "" && len(found) == 0 {
				found <- url
			}
		}
	}()
	select {
	case o.url = <-found:
	case <-time.After(30 * time.Second):
		t.Fatal("the service does not start")
	}
}

func (o *orders) login(t *testing.T, audience string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"username": "alice", "password": aliceSecret, "audience": audience})
	return must(t, http.StatusOK, http.MethodPost, o.server.url+"/login", "", string(body)).member("access_token")
}

func (o *orders) call(t *testing.T, status int, method, path, token string) answer {
	t.Helper()
	return must(t, status, method, o.url+path, token, "")
}

func (o *orders) status(t *testing.T, token string) int {
	t.Helper()
	got, err := call(http.MethodGet, o.url+"/orders", token, "")
	if err != nil {
		t.Fatal(err)
	}
	return got.status
}

// hears waits until the service answers a token with a status.
func (o *orders) hears(t *testing.T, status int, token string) {
	t.Helper()
	if err := eventually(func() bool { return o.status(t, token) == status }); err != nil {
		t.Fatalf("%d does not come: %v", status, err)
	}
}

// Outsiders read what they read of the Go verifier.
func (o *orders) testRefusals(t *testing.T, token string) {
	const bad, texts = `Bearer realm="api", error="invalid_token", error_description="token not valid"`, "token not valid"
	mine := o.login(t, "")
	for _, test := range []struct {
		name      string
		header    []string
		status    int
		code      string
		text      string
		challenge string
	}{
		{"none", nil, 401, "missing_token", "a token is required", `Bearer realm="api"`},
		{"another scheme", []string{"Basic YTpi"}, 401, "missing_token", "a token is required", `Bearer realm="api"`},
		{"lower case", []string{"bearer  " + token}, 200, "", "", ""},
		{"no token", []string{"Bearer"}, 400, "invalid_request", "malformed credentials", ""},
		{"a list", []string{"Bearer " + token + ", Bearer " + token}, 400, "invalid_request", "malformed credentials", ""},
		{"a list with another", []string{"Basic YTpi, Bearer " + token}, 400, "invalid_request", "malformed credentials", ""},
		{"two lines", []string{"Bearer " + token, "Bearer " + token}, 400, "invalid_request", "", ""},
		{"no JWT", []string{"Bearer x"}, 401, "invalid_token", texts, bad},
		{"another audience", []string{"Bearer " + mine}, 401, "invalid_token", texts, bad},
		{"changed", []string{"Bearer " + token[:len(token)-3] + "AAA"}, 401, "invalid_token", texts, bad},
		{"too long", []string{"Bearer " + token + strings.Repeat("A", 9000)}, 401, "invalid_token", texts, bad},
	} {
		for _, path := range []string{"/orders", "/wsgi/", "/asgi/"} {
			got := o.send(t, path, test.header)
			if got.status != test.status || got.member("error") != test.code || test.text != "" && got.member("error_description") != test.text {
				t.Errorf("%s %s: %d %s", path, test.name, got.status, got.body)
			}
			challenge := got.header.Get("WWW-Authenticate")
			if got.status == 200 {
				continue
			}
			if test.challenge != "" && challenge != test.challenge || challenge == "" || got.header.Get("Cache-Control") != "no-store" || got.member("request_id") == "" {
				t.Errorf("%s %s: %v %s", path, test.name, got.header, got.body)
			}
		}
	}
	if got := o.call(t, http.StatusOK, "GET", "/greeting", ""); got.member("hello") != "stranger" {
		t.Errorf("without a token: %s", got.body)
	}
	o.call(t, http.StatusUnauthorized, "GET", "/greeting", "x")
}

func (o *orders) send(t *testing.T, path string, values []string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = values
	got, err := exchange(req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (o *orders) testNeeds(t *testing.T, token string) {
	o.call(t, http.StatusOK, "DELETE", "/orders", token)
	o.call(t, http.StatusOK, "POST", "/refund", token)
	for path, want := range map[string]string{
		"/ledger":   `Bearer realm="api", error="insufficient_scope", error_description="the token does not have the scope", scope="ledger:read"`,
		"/transfer": `Bearer realm="api", error="insufficient_user_authentication", error_description="a more recent login is required", max_age="-1"`,
	} {
		status, method := http.StatusForbidden, "GET"
		if path == "/transfer" {
			status, method = http.StatusUnauthorized, "POST"
		}
		if got := o.call(t, status, method, path, token).header.Get("WWW-Authenticate"); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func (o *orders) testMiddleware(t *testing.T, token string) {
	for _, path := range []string{"/wsgi/", "/asgi/"} {
		if got := o.call(t, http.StatusOK, "GET", path, token); got.body != "alice" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	// A body where none belongs would be read as the next answer on this connection.
	conn, err := net.Dial("tcp", strings.TrimPrefix(o.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HEAD /wsgi/ HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	if head, body, _ := strings.Cut(string(got), "\r\n\r\n"); err != nil || !strings.Contains(head, " 401 ") || body != "" {
		t.Errorf("HEAD: %q, %v", got, err)
	}
}

// testSilence ends the server. Within max_staleness, which is a second here, the service knows that it does not know.
func (o *orders) testSilence(t *testing.T) {
	token := o.login(t, "orders")
	o.call(t, http.StatusOK, "GET", "/orders", token)
	o.server.kill()
	o.hears(t, http.StatusServiceUnavailable, token)
	got := o.call(t, http.StatusServiceUnavailable, "GET", "/orders", token)
	if got.member("error") != "unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("stale: %v %s", got.header, got.body)
	}
	o.call(t, http.StatusUnauthorized, "GET", "/orders", "x") // Bad is bad, whatever was revoked.
	o.server = serve(t, o.server.dir, o.flags...)
	o.hears(t, http.StatusOK, token)
	must(t, http.StatusNoContent, http.MethodPost, o.server.url+"/logout", token, "")
	o.hears(t, http.StatusUnauthorized, token)
}
