package server_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

const nonce = "0123456789abcdef"

// client adds a client and returns its credentials.
func (w *world) client(name string, scope ...string) (account.Client, with) {
	w.t.Helper()
	c, secret, err := w.set.server.Clients.Add(w.t.Context(), account.NewClient{Name: name, Scope: scope}, issuer.Event{})
	must(w.t, err)
	w.secret(secret)
	return c, basic(c.ID, secret)
}

func basic(id, secret string) with {
	return func(r *http.Request) { r.SetBasicAuth(id, secret) }
}

func (w *world) ask(credentials with, query string, more ...with) answer {
	w.t.Helper()
	a := w.do("GET", "/revocations"+query, nil, append(more, credentials)...)
	if got := a.header.Get("Cache-Control"); got != "no-store" || a.header.Get("ETag") != "" {
		w.t.Errorf("%s: Cache-Control %q, ETag %q", query, got, a.header.Get("ETag"))
	}
	return a
}

// A service reads what is revoked, and with the cursor of the answer what is revoked after it.
func TestRevocations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, orders := w.client("orders", account.ScopeRevocations, "other")
	tokens := w.login("alice", aliceWord)
	first := w.ask(orders, "?nonce="+nonce)
	if first.status != 200 || first.text("nonce") != nonce || first.object["snapshot"] != true || first.object["more"] != false {
		t.Errorf("%d %s", first.status, first.body)
	}
	if a := w.do("POST", "/logout", nil, bearer(tokens.text("access_token"))); a.status != 204 {
		t.Fatalf("logout: %d", a.status)
	}
	second := w.ask(orders, "?after="+first.text("next"))
	entries, _ := second.object["entries"].([]any)
	if second.object["snapshot"] != false || len(entries) != 1 || second.object["nonce"] != nil || second.text("lineage") != first.text("lineage") {
		t.Fatalf("%s", second.body)
	}
	entry, _ := entries[0].(map[string]any)
	expires, _ := entry["expires"].(float64)
	if entry["kind"] != "session" || entry["id"] == "" || entry["before"] != nil ||
		time.Unix(int64(expires), 0).Before(time.Now().Add(10*time.Minute)) {
		t.Errorf("entry %v", entry)
	}
	if age, ok := second.object["age_ms"].(float64); !ok || age < 1 || age > 10_000 {
		t.Errorf("age_ms %v", second.object["age_ms"])
	}
	third := w.ask(orders, "?after="+second.text("next"))
	if entries, _ := third.object["entries"].([]any); len(entries) != 0 || third.text("next") != second.text("next") {
		t.Errorf("%s", third.body)
	}
	if head := w.do("HEAD", "/revocations", nil, orders); head.status != 200 || len(head.body) != 0 {
		t.Errorf("HEAD: %d", head.status)
	}
}

// Attack_F13: who may ask, and what for.
func TestRevocationsRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, orders := w.client("orders", account.ScopeRevocations)
	_, poor := w.client("poor", "other")
	gone, disabled := w.client("disabled", account.ScopeRevocations)
	if _, err := w.set.server.Clients.SetDisabled(t.Context(), gone.ID, true, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	token := w.login("alice", aliceWord).text("access_token")
	for _, tt := range []struct {
		name, query string
		with        []with
		status      int
		code        string
	}{
		{"nobody", "", nil, 401, "invalid_client"},
		{"unknown", "", []with{basic("dwc_nobody", "dws_x")}, 401, "invalid_client"},
		{"a token is no credential", "", []with{bearer(token)}, 401, "invalid_client"},
		{"not base64", "", []with{header("Authorization", "Basic ???")}, 401, "invalid_client"},
		{"without a colon", "", []with{header("Authorization", "Basic YWJj")}, 401, "invalid_client"},
		{"disabled", "", []with{disabled}, 401, "invalid_client"},
		{"two credentials", "", []with{orders, header("Authorization", "Basic YTpi")}, 400, "invalid_request"},
		{"without the scope", "", []with{poor}, 403, "insufficient_scope"},
		{"after twice", "?after=a&after=b", []with{orders}, 400, "invalid_request"},
		{"after with a space", "?after=a%20b", []with{orders}, 400, "invalid_request"},
		{"after empty", "?after=", []with{orders}, 400, "invalid_request"},
		{"after too long", "?after=" + strings.Repeat("a", 4097), []with{orders}, 400, "invalid_request"},
		{"nonce too short", "?nonce=abc", []with{orders}, 400, "invalid_request"},
		{"nonce that is JSON", `?nonce=%22%7D0123456789abcdef`, []with{orders}, 400, "invalid_request"},
		{"unknown parameter", "?since=1", []with{orders}, 400, "invalid_request"},
		{"query that cannot be read", "?after=%zz", []with{orders}, 400, "invalid_request"},
		{"stream without after", "", []with{orders, header("Accept", "text/event-stream")}, 400, "invalid_request"},
		{"stream with a nonce", "?after=a&nonce=" + nonce, []with{orders, header("Accept", "text/event-stream")}, 400, "invalid_request"},
		{"stream of nobody", "?after=a", []with{header("Accept", "text/event-stream")}, 401, "invalid_client"},
		{"a cursor of nowhere is a snapshot", "?after=nowhere", []with{orders}, 200, ""},
		{"a cursor of the greatest length", "?after=" + strings.Repeat("a", 4096), []with{orders}, 200, ""},
	} {
		a := w.do("GET", "/revocations"+tt.query, nil, tt.with...)
		if a.status != tt.status || a.text("error") != tt.code {
			t.Errorf("%s: %d %q, want %d %q", tt.name, a.status, a.text("error"), tt.status, tt.code)
		}
		challenge := a.header.Get("WWW-Authenticate")
		if (tt.status == 401) != (challenge == `Basic realm="doorward", charset="UTF-8"`) {
			t.Errorf("%s: challenge %q", tt.name, challenge)
		}
	}
	if _, err := w.set.server.Clients.SetDisabled(t.Context(), gone.ID, false, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	if a := w.ask(disabled, ""); a.status != 200 {
		t.Errorf("enabled again: %d", a.status)
	}
}

// Wrong credentials are limited; those that are right go on.
func TestRevocationsThrottles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	_, orders := w.client("orders", account.ScopeRevocations)
	if a := w.ask(orders, ""); a.status != 200 {
		t.Fatal(a.status)
	}
	last := answer{}
	for range 120 + 1 {
		last = w.ask(basic("dwc_nobody", "dws_x"), "")
	}
	if last.status != 429 || last.text("error") != "too_many_requests" || last.header.Get("Retry-After") != "60" {
		t.Errorf("%d %s, Retry-After %q", last.status, last.body, last.header.Get("Retry-After"))
	}
	if a := w.ask(orders, ""); a.status != 200 {
		t.Errorf("the client that was let in before: %d", a.status)
	}
}

// Clients behind a proxy that is not trusted have no limit by network at any endpoint: they would all share one.
func TestUntrustedProxyClients_Attack_E08(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	_, orders := w.client("orders", account.ScopeRevocations)
	for range account.ClientFailureLimit + 1 {
		if a := w.ask(basic("dwc_nobody", "dws_x"), "", from("192.0.2.1")); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := w.ask(orders, ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Attack_F12: without its store a node answers 503, and never that nothing was revoked.
func TestRevocationsWithoutStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	_, orders := w.client("orders", account.ScopeRevocations)
	w.ask(orders, "")
	must(t, w.file.Close())
	for _, accept := range []string{"application/json", "text/event-stream"} {
		a := w.do("GET", "/revocations?after=a", nil, orders, header("Accept", accept))
		if a.status != 503 || a.text("error") != "unavailable" || a.header.Get("Retry-After") == "" || a.object["entries"] != nil {
			t.Errorf("%s: %d %s", accept, a.status, a.body)
		}
	}
}

// open asks for a stream.
func (w *world) open(credentials with, after string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", "http://"+w.address+"/revocations?after="+after, http.NoBody)
	must(w.t, err)
	credentials(r)
	r.Header.Set("Accept", "text/event-stream")
	response := w.send(r)
	w.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// stream opens a stream and returns its lines.
func (w *world) stream(credentials with, after string) (*http.Response, *bufio.Scanner) {
	w.t.Helper()
	response := w.open(credentials, after)
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("stream: %d %v", response.StatusCode, response.Header)
	}
	return response, bufio.NewScanner(response.Body)
}

// await reads on to a line with the text.
func await(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the stream ended before %q: %v", text, lines.Err())
}

// Every stream is told what is revoked; one that cannot go on from its cursor is told that, and ends.
func TestRevocationsStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, orders := w.client("orders", account.ScopeRevocations)
	cursor := w.ask(orders, "").text("next")
	_, lines := w.stream(orders, cursor)
	await(t, lines, `"after":"`+cursor+`"`)
	_, another := w.stream(orders, cursor)
	await(t, another, "event: revocations")
	if n := w.set.server.Feed.Followers(); n != 2 {
		t.Errorf("%d followers", n)
	}
	cut, err := w.store.EndSubject(t.Context(), w.alice, issuer.ReasonAdmin, issuer.Event{})
	must(t, err)
	for _, l := range []*bufio.Scanner{lines, another} {
		await(t, l, `{"kind":"`+string(doorward.KindSubject)+`","id":"`+w.alice+`","before":"`+cut.Before+`","expires":`)
	}
	_, lost := w.stream(orders, "nowhere")
	await(t, lost, "event: resync")
	for lost.Scan() {
		if text := lost.Text(); text != "" && text != "data: {}" {
			t.Errorf("after resync: %q", text)
		}
	}
}

// Streams take half of the connections at most: the other half is for those who log in.
func TestRevocationsStreamsLeaveRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.Connections = 6 })
	_, orders := w.client("orders", account.ScopeRevocations)
	cursor := w.ask(orders, "").text("next")
	for range 3 {
		_, lines := w.stream(orders, cursor)
		await(t, lines, "event: revocations")
	}
	if response := w.open(orders, cursor); response.StatusCode != 503 {
		t.Errorf("a fourth stream of six connections: %s", response.Status)
	}
	if a := w.ask(orders, "?after="+cursor); a.status != 200 {
		t.Errorf("a poll beside the streams: %d %s", a.status, a.body)
	}
}

// A server that stops ends its streams, so that they take none of its grace.
func TestRevocationsStreamEndsWithServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.Grace = time.Hour })
	_, orders := w.client("orders", account.ScopeRevocations)
	_, lines := w.stream(orders, w.ask(orders, "").text("next"))
	await(t, lines, "event: revocations")
	w.set.server.Feed.Close() // What Serve does first.
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if a := w.do("GET", "/revocations?after=a", nil, orders, header("Accept", "text/event-stream")); a.status != 503 || a.text("error") != "busy" {
		t.Errorf("another stream: %d %s", a.status, a.body)
	}
}

// Who may not read any more is told nothing from the next heartbeat on.
func TestRevocationsStreamEndsWithTheRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, client account.Client) error{
		"disabled": func(w *world, client account.Client) error {
			_, err := w.set.server.Clients.SetDisabled(w.t.Context(), client.ID, true, issuer.Event{})
			return err
		},
		"without the scope": func(w *world, client account.Client) error {
			_, _, err := w.set.server.Clients.Edit(w.t.Context(), client.ID, account.ClientEdit{Scope: &doorward.Scope{"else"}}, issuer.Event{})
			return err
		},
		"deleted": func(w *world, client account.Client) error {
			_, err := w.set.server.Clients.Remove(w.t.Context(), client.ID, issuer.Event{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			client, orders := w.client("orders", account.ScopeRevocations)
			response, lines := w.stream(orders, w.ask(orders, "").text("next"))
			await(t, lines, "event: revocations")
			must(t, change(w, client))
			late := time.AfterFunc(time.Minute, func() { _ = response.Body.Close() })
			defer late.Stop()
			for lines.Scan() {
				t.Log(lines.Text())
			}
			must(t, lines.Err())
		})
	}
}

// A feed without clients is refused, and without both there is no /revocations.
func TestFeedNeedsClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	cfg := w.set.server
	cfg.Clients = nil
	if _, err := server.New(cfg); err == nil {
		t.Error("a feed for nobody")
	}
	cfg.Feed = nil
	s, err := server.New(cfg)
	must(t, err)
	for _, path := range server.Routes(s) {
		if strings.HasSuffix(path, "/revocations") {
			t.Error("the route is there without a feed")
		}
	}
	w.login("alice", aliceWord)
}
