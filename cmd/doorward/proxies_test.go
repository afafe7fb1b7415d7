package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/proxytest"
)

// seeing is an API that keeps the requests that reach it.
type seeing struct {
	*httptest.Server
	mu   sync.Mutex // guards seen
	seen []*http.Request
}

func newSeeing(t *testing.T) *seeing {
	t.Helper()
	a := &seeing{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r)
		a.mu.Unlock()
		if protocol := r.Header.Get("Upgrade"); protocol != "" {
			echo(w, protocol)
			return
		}
		body, _ := io.ReadAll(r.Body) // whole: an HTTP/1 server that answers before it has read may cut the rest off
		_, _ = w.Write(body)
	}))
	t.Cleanup(a.Close)
	return a
}

// echo changes the protocol, as RFC 6455 §1.3 does it, to whatever is asked for, and says one thing in it.
func echo(w http.ResponseWriter, protocol string) {
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello")
	_ = both.Flush()
}

// take returns what has come since it was called last.
func (a *seeing) take() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// front is a proxy that people run, with Doorward and an API behind it.
type front struct {
	t     *testing.T
	url   string
	api   *seeing
	door  *process
	alice string // her token
}

// fronts are the proxies with the configuration that is shipped for them.
var fronts = map[string]func(t testing.TB, doorward, api string) string{
	"nginx":   proxytest.Nginx,
	"caddy":   proxytest.Caddy,
	"haproxy": func(t testing.TB, doorward, _ string) string { return proxytest.HAProxy(t, doorward) },
}

func newFront(t *testing.T, name string) *front {
	t.Helper()
	f := &front{t: t, api: newSeeing(t)}
	text, err := os.ReadFile(filepath.Join("../../examples", name, "doorward.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, strings.ReplaceAll(string(text), "http://127.0.0.1:5000", f.api.URL)+
		"  - {path: /open/**, access: public}\n  - {path: /read, methods: [GET]}\nlogin.page: /login.html\n")
	dir := filepath.Join(t.TempDir(), "data")
	f.door = serve(t, dir, "--config", file)
	command(t, 0, "", "user", "add", "alice", "--role", "staff", "--data", dir)
	f.alice = f.token()
	f.url = fronts[name](t, f.door.url, f.api.URL)
	return f
}

// token is a new one for alice.
func (f *front) token() string {
	f.t.Helper()
	out, _ := command(f.t, 0, "", "token", "issue", "alice", "--data", f.door.dir)
	return strings.TrimSpace(out)
}

// send makes a request with header lines and returns the answer and what the API saw of it, nil if nothing.
func (f *front) send(method, target string, header http.Header) (answer, *http.Request) {
	f.t.Helper()
	f.api.take()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+target, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header
	got, err := exchange(req)
	if err != nil {
		f.t.Fatal(err)
	}
	seen := f.api.take()
	if len(seen) > 1 {
		f.t.Fatalf("%s %s reached the API %d times", method, target, len(seen))
	}
	if len(seen) == 0 {
		return got, nil
	}
	return got, seen[0]
}

func bearing(token string, more ...string) http.Header {
	h := http.Header{}
	if token != "" {
		h["Authorization"] = []string{"Bearer " + token}
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = append(h[more[i]], more[i+1])
	}
	return h
}

// TestProxies puts each proxy, as its example is written, before the binary and an API.
func TestProxies(t *testing.T) {
	t.Parallel()
	for name := range fronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, name)
			t.Run("closed and open", f.closedAndOpen)
			t.Run("Attack_C08 Attack_C11 spoofed", f.spoofed)
			t.Run("Attack_C07 nominated", f.nominated)
			t.Run("Attack_C18 WebSocket", f.webSocket)
			t.Run("Attack_C06 Standard_S08 names", f.names)
			t.Run("Attack_C06 collected names", f.collectedNames)
			t.Run("Attack_C10 spellings", f.spellings)
			t.Run("Attack_C10 collected spellings", f.collectedSpellings)
			t.Run("Attack_C10 addresses of browsers", f.browserAddresses)
			t.Run("Attack_F09 logout", f.logout)
			t.Run("hosts", f.hosts)
			t.Run("to the login page", f.toLogin)
			if name != "haproxy" { // which asks nothing
				t.Run("Attack_E06 Attack_E08 garbage", f.garbage)
				t.Run("stopped", f.stopped)
			}
		})
	}
}

// closedAndOpen is what the configuration is for.
func (f *front) closedAndOpen(t *testing.T) {
	got, seen := f.send("GET", "/orders?x=1&y=%2f", nil)
	if got.status != 401 || seen != nil || got.member("error") != "missing_token" || got.member("request_id") == "" ||
		len(got.header["Www-Authenticate"]) != 1 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("without a token: %d %s %v", got.status, got.body, got.header)
	}
	got, seen = f.send("GET", "/orders?x=1&y=%2f", bearing(f.alice, "Cookie", "a=b; __Host-dw_refresh=dwr_x; c=d"))
	if got.status != 200 || seen == nil {
		t.Fatalf("with a token: %d %s", got.status, got.body)
	}
	if seen.RequestURI != "/orders?x=1&y=%2f" || seen.Header.Get("Doorward-Username") != "alice" || seen.Header.Get("Doorward-Roles") != "staff" ||
		seen.Header.Get("Doorward-Subject") == "" || seen.Header.Get("Doorward-Session") == "" || strings.Count(seen.Header.Get("Doorward-Assertion"), ".") != 2 {
		t.Errorf("the API saw %s %v", seen.RequestURI, seen.Header)
	}
	if cookies := seen.Header.Get("Cookie"); seen.Header.Get("Authorization") != "" || cookies != "a=b; c=d" {
		t.Errorf("credentials reached the API: %q %v", cookies, seen.Header)
	}
	if seen.Header.Get("X-Forwarded-For") == "" || seen.Header.Get("X-Forwarded-Proto") != "http" {
		t.Errorf("the API does not know where it came from: %v", seen.Header)
	}
	for _, test := range []struct {
		method, target, token string
		status                int
		code                  string
	}{
		{"GET", "/", "", 200, ""},
		{"GET", "/open/x", "rubbish", 200, ""},
		{"GET", "/admin/users", f.alice, 403, "insufficient_scope"},
		{"GET", "/orders", "rubbish", 401, "invalid_token"},
		{"GET", "/a//b", f.alice, 400, "invalid_request"},
		{"POST", "/read", f.alice, 405, "method_not_allowed"},
		{"DELETE", "/orders/7", f.alice, 200, ""},
		{"GET", "/auth/forward-auth/nginx", f.alice, 404, ""},
		{"GET", "/auth/forward-auth/caddy", f.alice, 404, ""},
		{"GET", "/auth//forward-auth/nginx", f.alice, 404, ""},
		{"GET", "/auth/%66orward-auth/nginx", f.alice, 404, ""},
		{"GET", "/auth/x/../forward-auth/nginx", f.alice, 404, ""},
	} {
		got, seen := f.send(test.method, test.target, bearing(test.token))
		if got.status != test.status || got.member("error") != test.code && test.code != "" || (seen != nil) != (test.status == 200) {
			t.Errorf("%s %s: %d %s, reached the API: %v, want %d %s", test.method, test.target, got.status, got.body, seen != nil, test.status, test.code)
		}
		if test.status == 405 && got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("405 without Allow: %v", got.header)
		}
	}
	preflight := bearing("", "Origin", "https://app.example", "Access-Control-Request-Method", "PUT")
	if got, seen := f.send("OPTIONS", "/orders", preflight); got.status != 200 || seen == nil || seen.Header.Get("Doorward-Subject") != "" {
		t.Errorf("a preflight: %d", got.status)
	}
	preflight = bearing("", "Origin", "https://app.example", "Access-Control-Request-Method", "PUT", "X-HTTP-Method-Override", "PUT")
	if got, seen := f.send("OPTIONS", "/orders", preflight); got.status != 200 || seen == nil || seen.Header.Get("X-HTTP-Method-Override") != "" {
		t.Errorf("a preflight that overrides its method: %d", got.status)
	}
	if got, seen := f.send("OPTIONS", "/orders?_method=PUT", preflight); got.status != 401 || seen != nil {
		t.Errorf("a preflight that names its method: %d", got.status)
	}
	big, err := call("POST", f.url+"/upload", f.alice, strings.Repeat("x", 512<<10))
	if err != nil || big.status != 200 || len(big.body) != 512<<10 {
		t.Errorf("a large body: %v %d, %d bytes", err, big.status, len(big.body))
	}
}

// spoofed claims, through the proxy, to be another request.
func (f *front) spoofed(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-Uri", "X-Original-URI", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix",
		"x-forwarded-uri", "X-Forwarded-Path", "X-Forwarded-Port", "Forwarded",
	} {
		got, seen := f.send("GET", "/admin/users", bearing(f.alice, name, "/open/x"))
		if got.status != 403 || seen != nil {
			t.Errorf("%s opens another path: %d", name, got.status)
		}
		got, seen = f.send("GET", "/open/x", bearing("", name, "/admin/users"))
		if got.status != 200 || seen == nil {
			t.Errorf("%s closes an open path: %d %s", name, got.status, got.body)
			continue
		}
		for _, line := range seen.Header {
			if slices.Contains(line, "/admin/users") {
				t.Errorf("%s reaches the API: %v", name, seen.Header)
			}
		}
	}
	// In these spellings CGI and PHP take them for the same. Who asks Doorward does not get past it.
	for _, name := range []string{"X_Forwarded_Uri", "X-Original_URI", "X_Original_URL", "X.Rewrite.Url", "X_HTTP_Method_Override", "Grpc-Metadata-Doorward-Subject"} {
		got, seen := f.send("GET", "/open/x", bearing("", name, "/admin/users"))
		if seen == nil && got.status != 400 || seen != nil && len(seen.Header[http.CanonicalHeaderKey(name)]) > 0 {
			t.Errorf("%s: %d, the API sees %v", name, got.status, seen)
		}
		if got, seen := f.send("GET", "/admin/users", bearing(f.alice, name, "/open/x")); got.status != 403 && got.status != 400 || seen != nil {
			t.Errorf("%s opens a path: %d", name, got.status)
		}
	}
	for _, name := range []string{"X-Forwarded-Method", "X-Original-Method", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		got, seen := f.send("POST", "/read", bearing(f.alice, name, "GET"))
		if got.status != 405 || seen != nil {
			t.Errorf("%s makes POST a GET: %d", name, got.status)
		}
		if got, seen := f.send("GET", "/read", bearing(f.alice, name, "POST")); got.status != 200 || seen == nil || seen.Header.Get(name) != "" {
			t.Errorf("%s reaches the API: %d", name, got.status)
		}
	}
	// By these an API in Python would take /open/admin/users for /admin/users.
	for _, name := range []string{"SCRIPT_NAME", "Script_Name", "PATH_INFO", "X-Script-Name", "X_SCRIPT_NAME", "X-Script_Name", "Daphne-Root-Path"} {
		got, seen := f.send("GET", "/open/admin/users", bearing("", name, "/open"))
		if got.status != 200 || seen == nil {
			t.Errorf("%s closes an open path: %d %s", name, got.status, got.body)
		} else if seen.Header.Get(name) != "" || len(seen.Header[name]) > 0 {
			t.Errorf("%s reaches the API: %v", name, seen.Header)
		}
	}
	got, seen := f.send("GET", "/orders", bearing(f.alice, "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "evil.example"))
	if got.status != 200 || strings.Contains(seen.Header.Get("X-Forwarded-For"), "192.0.2.1") || seen.Header.Get("X-Forwarded-Proto") != "http" ||
		seen.Header.Get("X-Forwarded-Host") != strings.TrimPrefix(f.url, "http://") {
		t.Errorf("a client says where it comes from: %d %v", got.status, seen)
	}
}

// nominated asks hops on the way to drop what Doorward has set or needs.
func (f *front) nominated(t *testing.T) {
	got, seen := f.send("GET", "/orders", bearing(f.alice, "Connection", "Doorward-Subject, Authorization, X-Forwarded-Uri, X-Original-URI"))
	if got.status != 200 || seen == nil || seen.Header.Get("Doorward-Subject") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got, seen = f.send("GET", "/orders", bearing("", "Connection", "Doorward-Subject, X-Forwarded-Uri")); got.status != 401 || seen != nil {
		t.Errorf("without a token: %d", got.status)
	}
}

// names claims to be somebody under the gate's own names, in all spellings.
func (f *front) names(t *testing.T) {
	names := []string{"Doorward-Subject", "Doorward-Username", "Doorward-External-Id", "Doorward-Roles", "Doorward-Scope", "Doorward-Session", "Doorward-Assertion"}
	for _, joint := range []string{"-", "_", ".", "~"} {
		lines := http.Header{"Authorization": {"Bearer " + f.alice}}
		for _, name := range names {
			name = strings.ReplaceAll(name, "-", joint)
			for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				lines[spelled] = []string{"mallory", ""}
			}
		}
		f.identified(t, lines)
	}
}

// hostile returns the lines of some of the collections of hostile input.
func hostile(t *testing.T, names ...string) []string {
	t.Helper()
	if corpora == "" {
		t.Skip("DOORWARD_CORPORA is not set: collected input is not tried")
	}
	var lines []string
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(corpora, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// collectedNames does it under every name that people have seen.
func (f *front) collectedNames(t *testing.T) {
	list := hostile(t, "payloads-all-the-things/request-header-names.txt")
	if len(list) < 1000 {
		t.Fatalf("only %d names", len(list))
	}
	for _, joint := range []string{"-", "_", "."} {
		for some := range slices.Chunk(list, 60) {
			lines := http.Header{"Authorization": {"Bearer " + f.alice}}
			for _, name := range some {
				name = strings.ReplaceAll(name, "-", joint)
				switch {
				case ofHTTP[strings.ToLower(name)] || strings.ContainsAny(name, ":/()[]{}<>@,;\\\""):
				case strings.Contains(name, "%"): // x-forwarded-host~%s.%h
					f.refusedOrIdentified(t, http.Header{"Authorization": {"Bearer " + f.alice}, name: {"mallory"}})
				default:
					lines[name] = []string{"mallory"}
				}
			}
			f.identified(t, lines)
		}
	}
}

// ofHTTP are headers that mean something to each hop, or carry credentials.
var ofHTTP = map[string]bool{
	"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "expect": true, "upgrade": true, "te": true,
	"trailer": true, "keep-alive": true, "authorization": true, "proxy-connection": true, "http2-settings": true, "range": true,
	"sec-websocket-key": true, "access-control-request-method": true, "origin": true, "content-encoding": true, "content-type": true,
}

// refusedOrIdentified is identified for lines that may imitate another name: who asks Doorward is then refused.
func (f *front) refusedOrIdentified(t *testing.T, lines http.Header) {
	t.Helper()
	if got, seen := f.send("GET", "/orders", lines); got.status != 400 || seen != nil {
		f.identified(t, lines)
	}
}

// identified sends lines with alice's token: whatever they say, the API reads that it is alice.
func (f *front) identified(t *testing.T, lines http.Header) {
	t.Helper()
	got, seen := f.send("GET", "/orders", lines)
	if got.status != 200 || seen == nil {
		t.Errorf("%d %s for %v", got.status, got.body, lines)
		return
	}
	for name, values := range seen.Header {
		folded := strings.NewReplacer("_", "-", ".", "-", "~", "-").Replace(strings.ToLower(name))
		if strings.HasPrefix(folded, "doorward-") && (strings.Contains(strings.Join(values, ""), "mallory") || len(values) != 1 || name != http.CanonicalHeaderKey(name) || strings.ContainsAny(name, "_.~")) {
			t.Errorf("%s: %q reaches the API", name, values)
		}
	}
	if seen.Header.Get("Doorward-Username") != "alice" || seen.Header.Get("Authorization") != "" {
		t.Errorf("the API saw %v", seen.Header)
	}
}

// spellings sends paths, byte for byte, without a token. What reaches the API is open, however
// it is read there.
func (f *front) spellings(t *testing.T) {
	targets := []string{
		"//admin", "/./admin", "/open/../admin", "/open/..%2fadmin", "/open/%2e%2e/admin", "/open/%2e%2e%2fadmin", "/%61dmin", "/admin%2f",
		"/admin;x", "/open/..;/admin", "/open;/../admin", "/admin%00", "/ADMIN", "/admin/", "/admin.", "/open%2f..%2fadmin", "/%2561dmin",
		"/open/%252e%252e/admin", "/open\\..\\admin", "/open/%5c..%5cadmin", "/\uff41dmin", "/open/%c0%ae%c0%ae/admin", "/admin#x", "/admin?x",
		"http://x.example/admin", "http://x.example//admin", "/auth/../admin", "/auth/..%2fadmin", "/auth/%2e%2e/admin", "/auth//../admin", "*", "admin",
		"/auth;/../admin", "/auth/..;/admin", "/auth/forward-auth/../../admin", "/open/x", "/open/%78", "/OPEN/x", "/open/x/",
	}
	if reached := f.stayOpen(t, targets); reached < 4 {
		t.Errorf("%d of %d paths reach the API: what is open does not", reached, len(targets))
	}
}

// collectedSpellings does it with what people collect; the short form takes every seventh.
func (f *front) collectedSpellings(t *testing.T) {
	lines := hostile(t, "fuzzdb/path-traversal/traversals-8-deep-exotic-encoding.txt",
		"payloads-all-the-things/deep-traversal.txt", "payloads-all-the-things/directory-traversal.txt")
	step := 7
	if soak {
		step = 1
	}
	var targets []string
	for i := 0; i < len(lines); i += step {
		if line := strings.ReplaceAll(lines[i], "{FILE}", "admin/x"); !strings.Contains(line, " ") {
			targets = append(targets, "/"+strings.TrimPrefix(line, "/"), "/open/"+line, "/open"+line+"admin", "/auth/"+line+"/admin")
		}
	}
	if len(targets) < 500 {
		t.Fatalf("only %d paths", len(targets))
	}
	f.stayOpen(t, targets)
}

// browserAddresses does it with the addresses by which browsers are compared, as they stand and inside of others; the
// short form takes every seventh.
func (f *front) browserAddresses(t *testing.T) {
	var tests []json.RawMessage // a text is a comment
	if err := json.Unmarshal([]byte(strings.Join(hostile(t, "wpt-url/urltestdata.json"), "\n")), &tests); err != nil {
		t.Fatal(err)
	}
	step := 7
	if soak {
		step = 1
	}
	var targets []string
	for i := 0; i < len(tests); i += step {
		var test struct{ Input string }
		// Blanks and ends of lines would make another request line.
		if json.Unmarshal(tests[i], &test) == nil && test.Input != "" && !strings.ContainsAny(test.Input, " \t\r\n") {
			targets = append(targets, test.Input, "/"+test.Input, "/open/"+test.Input+"/../admin", "/admin/"+test.Input)
		}
	}
	if len(targets) < 300 {
		t.Fatalf("only %d addresses", len(targets))
	}
	if f.stayOpen(t, targets) == 0 {
		t.Error("none reaches the API: what is open does not")
	}
}

// stayOpen sends paths and returns how many reach the API.
func (f *front) stayOpen(t *testing.T, targets []string) int {
	t.Helper()
	f.api.take()
	reached := 0
	for _, target := range targets {
		status := f.raw(t, target)
		for _, seen := range f.api.take() {
			reached++
			if !isOpen(seen.RequestURI) {
				t.Errorf("%q reaches the API as %q: %s", target, seen.RequestURI, status)
			}
		}
	}
	return reached
}

// raw sends a request target byte for byte and returns the line of the status.
func (f *front) raw(t *testing.T, target string) string {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n"); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// isOpen reports whether every reader takes a path for / or for something below /open.
func isOpen(uri string) bool {
	text, _, _ := strings.Cut(uri, "?")
	once, err := url.PathUnescape(text)
	if err != nil {
		return false
	}
	twice, err := url.PathUnescape(once)
	if err != nil {
		return false
	}
	for _, read := range []string{text, once, twice} {
		cleaned := strings.ToLower(path.Clean(strings.NewReplacer(`\`, "/", ";", "/").Replace(read)))
		if cleaned != "/" && cleaned != "/open" && !strings.HasPrefix(cleaned, "/open/") {
			return false
		}
	}
	return true
}

// webSocket opens one where a rule allows it.
func (f *front) webSocket(t *testing.T) {
	for _, test := range []struct {
		name, target, upgrade, token, origin string
		want                                 string // empty: anything
	}{
		{"with a token", "/socket", "websocket", f.alice, "", "101"},
		{"without", "/socket", "websocket", "", "", "401"},
		{"from another origin", "/socket", "websocket", f.alice, "https://evil.example", "403"},
		{"where no rule allows it", "/orders", "websocket", f.alice, "", "403"},
		{"to h2c", "/socket", "h2c", f.alice, "", "200"},
		{"to another protocol", "/open/x", "other", "", "", "200"},
		{"to one of two", "/socket", "h2c\r\nUpgrade: websocket", f.alice, "", ""},
		{"without its key", "/open/x", "websocket", "", "", ""},
		{"without its key, in capitals", "/open/x", "WebSocket", "", "", ""},
	} {
		f.api.take()
		lines := "GET " + test.target + " HTTP/1.1\r\nHost: x.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + test.upgrade + "\r\n"
		if strings.HasSuffix(test.upgrade, "websocket") && !strings.HasPrefix(test.name, "without its key") {
			lines += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
		}
		if test.token != "" {
			lines += "Authorization: Bearer " + test.token + "\r\n"
		}
		if test.origin != "" {
			lines += "Origin: " + test.origin + "\r\n"
		}
		status := f.conversation(t, lines+"\r\n")
		if !strings.HasPrefix(status, test.want) {
			t.Errorf("%s: %s, want %s", test.name, status, test.want)
		}
		for _, seen := range f.api.take() {
			if to := seen.Header["Upgrade"]; len(to) > 0 && (seen.URL.Path != "/socket" || len(to) != 1 || to[0] != "websocket") {
				t.Errorf("%s: the API is asked for %q at %s", test.name, to, seen.URL)
			}
		}
	}
}

// conversation sends lines and returns the status, after the first word of a WebSocket.
func (f *front) conversation(t *testing.T, lines string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, lines); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		word := make([]byte, len("hello"))
		if _, err := io.ReadFull(from, word); err != nil || string(word) != "hello" {
			return "101 but " + string(word)
		}
	}
	return res.Status
}

// logout ends a session through the proxy, and one from outside.
func (f *front) logout(t *testing.T) {
	out, _ := command(t, 0, "", "user", "passwd", "alice", "--data", f.door.dir)
	secret := strings.TrimSpace(out[strings.LastIndexByte(strings.TrimSpace(out), ' ')+1:])
	login := must(t, 200, "POST", f.url+"/auth/login", "", credentials("alice", secret))
	token := login.member("access_token")
	must(t, 200, "GET", f.url+"/orders", token, "")
	must(t, 200, "GET", f.url+"/auth/me", token, "")
	must(t, 204, "POST", f.url+"/auth/logout", token, "")
	if got := must(t, 401, "GET", f.url+"/orders", token, ""); got.member("error_description") != "session ended" {
		t.Errorf("after the logout: %s", got.body)
	}
	again := must(t, 200, "POST", f.url+"/auth/login", "", credentials("alice", secret)).member("access_token")
	must(t, 200, "GET", f.url+"/orders", again, "")
	var me struct{ Session string }
	if err := json.Unmarshal([]byte(must(t, 200, "GET", f.url+"/auth/me", again, "").body), &me); err != nil || me.Session == "" {
		t.Fatalf("no session in /me: %v", err)
	}
	command(t, 0, "", "session", "revoke", me.Session, "--data", f.door.dir)
	if err := eventually(func() bool {
		got, err := call("GET", f.url+"/orders", again, "")
		return err == nil && got.status == 401
	}); err != nil {
		t.Errorf("after session revoke: %v", err)
	}
}

// garbage sends tokens that nobody made until the client's network is refused, whatever the client says
// about where it is. A good token passes all the while.
func (f *front) garbage(t *testing.T) {
	token := f.token()
	for i := range 700 { // more than twice what a minute allows
		got, seen := f.send("GET", "/orders", bearing(token+"x", "X-Forwarded-For", fmt.Sprintf("100.0.%d.1", i%256)))
		if seen != nil || got.status != 401 && got.status != 429 {
			t.Fatalf("try %d: %d %s", i, got.status, got.body)
		}
		if got.status == 401 {
			continue
		}
		if got.header.Get("Retry-After") == "" || got.member("error") != "too_many_requests" {
			t.Errorf("429 with %v %s", got.header, got.body)
		}
		must(t, 200, "GET", f.url+"/orders", token, "")
		return
	}
	t.Error("garbage has no limit")
}
