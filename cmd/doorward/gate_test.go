package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// upstream is an API that tells what it got.
func upstream(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"uri": r.RequestURI, "user": r.Header.Get("Doorward-Username"), "roles": r.Header.Get("Doorward-Roles"),
			"assertion": r.Header.Get("Doorward-Assertion"), "authorization": r.Header.Get("Authorization"), "length": fmt.Sprint(len(body)),
		})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestGate puts the binary before an API: from the login to the logout.
func TestGate(t *testing.T) {
	t.Parallel()
	dir, api := filepath.Join(t.TempDir(), "data"), upstream(t)
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	rules := func(text string) { writeFile(t, file, "upstream: "+api+"\n"+text) }
	rules("login.page: /open\nroutes:\n  - {path: /open, access: public}\n  - {path: /admin/**, require: {roles: [admin]}}\n")
	s := serve(t, dir, "--config", file, "--issuer", "http://127.0.0.1:8080")
	out, _ := command(t, 0, "", "user", "add", "alice", "--role", "staff", "--data", dir)
	secret := out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:]
	secret = strings.TrimSpace(secret[strings.LastIndexByte(strings.TrimSpace(secret), ' ')+1:])
	login := must(t, 200, "POST", s.url+"/login", "", credentials("alice", secret))
	token := login.member("access_token")

	must(t, 401, "GET", s.url+"/orders", "", "")
	got := must(t, 200, "GET", s.url+"/orders?x=1", token, "")
	if got.member("uri") != "/orders?x=1" || got.member("user") != "alice" || got.member("roles") != "staff" || got.member("authorization") != "" || got.member("assertion") == "" {
		t.Errorf("the API got %s", got.body)
	}
	if got.header.Get("Content-Security-Policy") != "" || got.header.Get("Cache-Control") != "private" {
		t.Errorf("headers of Doorward's own are on the API's answer: %v", got.header)
	}
	must(t, 200, "GET", s.url+"/open", "", "")
	if to := openPage(t, s.url+"/orders"); to != "/open?return_to=%2Forders" {
		t.Errorf("a browser without a token is sent to %q", to)
	}
	must(t, 403, "GET", s.url+"/admin/v1/users", token, "") // the API's, since Doorward's is not here
	must(t, 400, "GET", s.url+"//login", token, "")
	must(t, 200, "GET", s.url+"/protected", token, "") // the API's too
	must(t, 200, "POST", s.url+"/big", token, strings.Repeat("a", 1<<20))
	must(t, 431, "GET", s.url+"/orders?"+strings.Repeat("a", 17<<10), token, "")
	if refused := must(t, 400, "POST", s.url+"/login", "", strings.Replace(credentials("alice", secret), "}", `,"cookie":true}`, 1)); !strings.Contains(refused.body, "upstream") {
		t.Errorf("cookie mode: %s", refused.body)
	}
	if keys := must(t, 200, "GET", s.url+"/.well-known/jwks.json", "", ""); strings.Count(keys.body, `"kid"`) != 2 {
		t.Errorf("the assertion's key is not published: %s", keys.body)
	}
	must(t, 200, "GET", s.url+"/readyz", "", "")
	must(t, 401, "GET", s.url+"/me", got.member("assertion"), "")
	must(t, 401, "POST", s.url+"/logout", got.member("assertion"), "")
	must(t, 204, "POST", s.url+"/logout", token, "")
	must(t, 401, "GET", s.url+"/orders", token, "")
	if logs := s.logs.text(); strings.Contains(logs, token) || !strings.Contains(logs, `"route":"upstream"`) || !strings.Contains(logs, `"hidden":["/.well-known`) {
		t.Errorf("the log:\n%s", logs)
	}
	_, hidden, _ := strings.Cut(s.logs.text(), `"hidden":["`)
	hidden, _, _ = strings.Cut(hidden, `"]`)
	for path := range strings.SplitSeq(hidden, `","`) {
		rules("routes:\n  - {path: " + strings.ReplaceAll(path, "{id}", "x") + "}\n")
		if _, errs := command(t, failure.ExitUsage, "", "config", "check", "--config", file, "--data", dir); !strings.Contains(errs, "never reached: Doorward itself answers there") {
			t.Errorf("a rule for %s: %s", path, errs)
		}
	}
	rules("login.page: /login?app=1\n")
	if _, errs := command(t, failure.ExitUsage, "", "config", "check", "--config", file, "--data", dir); !strings.Contains(errs, ":2:13: login.page: cannot be there: Doorward itself answers at /login\n") {
		t.Errorf("a login page where Doorward answers: %s", errs)
	}
}

// openPage opens a page as a browser does, and returns where it is sent.
func openPage(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.Header.Get("Location")
}

// TestBrowsersOfGate: a second server on the same store, without the API, has the cookie mode, and its tokens pass the gate.
func TestBrowsersOfGate(t *testing.T) {
	t.Parallel()
	const issuer, page = "http://127.0.0.1:8080", "https://app.example.com"
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "login.yaml")
	gate := serve(t, dir, "--issuer", issuer, "--upstream", upstream(t))
	writeFile(t, file, "issuer: "+issuer+"\ncors.credentials: ["+page+"]\n")
	login := serve(t, dir, "--config", file)
	command(t, 0, "a good password of alice\n", "user", "add", "alice", "--password-stdin", "--data", dir)
	ask := func(path, body, cookie string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, login.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "Origin": {page}, "Sec-Fetch-Site": {"same-site"}, "Cookie": {cookie}}
		got, err := exchange(req)
		if err != nil || got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Fatalf("%s: %v, %+v", path, err, got)
		}
		return got
	}
	first := ask("/login", `{"username":"alice","password":"a good password of alice","cookie":true}`, "")
	var cookie string
	for _, line := range first.header.Values("Set-Cookie") {
		if pair, _, _ := strings.Cut(line, ";"); strings.HasPrefix(pair, "__Host-dw_refresh=") {
			cookie = pair
		}
	}
	second := ask("/refresh", `{}`, cookie)
	for _, token := range []string{first.member("access_token"), second.member("access_token")} {
		if got := must(t, 200, "GET", gate.url+"/orders", token, ""); got.member("user") != "alice" {
			t.Errorf("the API got %s", got.body)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReload changes the rules under load: each request is answered by the old or the new ones.
func TestReload(t *testing.T) {
	t.Parallel()
	dir, api := filepath.Join(t.TempDir(), "data"), upstream(t)
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	rules := func(access, more string) {
		writeFile(t, file, "issuer: http://127.0.0.1:8080\nupstream: "+api+"\nroutes:\n  - {path: /x, access: "+access+"}\n  - {path: /always, access: public}\n"+more)
	}
	rules("token", "")
	s := serve(t, dir, "--config", file)
	must(t, 401, "GET", s.url+"/x", "", "")

	ctx, stop := context.WithCancel(t.Context())
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				got, err := call("GET", s.url+"/always", "", "")
				if err != nil || got.status != 200 {
					t.Errorf("dropped: %v %d %s", err, got.status, got.body)
					return
				}
				answered.Add(1)
			}
		})
	}
	hangup := func(access, more, logged string, status int) {
		t.Helper()
		rules(access, more)
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if err := eventually(func() bool {
			got, err := call("GET", s.url+"/x", "", "")
			return err == nil && got.status == status && strings.Contains(s.logs.text(), logged)
		}); err != nil {
			t.Errorf("%s: %v\n%s", logged, err, s.logs.text())
		}
	}
	hangup("public", "", "read again", 200)
	hangup("open", "", file+":4:24: routes.access: want token", 200)
	hangup("deny", "access_ttl: 5m\n", "access_ttl: changed, which needs a restart", 200)
	hangup("deny", "rutes: []\n", `"hint":"did you mean routes"`, 200)
	hangup("deny", "  - {path: /a/../b}\n", file+":6:5: routes: /a/../b: want a path", 200)
	hangup("token", "log: {level: debug}\n", `"path":"/x"`, 401)
	hangup("deny", "", `"routes":2`, 404)
	stop()
	clients.Wait()
	if answered.Load() == 0 {
		t.Error("no request was made meanwhile")
	}
	must(t, 200, "GET", s.url+"/readyz", "", "")
}

// TestGateRefusesToStart wants a line that says why, and what to do.
func TestGateRefusesToStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "doorward.yaml"), filepath.Join(dir, "secret")
	writeFile(t, secret, "your-secret-key\n")
	writeFile(t, file, "upstream: http://127.0.0.1:5000\nupstream.token: {header: x-token, secret_file: "+secret+"}\n")
	for _, test := range []struct {
		want string
		args []string
	}{
		{"put orders under audiences", []string{"--upstream", "http://127.0.0.1:5000", "--audience", "orders"}},
		{"want scheme, host and port", []string{"--upstream", "127.0.0.1:5000"}},
		{"upstream.token.secret_file: the secret is shorter than 32 bytes", []string{"--config", file}},
	} {
		_, errs := command(t, failure.ExitUsage, "", append([]string{"serve", "--data", filepath.Join(dir, "data")}, test.args...)...)
		if !strings.Contains(errs, test.want) || strings.Contains(errs, "your-secret-key") {
			t.Errorf("%q is not in %s", test.want, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a data folder was made")
	}
}

// TestGatePage types what docs/gate.md says, and checks each of its configurations.
func TestGatePage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := startServerIn(folder, "doorward-data", nil, "--upstream", upstream(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	rest := typed(t, "docs/gate.md", folder, strings.TrimPrefix(s.url, "http://"))
	for _, want := range []string{"missing_token", `"uri":"/orders"`, `"user":"alice"`, "session ended", "untrusted_proxy"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q does not come in the rest of the output:\n%s", want, rest)
		}
		rest = after
	}
	page, err := os.ReadFile("../../docs/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "app-secret"), "abcdefghijklmnopqrstuvwxyz012345\n")
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d configurations on the page", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		file := filepath.Join(folder, "doorward.yaml")
		writeFile(t, file, strings.ReplaceAll(text, "/etc/doorward/app-secret", filepath.Join(folder, "app-secret")))
		command(t, 0, "", "config", "check", "--config", file, "--data", filepath.Join(folder, "doorward-data"))
	}
}

// TestGateWebSocket opens one through the binary. It ends with the session, and SIGTERM does not wait for it.
func TestGateWebSocket(t *testing.T) {
	t.Parallel()
	s := serveSockets(t)
	token := issueToken(t, s)
	first, err := openSocket(t, s, token)
	if err != nil {
		t.Fatal(err)
	}
	must(t, 204, "POST", s.url+"/logout", token, "")
	if _, err := first.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the logout: %v", err)
	}
	if err := eventually(func() bool { return strings.Contains(s.logs.text(), `"status":101`) }); err != nil {
		t.Errorf("the log: %s", s.logs.text())
	}
	if _, err := openSocket(t, s, issueToken(t, s)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.stop(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("stopped after %s: %v", time.Since(began), err)
	}
}

// serveSockets guards an upstream that sends back what comes through a WebSocket.
func serveSockets(t *testing.T) *process {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(sendBack))
	t.Cleanup(api.Close)
	return serveSocketsOf(t, api.URL, filepath.Join(t.TempDir(), "data"))
}

// serveSocketsOf starts a server on a folder, in front of an API with WebSockets.
func serveSocketsOf(t *testing.T, api, dir string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, "upstream: "+api+"\nlimits: {connections: 20000}\nroutes:\n  - {path: /socket, websocket: true}\n")
	return serve(t, dir, "--config", file, "--issuer", "http://127.0.0.1:8080")
}

// sendBack answers as a WebSocket begins, and sends back what comes.
func sendBack(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	// Not by splice, whose pipe would take two file descriptors more.
	_, _ = io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}, make([]byte, 64))
}

// echoesAlone in the environment makes of this program an API with WebSockets, which ends with its standard input.
const echoesAlone = "ECHOES_ALONE"

func echoUntilEnd() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	fmt.Println("http://" + l.Addr().String())
	server := &http.Server{Handler: http.HandlerFunc(sendBack), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func issueToken(t *testing.T, s *process) string {
	t.Helper()
	token, _ := command(t, 0, "", "token", "issue", "admin", "--data", s.dir)
	return strings.TrimSpace(token)
}

// openSocket opens a WebSocket and has one line come back.
func openSocket(t *testing.T, s *process, token string) (*bufio.ReadWriter, error) {
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	both := bufio.NewReadWriter(bufio.NewReaderSize(conn, 512), bufio.NewWriterSize(conn, 512))
	_, _ = fmt.Fprintf(both, "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer %s\r\n\r\n", token)
	_ = both.Flush()
	res, err := http.ReadResponse(both.Reader, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%v, %w\n%s", res, err, s.logs.text())
	}
	_, _ = both.WriteString("ping\n")
	_ = both.Flush()
	if line, err := both.ReadString('\n'); err != nil || line != "ping\n" {
		return nil, fmt.Errorf("%q came back, %w", line, err)
	}
	return both, nil
}

// What a library says is a record like all others, without what an upstream has sent.
func TestStrayLines(t *testing.T) {
	t.Parallel()
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	go func() {
		for {
			conn, err := api.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nSet-Cookie: session=hunter2\r\n\r\n")
			}
			defer conn.Close()
		}
	}()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, "upstream: http://"+api.Addr().String()+"\nroutes:\n  - {path: /**, access: public}\n")
	s := serve(t, filepath.Join(t.TempDir(), "data"), "--config", file, "--issuer", "http://127.0.0.1:8080")
	if got, err := call("GET", s.url+"/x", "", ""); err != nil || got.body != "ok" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := eventually(func() bool { return strings.Contains(s.logs.text(), "Unsolicited response") }); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(s.logs.text(), "\n") {
		if !json.Valid([]byte(line)) || strings.Contains(line, "hunter2") {
			t.Errorf("in the log: %s", line)
		}
	}
}

// The log says what the rules are for, also where there is no upstream.
func TestServeSaysWhatRulesAreFor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, "trusted_proxies: [127.0.0.1]\nroutes.default: deny\nroutes:\n  - {path: /a}\n  - {path: /b}\n")
	s := serve(t, filepath.Join(t.TempDir(), "data"), "--config", file)
	if logs := s.logs.text(); !strings.Contains(logs, `"msg":"answering forward-auth","routes":2,"default":"deny"`) {
		t.Errorf("the log has no line about the rules:\n%s", logs)
	}
	plain, _ := serveEmpty(t)
	if logs := plain.logs.text(); strings.Contains(logs, "forward-auth") {
		t.Errorf("without trusted_proxies:\n%s", logs)
	}
}
