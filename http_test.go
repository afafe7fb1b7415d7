package doorward_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// api is a server whose routes are protected by one verifier.
type api struct {
	subject
	*httptest.Server
	log   *logBuffer
	token string // a good one
}

// newAPI serves /need, /optional and /admin. The handlers answer with what they
// see: the subject, "anonymous" if there is none, and the body.
func newAPI(t testing.TB, change func(*doorward.Config)) *api {
	t.Helper()
	a := &api{log: new(logBuffer)}
	a.subject = newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(a.log, nil))
		if change != nil {
			change(c)
		}
	})
	a.token = a.subject.token(t, nil)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "anonymous"
		if c, ok := doorward.ClaimsFrom(r.Context()); ok {
			who = c.Subject
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			who = "error: " + err.Error()
		}
		_, _ = io.WriteString(w, who+" "+string(body))
	})
	mux := http.NewServeMux()
	mux.Handle("/need", a.v.Require()(echo))
	mux.Handle("/optional", a.v.Optional()(echo))
	mux.Handle("/admin", a.v.Require(doorward.HasScope("orders:read"), doorward.HasRole("admin"))(echo))
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// wire sends the text as it is. TOKEN stands for the good token, and the head
// gets Host and Connection: close.
func (a *api) wire(t testing.TB, request string) answer {
	t.Helper()
	request = strings.ReplaceAll(request, "TOKEN", a.token)
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	lines[0] += " HTTP/1.1"
	if !strings.Contains(head, "\nHost:") {
		lines = append(lines, "Host: api.example")
	}
	lines = append(lines, "Connection: close")
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(t.Context(), "tcp", a.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(lines[0], " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	return read(t, resp)
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, strings.TrimSpace(string(body))}
}

// get sends GET path with the token in the usual header.
func (a *api) get(t testing.TB, path, token string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// code returns the member "error" of a body in the one error shape, and fails on any other shape.
func (a answer) code(t testing.TB) string {
	t.Helper()
	if a.status < 400 {
		return ""
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%d with body %q: %v", a.status, a.body, err)
	}
	if len(body) != 3 || body["error"] == "" || body["error_description"] == "" || body["request_id"] == "" {
		t.Errorf("body %q, want error, error_description and request_id", a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q on a refusal", got)
	}
	challenge := a.header.Values("WWW-Authenticate")
	if a.status == http.StatusUnauthorized && len(challenge) != 1 {
		t.Errorf("401 with the challenges %q, want one", challenge)
	}
	return body["error"]
}

// quiet discards.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func itoa(n int) string { return strconv.Itoa(n) }

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}
