package gate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"pgregory.net/rapid"
)

// recorder is an upstream that keeps every byte and answers one request on each connection.
type recorder struct {
	net.Listener
	mu  sync.Mutex // guards got
	got bytes.Buffer
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &recorder{Listener: ln}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, r)))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(p)
}

// take returns what has come since the last time.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.got.Reset()
	return r.got.String()
}

// TestRawRequests sends what parsers disagree on. The gate refuses it, or the API gets requests that
// nobody can frame otherwise: strict lines, one length, and no more of them than were meant.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var sending sync.WaitGroup
	slots := make(chan struct{}, 48)
	for name, raw := range rawRequests(t) {
		sending.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			sendRaw(t, w, name, raw)
		})
	}
	sending.Wait()
}

func sendRaw(t *testing.T, w *world, name, raw string) {
	api := newRecorder(t)
	f := newFront(w, public, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = "http://" + api.Addr().String() })
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, raw)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // What waits for more of a request goes on waiting.
	_, _ = io.ReadAll(conn)
	arrived := api.take()
	meant, err := framed(raw)
	passed, _ := framed(arrived)
	for i, request := range passed {
		// The last may be under way still: its body is then a part of what was meant.
		if i >= len(meant) || request != meant[i] && (i < len(passed)-1 || !strings.HasPrefix(meant[i], request)) {
			t.Errorf("Attack_C14: %s: the API gets %q, meant was %q (%v)", name, passed, meant, err)
			return
		}
	}
	if fault := strictly(arrived); fault != "" && errors.Is(err, io.EOF) {
		t.Errorf("Attack_C14: %s: the API gets %s:\n%q\nfor\n%q", name, fault, arrived, raw)
	}
}

// rawRequests are classics and, where there are corpora, those of llhttp.
func rawRequests(t *testing.T) map[string]string {
	t.Helper()
	const head = "POST /x HTTP/1.1\r\nHost: a\r\n"
	all := map[string]string{
		"CL.TE":                head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
		"TE.CL":                head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGET /admin HTTP/1.1\r\n\r\n0\r\n\r\n",
		"TE.TE":                head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
		"TE with tab":          head + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
		"TE other":             head + "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello",
		"two lengths":          head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"same length twice":    head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"signed length":        head + "Content-Length: +5\r\n\r\nhello",
		"bare LF chunk":        head + "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
		"chunk extension":      head + "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
		"long extension":       head + "Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("a", 20<<10) + "\r\nhello\r\n0\r\n\r\n",
		"obs-fold":             head + "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
		"space before colon":   head + "Content-Length : 5\r\n\r\nhello",
		"bare LF":              "GET /x HTTP/1.1\nHost: a\n\n",
		"bare CR":              "GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n\r\n",
		"NUL":                  "GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
		"pipelined":            "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
		"nominated":            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Content-Length, Host, X-Forwarded-For\r\n\r\n",
		"absolute":             "GET http://admin:secret@evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n",
		"Host twice":           "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"no Host":              "GET /x HTTP/1.1\r\n\r\n",
		"CONNECT":              "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
		"PRI":                  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"body of the bodyless": "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /y HTTP/1.1\r\nHost: a\r\n\r\n",
	}
	corpora := os.Getenv("DOORWARD_CORPORA")
	if corpora == "" {
		return all
	}
	text, err := os.ReadFile(filepath.Join(corpora, "llhttp-md/requests.json"))
	must(t, err)
	var cases []struct {
		Name, File string
		Raw        []byte `json:"raw_b64"`
	}
	must(t, json.Unmarshal(text, &cases))
	for i, c := range cases {
		raw := string(c.Raw)
		if line, rest, ok := strings.Cut(raw, "\n"); ok && !strings.Contains(strings.ToLower(raw), "\nhost:") {
			raw = line + "\nHost: a\r\n" + rest
		}
		all[fmt.Sprint("llhttp ", i, " ", c.File, " ", c.Name)] = raw
	}
	if len(all) < 150 {
		t.Fatalf("only %d requests", len(all))
	}
	return all
}

// strictly returns what is ambiguous in requests as they arrived, "" for nothing.
func strictly(text string) string {
	for rest := text; rest != ""; {
		head, after, found := strings.Cut(rest, "\r\n\r\n")
		if !found {
			return "no end of a head"
		}
		lines := strings.Split(head, "\r\n")
		lengths, chunked := 0, false
		for _, line := range lines[1:] {
			name, value, ok := strings.Cut(line, ":")
			lower := strings.ToLower(name)
			switch {
			case !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(line, "\r\n\x00"):
				return fmt.Sprintf("the line %q", line)
			case lower == "content-length":
				lengths++
			case lower == "transfer-encoding":
				chunked = strings.TrimSpace(value) == "chunked"
				lengths++
			}
		}
		if lengths > 1 {
			return "two lengths"
		}
		r := bufio.NewReader(strings.NewReader(head + "\r\n\r\n" + after))
		req, err := http.ReadRequest(r)
		if err != nil {
			return err.Error()
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil && !chunked {
			return err.Error()
		}
		left, _ := io.ReadAll(r)
		rest = string(left)
	}
	return ""
}

// framed returns path and body of each request in a stream, and why it ends.
func framed(text string) (all []string, err error) {
	r := bufio.NewReader(strings.NewReader(text))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return all, err
		}
		body, err := io.ReadAll(req.Body)
		all = append(all, req.Method+" "+req.URL.Path+" "+string(body))
		if err != nil {
			return all, err
		}
	}
}

// TestAgreement sends random paths through the gate: what the API receives is what was decided on.
func TestAgreement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFront(w, gate.Config{Routes: mixed}, http.HandlerFunc(echo))
	g := w.guard(gate.Config{Routes: mixed})
	passed := 0
	rapid.Check(t, func(r *rapid.T) {
		target := "/" + rapid.SampledFrom([]string{"public/", "PUBLIC/", "raw/", "admin/", ""}).Draw(r, "tree") +
			rapid.StringMatching(`([a-c]|%[2-7][0-9a-fA-F]|[;.~+!$&'()*,=:@|\[\]^"<>{}-]|/|%C3%A9|é){0,6}`).Draw(r, "rest")
		u, err := parseTarget(target)
		if err != nil {
			return
		}
		probe := ask(t, "GET", "/")
		probe.URL = u
		v := g.Decide(probe)
		res, text := f.raw("GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		switch {
		case v.Refusal != nil && res.StatusCode != v.Refusal.Status:
			r.Fatalf("%q is answered %d, decided was %d", target, res.StatusCode, v.Refusal.Status)
		case v.Refusal != nil:
		case res.StatusCode != 200 || got(t, text).URI != v.Path:
			r.Fatalf("%q arrives as %d %s, decided was %q", target, res.StatusCode, text, v.Path)
		default:
			passed++
		}
	})
	if passed < 5 {
		t.Errorf("only %d paths passed", passed)
	}
}
