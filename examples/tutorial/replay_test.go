package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exchange is one recorded request and its recorded answer.
type exchange struct {
	Name, Group, Comment string
	Defect               bool
	Request              request
	Response             response
	Capture              map[string]string
}

type request struct {
	Method, Path  string
	Version       string
	Headers       [][2]string
	Body          *string
	BodyBase64    *string `json:"body_base64"`
	Chunked       bool
	ContentLength *int `json:"content_length"`
	NoHost        bool `json:"no_host"`
}

// response is an answer: a recorded one, or one of the example.
type response struct {
	Status  int
	Headers [][2]string
	Body    string
	Interim []string
}

// flow is several exchanges, of which later ones use what earlier ones were given.
type flow struct {
	Name  string
	Steps []exchange
}

func readTestdata(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// readFlows reads a file of flows, or one of single cases, each of which is a flow of one step.
func readFlows(t *testing.T, name string) []flow {
	t.Helper()
	var flows []flow
	readTestdata(t, name, &flows)
	if len(flows) > 0 && len(flows[0].Steps) > 0 {
		return flows
	}
	var cases []exchange
	readTestdata(t, name, &cases)
	flows = nil
	for _, c := range cases {
		flows = append(flows, flow{c.Name, []exchange{c}})
	}
	if len(flows) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	return flows
}

// startApp serves an app on loopback until the test ends.
func startApp(t *testing.T, cfg config) *app {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.url = "http://" + listener.Addr().String()
	cfg.data = t.TempDir()
	cfg.logger = slog.New(slog.DiscardHandler)
	a, err := openApp(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(a)
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// replayer sends recorded requests to one running example.
type replayer struct {
	host  string
	forge *forge
	vars  map[string]string
	last  map[string]string // the latest token of each name that this flow was given
}

func newReplayer(t *testing.T, a *app, recipes string) *replayer {
	t.Helper()
	return &replayer{host: strings.TrimPrefix(a.url, "http://"), forge: newForge(t, a, recipes)}
}

// begin forgets what the flow before was given.
func (p *replayer) begin() {
	p.vars, p.last = map[string]string{}, map[string]string{}
}

// send sends one request and keeps what its answer is to be remembered by.
func (p *replayer) send(t *testing.T, e exchange) response {
	t.Helper()
	head, body := p.write(t, e.Request)
	got, err := roundTrip(t.Context(), p.host, e.Request.Method, head, body)
	if err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	p.capture(got, e.Capture)
	return got
}

// capture remembers members and cookies of an answer. A client whose request was refused goes
// on with what it was given before.
func (p *replayer) capture(got response, wanted map[string]string) {
	var given map[string]any
	_ = json.Unmarshal([]byte(got.Body), &given) // An answer that is no JSON gives nothing.
	for name, where := range wanted {
		value, _ := given[where].(string)
		if cookie, ok := strings.CutPrefix(where, "cookie:"); ok {
			value = cookieValue(got, ourCookie(cookie))
		}
		if value == "" {
			value = p.last[where]
		}
		p.vars[name], p.last[where] = value, value
	}
}

// ourCookie is the example's name for a cookie of Flask-JWT-Extended. The two for CSRF
// values have no counterpart.
func ourCookie(name string) string {
	switch name {
	case "access_token_cookie":
		return accessCookie
	case "refresh_token_cookie":
		return "__Host-dw_refresh"
	}
	return ""
}

func cookieValue(got response, name string) string {
	for _, h := range got.Headers {
		if h[0] == "Set-Cookie" {
			if c, err := http.ParseSetCookie(h[1]); err == nil && c.Name == name {
				return c.Value
			}
		}
	}
	return ""
}

// write makes the bytes of a request, byte for byte what the recording has.
func (p *replayer) write(t *testing.T, r request) (head, body []byte) {
	t.Helper()
	switch {
	case r.BodyBase64 != nil:
		var err error
		if body, err = base64.StdEncoding.DecodeString(*r.BodyBase64); err != nil {
			t.Fatal(err)
		}
	case r.Body != nil:
		body = []byte(p.expand(t, *r.Body))
	}
	version := r.Version
	if version == "" {
		version = "HTTP/1.1"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", r.Method, p.expand(t, r.Path), version)
	if !r.NoHost {
		fmt.Fprintf(&b, "Host: %s\r\n", p.host)
	}
	for _, h := range r.Headers {
		value := p.expand(t, h[1])
		if h[0] == "Cookie" {
			value = strings.NewReplacer("access_token_cookie=", accessCookie+"=", "refresh_token_cookie=", "__Host-dw_refresh=").Replace(value)
		}
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], value)
	}
	switch {
	case r.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
		body = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case r.ContentLength != nil:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", *r.ContentLength)
	case body != nil || r.Method == http.MethodPost:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	return b.Bytes(), body
}

var templates = regexp.MustCompile(`\{\{(token|repeat):?([^}]*?)(?::(\d+))?\}\}|\{\{(\w+)\}\}`)

// expand fills in the templates of a request.
func (p *replayer) expand(t *testing.T, text string) string {
	t.Helper()
	return templates.ReplaceAllStringFunc(text, func(found string) string {
		m := templates.FindStringSubmatch(found)
		switch {
		case m[1] == "token":
			return p.forge.token(t, m[2])
		case m[1] == "repeat":
			n, err := strconv.Atoi(m[3])
			if err != nil {
				t.Fatalf("template %s: %v", found, err)
			}
			return strings.Repeat(m[2], n)
		case m[4] == "host":
			return p.host
		}
		value, ok := p.vars[m[4]]
		if !ok {
			t.Fatalf("template %s: nothing was given under this name", found)
		}
		return value
	})
}

// roundTrip writes to a socket of its own and reads one answer, and the interim ones before it.
func roundTrip(ctx context.Context, host, method string, head, body []byte) (response, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return response{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return response{}, err
	}
	go func() {
		// A server that has read enough answers and closes; the answer says what it thought.
		_, _ = conn.Write(append(head, body...))
	}()
	var got response
	for reader := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return response{}, err
		}
		if resp.StatusCode < 200 {
			got.Interim = append(got.Interim, resp.Proto+" "+resp.Status)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return response{}, err
		}
		got.Status, got.Body = resp.StatusCode, string(text)
		for name, values := range resp.Header {
			for _, value := range values {
				got.Headers = append(got.Headers, [2]string{name, value})
			}
		}
		return got, nil
	}
}
