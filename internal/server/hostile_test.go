package server_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// lists reads text files of the corpora, one case a line. An empty file is a failure.
func lists(t *testing.T, globs ...string) []string {
	t.Helper()
	dir := corpora(t)
	var all []string
	for _, glob := range globs {
		files, err := filepath.Glob(filepath.Join(dir, glob))
		must(t, err)
		before := len(all)
		for _, name := range files {
			file, err := os.Open(name)
			must(t, err)
			lines := bufio.NewScanner(file)
			for lines.Scan() {
				if line := strings.TrimSpace(lines.Text()); line != "" && filepath.Base(name) != "SOURCE.txt" {
					all = append(all, line)
				}
			}
			must(t, lines.Err())
			must(t, file.Close())
		}
		if len(all) == before {
			t.Fatalf("%s holds nothing", glob)
		}
	}
	return all
}

func naughty(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpora(t), "naughty-strings", "blns.json"))
	must(t, err)
	var all []string
	must(t, json.Unmarshal(raw, &all))
	if len(all) < 400 {
		t.Fatalf("only %d naughty strings", len(all))
	}
	return all
}

// plainWord is what a member of JSON may be called that is not known: it is named.
var plainWord = regexp.MustCompile(`^[a-z][a-z_0-9]{0,31}$`)

// hostile sends each text through every field that a client fills in. Nothing
// breaks: no 5xx, one shape, no redirect, and the text is not in a header or a refusal.
func (w *world) hostile(texts []string) {
	w.t.Helper()
	token := w.login("alice", aliceWord).text("access_token")
	for _, text := range texts {
		for _, a := range []answer{
			w.do("POST", "/login", map[string]any{"username": "alice", "password": "", "scope": text, "audience": text}),
			w.do("POST", "/login", map[string]any{"username": "alice", "password": "x", text: "y"}),
			w.do("POST", "/refresh", map[string]any{"refresh_token": text, "audience": text}),
			w.do("POST", "/logout", map[string]any{"refresh_token": text}),
			w.do("POST", "/password", map[string]any{"current": aliceWord, "new": aliceWord, text: true}, bearer(token)),
			w.do("DELETE", "/sessions/"+url.PathEscape(text), nil, bearer(token)),
			w.do("GET", "/sessions?before="+url.QueryEscape(text), nil, bearer(token)),
			w.do("GET", "/"+url.PathEscape(text), nil),
			w.do("POST", "/logout?everywhere="+url.QueryEscape(text), nil, bearer("x")),
		} {
			if a.status >= 500 || a.status == 204 {
				w.t.Errorf("%q: %d %s", text, a.status, a.body)
			}
			if len(text) > 12 && !plainWord.MatchString(text) && strings.Contains(string(a.body), text) {
				w.t.Errorf("%q is echoed: %s", text, a.body)
			}
		}
	}
}

// The texts of Attack_C17 and Attack_E14, and Attack_D09's of scripts, change nothing.
func TestHostileFields(t *testing.T) {
	t.Parallel()
	for name, texts := range map[string]func(*testing.T) []string{
		"Attack_D09 naughty strings": naughty,
		"Attack_C17 CRLF": func(t *testing.T) []string {
			return lists(t, "payloads-all-the-things/crlf-injection.txt")
		},
		"Attack_E14 SQL": func(t *testing.T) []string {
			return lists(t, "payloads-all-the-things/nosql.txt", "fuzzdb/sql-injection/detect/*", "fuzzdb/no-sql-injection/*", "fuzzdb/json/*", "fuzzdb/control-chars/*", "fuzzdb/unicode/*")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *settings) { s.direct = true })
			before, err := w.people.List(t.Context(), account.Query{})
			must(t, err)
			all := texts(t)
			w.hostile(all)
			for i := 0; i < len(all); i += 1 + len(all)/20 { // A few as names too: each costs a hash.
				a := w.do("POST", "/login", map[string]any{"username": all[i], "password": all[i] + "x"})
				if a.status != 401 && a.status != 400 {
					t.Errorf("%q as a name: %d", all[i], a.status)
				}
			}
			after, err := w.people.List(t.Context(), account.Query{})
			must(t, err)
			if len(before) != len(after) {
				t.Errorf("%d users became %d", len(before), len(after))
			}
			w.login("bob", bobWord)
		})
	}
}

// Names and audiences that are stored and come back do so unchanged, as JSON.
func TestAttack_D09_StoredTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct, s.issuer.MaxStaleness = true, time.Hour }) // there are many names
	w.addUser("root", adminWord, "admin")
	root := w.login("root", adminWord).text("access_token")
	stored := 0
	for _, name := range append(naughty(t), lists(t, "payloads-all-the-things/crlf-injection.txt")...) {
		shown, canonical, err := account.ParseName(name)
		if err != nil {
			continue // A text that is no name.
		}
		user, err := w.store.CreateUser(t.Context(), account.UserRow{ID: "u_" + rand.Text(), Name: shown, Canonical: canonical}, issuer.Event{Actor: "test"})
		if errors.Is(err, account.ErrNameTaken) {
			continue
		}
		must(t, err)
		stored++
		set := w.session(user.ID, issuer.LoginRequest{})
		me := w.do("GET", "/me", nil, bearer(set.AccessToken)).want(t, 200, "")
		if me.text("username") != user.Name {
			t.Errorf("%q came back as %q", user.Name, me.text("username"))
		}
		must(t, w.issuer.Logout(t.Context(), set.AccessToken, issuer.Event{}))
	}
	if stored < 50 {
		t.Errorf("only %d texts are names", stored)
	}
	seen, after := 0, ""
	for {
		a := w.do("GET", "/admin/v1/users"+after, nil, bearer(root)).want(t, 200, "")
		seen += len(a.object["users"].([]any))
		if after = "?cursor=" + a.text("next"); a.text("next") == "" {
			break
		}
	}
	if seen != stored+3 {
		t.Errorf("%d users are listed, %d exist", seen, stored+3)
	}
}

// trap is a hasher that panics.
type trap struct{ *password.Hasher }

// ASVS_16.5.4: Attack_H05 Behaviour_B11: a panic is a 500 in the one shape, an event in the
// log, and the end of nothing else.
func TestAttack_H05_Panic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := w.panicking()
	for range 3 {
		a := w.answerOf(handler, "POST", "/login", `{"username":"alice","password":"x"}`)
		a.want(t, 500, "server_error")
		if strings.Contains(string(a.body), "nil") || strings.Contains(string(a.body), ".go") {
			t.Errorf("the answer tells of the inside: %s", a.body)
		}
		found := false
		for _, record := range w.logs.about(a.text("request_id")) {
			found = found || record["msg"] == "panic"
		}
		if !found {
			t.Error("the panic is not in the log")
		}
	}
	if a := w.answerOf(handler, "GET", "/livez", ""); a.status != http.StatusOK {
		t.Errorf("/livez after it: %d", a.status)
	}
}

// Attack_H02, Standard_W07, ASVS_16.2.5: Standard_S16: what goes in secret comes out nowhere: each secret through each endpoint, and
// the harness reads every log record and every refusal.
func TestCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	for _, secret := range []string{aliceWord, a.text("access_token"), a.text("refresh_token")} {
		for _, e := range endpoints {
			if e.path == "/docs/api" || e.path == "/openapi.yaml" {
				continue // These are long, and net/http cuts off a client that sends a body nobody reads.
			}
			for _, body := range []string{
				`{"username":"` + secret + `","password":"` + secret + `"}`, `{"` + secret + `":1}`, `{"refresh_token":"` + secret + `x"}`,
				`{"username":` + secret + `}`, `{"current":"` + secret + `","` + secret + `":null}`, secret,
				`{"scope":"` + secret + `","username":"alice","password":"x"}`, `{"audience":"` + secret + `","refresh_token":"` + secret + `x"}`,
			} {
				w.do(e.method, e.path+"?token="+secret, body, header("X-Token", secret), header("User-Agent", secret),
					header("Referer", "https://x/?"+secret), refreshCookie(secret+"x"))
				if e.token {
					w.do(e.method, e.path+"/"+secret, body, bearer(secret+"x"), header("Origin", secret))
				}
			}
			w.do(e.method, e.path, nil, header("Authorization", "Bearer "+secret+" x"), media(secret))
		}
		w.raw("GET /me?" + secret + " HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat(secret, 1000) + "\r\n\r\n")
		w.raw(secret + " /me HTTP/1.1\r\n\r\n")
	}
}

// Every request leaves one record, with what an operator looks for.
func TestRequestRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	sid := w.claims(a.text("access_token"), issuerURL).SessionID
	for _, c := range []struct {
		method, path, route string
		status              float64
	}{
		{"DELETE", "/sessions/x?y=z", "/sessions/{id}", 404}, {"GET", "/nothing/at/all", "none", 404}, {"PUT", "/login", "/login", 405},
	} {
		b := w.do(c.method, c.path, nil, bearer(a.text("access_token")))
		requests := 0
		for _, record := range w.logs.about(b.text("request_id")) {
			if record["msg"] != "request" {
				continue
			}
			requests++
			if record["method"] != c.method || record["route"] != c.route || record["status"] != c.status || record["remote"] != "127.0.0.1" {
				t.Errorf("record %v", record)
			}
			if c.route == "/sessions/{id}" && (record["sub"] != w.alice || record["sid"] != sid) {
				t.Errorf("the record does not say who: %v", record)
			}
		}
		if requests != 1 {
			t.Errorf("%s %s left %d records", c.method, c.path, requests)
		}
	}
	for _, line := range w.logs.lines() {
		if strings.Contains(string(line), "y=z") || strings.Contains(string(line), "/nothing/at/all") {
			t.Errorf("Attack_C04 Standard_R16: path or query in the log: %s", line)
		}
	}
	w.do(strings.Repeat("A", 3000), "/me", nil).want(t, 501, "not_implemented")
	for _, line := range w.logs.lines() {
		if len(line) > 2000 {
			t.Errorf("a record of %d bytes", len(line))
		}
	}
}

func (h trap) VerifyNothing(context.Context, string) error { panic("nil pointer, or so") }

func (h trap) Verify(context.Context, string, string) (bool, error) {
	panic("nil pointer, or so")
}

// panicking is the same server, whose hasher panics.
func (w *world) panicking() http.Handler {
	w.t.Helper()
	people, err := account.New(account.Config{Store: w.store, Throttle: w.store, Hasher: trap{password.New(password.Config{})}})
	must(w.t, err)
	cfg := w.set.server
	cfg.People = people
	s, err := server.New(cfg)
	must(w.t, err)
	return s
}

// answerOf asks a handler over a socket of its own.
func (w *world) answerOf(handler http.Handler, method, path, body string) answer {
	w.t.Helper()
	local := httptest.NewServer(handler)
	defer local.Close()
	r, err := http.NewRequestWithContext(w.t.Context(), method, local.URL+path, strings.NewReader(body))
	must(w.t, err)
	r.Header.Set("Content-Type", jsonMedia)
	response, err := local.Client().Do(r)
	must(w.t, err)
	return w.check(r, response)
}
