package gate_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/gate"
)

// planted is what no answer of an upstream may bring to a client, by whatever way.
var planted = []string{
	"Doorward-Subject: u_admin", "Set-Cookie: __Host-dw_refresh=planted", "Alt-Svc: h3=\":5000\"", "Access-Control-Allow-Origin: *",
}

func plant(h http.Header, prefix string) {
	for _, line := range planted {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(prefix+name, value)
	}
}

// speaks fails if a header holds what was planted.
func speaks(t *testing.T, what string, h http.Header) {
	t.Helper()
	for _, line := range planted {
		name, value, _ := strings.Cut(line, ": ")
		if slices.Contains(h.Values(name), value) {
			t.Errorf("%s: %s", what, line)
		}
	}
}

// Interim answers bring links and nothing else, and none to a client of HTTP/1.0 (RFC 9110 §15.2).
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, status := range []int{http.StatusProcessing, 199, http.StatusEarlyHints} {
			plant(w.Header(), "")
			w.Header().Set("Link", "</app.css>; rel=preload")
			w.WriteHeader(status)
			clear(w.Header())
		}
		w.WriteHeader(http.StatusEarlyHints) // without a link
		_, _ = io.WriteString(w, "hello")
	}))
	var hints []http.Header
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		if status != http.StatusEarlyHints {
			t.Errorf("status %d", status)
		}
		hints = append(hints, http.Header(h))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address+"/", http.NoBody)
	must(t, err)
	res, err := f.client.Do(r)
	must(t, err)
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "hello" || res.Header.Get("Link") != "" {
		t.Errorf("%q, %v, %v", text, err, res.Header)
	}
	if len(hints) != 1 || len(hints[0]) != 1 || hints[0].Get("Link") != "</app.css>; rel=preload" {
		t.Errorf("early hints: %v", hints)
	}
	if res, text := f.raw("GET / HTTP/1.0\r\nHost: a\r\n\r\n"); res.StatusCode != 200 || text != "hello" {
		t.Errorf("HTTP/1.0: %d %s", res.StatusCode, text)
	}
}

// A trailer says no more than a header may, announced or not; others pass.
func TestAnswerTrailers(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		if r.URL.Path != "/unannounced" {
			w.Header().Set("Trailer", "X-Sum, Doorward-Subject, Set-Cookie, Alt-Svc, Access-Control-Allow-Origin")
		}
		_, _ = io.WriteString(w, "hello")
		_ = http.NewResponseController(w).Flush()
		prefix := ""
		if r.URL.Path == "/unannounced" {
			prefix = http.TrailerPrefix
		}
		plant(w.Header(), prefix)
		w.Header().Set(prefix+"X-Sum", "1")
	}))
	for _, path := range []string{"/announced", "/unannounced", "/events"} {
		res, text := f.call("GET", path, nil)
		if text != "hello" || res.Trailer.Get("X-Sum") != "1" {
			t.Errorf("%s: %q with %v", path, text, res.Trailer)
		}
		speaks(t, path, res.Trailer)
		speaks(t, path, res.Header)
	}
}

// Cookies without a name, which some browsers send back as if they had one, are no way to plant ours.
func TestNamelessCookies(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), gate.Config{TokenCookie: "app_token", Routes: public.Routes}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"=__Host-dw_refresh=planted; Path=/", " = __host-dw_x=planted", "=theirs"}
		echo(w, r)
	}))
	res, text := f.call("GET", "/", nil, "Cookie", "=__Host-dw_refresh=x; ==app_token=y; =theirs; a=b")
	if got := res.Header["Set-Cookie"]; !slices.Equal(got, []string{"=theirs"}) {
		t.Errorf("Set-Cookie: %q", got)
	}
	if got := got(t, text).Header.Get("Cookie"); got != "=theirs; a=b" {
		t.Errorf("Cookie: %q", got)
	}
}

// A status that there is not is no answer.
func TestOddStatus(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, err = io.WriteString(conn, "HTTP/1.1 "+r.URL.Path[1:]+" Odd\r\nSet-Cookie: up=1\r\nContent-Length: 2\r\n\r\nhi")
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
		}
	}))
	for _, status := range []string{"000", "099"} {
		res, text := f.call("GET", "/"+status, nil)
		if res.StatusCode != 502 || code(t, res, text) != "bad_gateway" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %s", status, res.StatusCode, res.Header, text)
		}
	}
	if logs := f.logs.String(); !strings.Contains(logs, "a status that there is not: 099") {
		t.Errorf("the log has no reason: %s", logs)
	}
	if res, text := f.call("GET", "/299", nil); res.StatusCode != 299 || text != "hi" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

// TestInterimSwitch passes no change of the protocol on that comes over HTTP/2, where there is none (RFC 9113 §8.6).
func TestInterimSwitch(t *testing.T) {
	t.Parallel()
	f, _ := newHTTP2(newWorld(t), public, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		plant(w.Header(), "")
		w.WriteHeader(http.StatusSwitchingProtocols)
		clear(w.Header())
		w.WriteHeader(http.StatusNoContent)
	}))
	res, _ := f.raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res.StatusCode != http.StatusNoContent {
		t.Error(res.Status)
	}
	speaks(t, "header", res.Header)
}
