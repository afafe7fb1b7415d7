package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/roster"
	"github.com/doorward/doorward/issuer"
)

const (
	// fridaHash is bcrypt of cost 4 of the password "frida's old password".
	fridaHash = "$2b$04$0aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6"
	importing = "/admin/v1/users/import"
	lineMedia = "application/jsonl"
)

// imported is the answer of an import.
type imported struct {
	roster.Sum

	NotAdded []struct {
		Line             int
		Username, Reason string
	} `json:"not_added"`
}

func (w *world) load(lines, query string, root with) imported {
	w.t.Helper()
	a := w.do("POST", importing+query, lines, root, media(lineMedia)).want(w.t, 200, "")
	if strings.Contains(string(a.body), "$2b$") || strings.Contains(string(a.body), "pbkdf2:sha256:1$") {
		w.t.Errorf("a hash is in the answer: %s", a.body)
	}
	var got imported
	must(w.t, json.Unmarshal(a.body, &got))
	return got
}

// named returns the user of a name, and whether there is one.
func (w *world) named(name string) (account.User, bool) {
	w.t.Helper()
	u, err := w.people.ByName(w.t.Context(), name)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		w.t.Fatal(err)
	}
	return u, err == nil
}

func entry(name string, more string) string {
	return fmt.Sprintf(`{"username":%q,"password_hash":%q%s}`+"\n", name, fridaHash, more)
}

// Each line is taken or not, as by the command; what a line cannot say is not taken from it, and sending it again
// changes nothing.
func TestAdminImport(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	w.secret(fridaHash)
	lines := entry("frida", `,"email":"frida@example.com","roles":["reader","admin"],"id":"u_mine"`) +
		"\r\n" +
		entry("hugo", `,"disabled":true,"external_id":"17"`) +
		entry("iris", `,"external_id":"17"`) +
		entry("hugo", `,"external_id":"18"`) +
		entry("hugo", `,"external_id":"17"`) +
		entry("hugo", "") +
		entry("bob", "") +
		`{"username":"eve","password_hash":"pbkdf2:sha256:1$salt$00"}` + "\n" +
		`{"username":"nobody"}` + "\n" +
		entry("frida", "")
	dry := w.load(lines, "?dry_run=true", root)
	if _, there := w.named("frida"); there || !dry.DryRun {
		t.Errorf("a dry run has added frida: %+v", dry)
	}
	got := w.load(lines, "?dry_run=false", root)
	for _, sum := range []imported{dry, got} {
		if sum.Rows != 10 || sum.Added != 2 || sum.Present != 3 || sum.Conflict != 2 || sum.Refused != 3 || sum.Schemes["bcrypt"] != 2 {
			t.Errorf("imported %+v", sum)
		}
		if len(sum.NotAdded) != 5 || sum.NotAdded[0].Line != 9 && sum.NotAdded[0].Line != 10 {
			t.Errorf("not added %+v", sum.NotAdded)
		}
	}
	frida, _ := w.named("frida")
	if frida.ID == "u_mine" || frida.Email != "frida@example.com" || !slices.Equal(frida.Roles, []string{"admin", "reader"}) {
		t.Errorf("frida is %+v", frida)
	}
	if hugo, _ := w.named("hugo"); !hugo.Disabled || hugo.ExternalID != "17" {
		t.Errorf("hugo is %+v", hugo)
	}
	w.login("bob", bobWord)
	again := w.load(lines, "", root)
	if again.Added != 0 || again.Present != 5 || again.Conflict != 2 || again.Refused != 3 {
		t.Errorf("again: %+v", again)
	}
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Actor: id, Kinds: []issuer.EventKind{account.EventUserImport}})
	must(t, err)
	if len(records) != 2 || records[0].Address != "127.0.0.1" || len(w.logs.about(records[1].RequestID)) == 0 || records[1].Subject != frida.ID {
		t.Errorf("recorded %+v", records)
	}
}

// A body that would not be read to its end, or that is none, adds nobody; a line that is not a user is told.
func TestAttack_E11_Import(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	w.secret(fridaHash)
	good := entry("first", "")
	long := `{"username":"` + strings.Repeat("x", roster.MaxRow) + `"}`
	for name, c := range map[string]struct {
		query, body, media string
		status             int
		code               string
	}{
		"one byte too much":     {"", good + strings.Repeat("\n", 1<<20-len(good)+1), lineMedia, 413, "too_large"},
		"a line without an end": {"", good + strings.Repeat("x", 1<<19), lineMedia, 413, "too_large"},
		"a line too long":       {"", good + long + "\n" + good, lineMedia, 413, "too_large"},
		"half a million lines":  {"", good + strings.Repeat("x\n", 500_000), lineMedia, 413, "too_large"},
		"one user too many":     {"", good + strings.Repeat("x\n", 5000), lineMedia, 413, "too_large"},
		"blank lines":           {"", strings.Repeat("\n", 1<<20), lineMedia, 400, "invalid_request"},
		"nothing":               {"", "", lineMedia, 400, "invalid_request"},
		"JSON":                  {"", good, jsonMedia, 415, "unsupported_media_type"},
		"a form":                {"", good, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		"Latin 1":               {"", good, lineMedia + "; charset=latin1", 415, "unsupported_media_type"},
		"no dry run":            {"?dry_run=1", good, lineMedia, 400, "invalid_request"},
		"two dry runs":          {"?dry_run=true&dry_run=false", good, lineMedia, 400, "invalid_request"},
		"a column":              {"?username-col=email", good, lineMedia, 400, "invalid_request"},
	} {
		a := w.do("POST", importing+c.query, c.body, root, media(c.media))
		if a.status != c.status || a.text("error") != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	w.do("POST", importing, good, root, media(lineMedia), header("Content-Encoding", "gzip")).want(t, 415, "unsupported_media_type")
	if got := w.load(good+strings.Repeat("\n", 1<<20-len(good)), "?dry_run=true", root); got.Added != 1 {
		t.Errorf("1 MiB: %+v", got)
	}
	if _, there := w.named("first"); there {
		t.Error("somebody was added")
	}
	for _, line := range []string{
		"\x00", good[:20] + "\x00" + good[20:], "\xff", "null", "[]", "{}", `"x"`, "7", "{", good[:len(good)-1] + good, strings.Repeat("[", 10_000),
		`{"username":"x\u0000","password_hash":"` + fridaHash + `"}`, entry("eve", `,"username":"x"`), entry("eve", `,"Username":"x"`), entry("eve", `,"is_admin":true`), entry("eve", `,"is_active":true`),
		entry("eve", `,"password":"x"`), entry("eve", `,"must_change":false`), entry("eve", `,"created_at":"2020-01-01T00:00:00Z"`), entry("eve", `,"__proto__":{}`),
		entry("eve", `,"roles":{"admin":true}`), entry("eve", `,"roles":[["admin"]]`), entry("eve", `,"roles":["A dmin!"]`), entry("eve", `,"disabled":"perhaps"`),
		entry("eve", `,"disabled":null`), entry("eve", `,"email":"no address"`), entry("eve", `,"email":["a@x.org"]`), entry("", ""), entry("eve", `,"x":1,"x":2`),
		`{"username":"eve","password_hash":""}`, `{"username":"eve","password_hash":"secret"}`, `{"username":"eve","password_hash":["` + fridaHash + `"]}`, `{"username":{},"password_hash":"x"}`,
		`{"password_hash":"` + fridaHash + `"}`,
	} {
		if got := w.load(strings.TrimSuffix(line, "\n"), "", root); got.Rows != 1 || got.Refused != 1 || len(got.NotAdded) != 1 || got.NotAdded[0].Line != 1 || got.NotAdded[0].Reason == "" {
			t.Errorf("%.80q: %+v", line, got)
		}
	}
	if _, there := w.named("eve"); there {
		t.Error("eve was added")
	}
	if got := w.load(entry(strings.Repeat("é", 500), ""), "", root); got.Refused != 1 || len([]rune(got.NotAdded[0].Username)) != 80 {
		t.Errorf("a long name: %+v", got)
	}
	if got := w.load(strings.TrimSuffix("\n\n"+good, "\n"), "", root); got.Added != 1 {
		t.Errorf("a good line: %+v", got)
	}
}

// readFunc is a reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Who stops being an admin, or logs out, while they send a body changes nothing with it.
func TestAttack_F18_Body(t *testing.T) {
	t.Parallel()
	no := true
	for _, c := range []struct {
		path, media, body string
		out               bool
		status            int
	}{
		{importing, lineMedia, entry("eve", ""), false, 403},
		{importing, lineMedia, entry("eve", ""), true, 401},
		{"/admin/v1/users", jsonMedia, `{"username":"eve"}`, false, 403},
	} {
		w, root, id := adminWorld(t)
		w.addUser("second", goodWord, "admin")
		body := io.MultiReader(readFunc(func([]byte) (int, error) {
			if c.out {
				w.do("POST", "/logout", nil, root).want(t, 204, "")
				return 0, io.EOF
			}
			_, _, err := w.people.Edit(t.Context(), id, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
			must(t, err)
			return 0, io.EOF
		}), strings.NewReader(c.body))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, body)
		r.Header.Set("Content-Type", c.media)
		root(r)
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, r)
		if _, there := w.named("eve"); there || answer.Code != c.status {
			t.Errorf("%s, logged out %t: %d %s, and eve is there: %t", c.path, c.out, answer.Code, answer.Body, there)
		}
	}
}

// Texts for a database are names and words, or refused.
func TestAttack_E14_Import(t *testing.T) {
	t.Parallel()
	texts := lists(t, "fuzzdb/sql-injection/detect/*")
	w, root, _ := adminWorld(t)
	var body strings.Builder
	for i, text := range texts {
		raw, err := json.Marshal(map[string]any{"username": fmt.Sprint("user", i), "password_hash": fridaHash, "email": text, "roles": []string{text}})
		must(t, err)
		body.Write(append(raw, '\n'))
		raw, err = json.Marshal(map[string]any{"username": text, "password_hash": text})
		must(t, err)
		body.Write(append(raw, '\n'))
	}
	got := w.load(body.String(), "", root)
	if got.Rows != 2*len(texts) || got.Refused != got.Rows {
		t.Errorf("%d rows, %d refused of %d texts", got.Rows, got.Refused, len(texts))
	}
	w.login("bob", bobWord)
}

func manyEntries(n int) string {
	var lines strings.Builder
	for i := range n {
		lines.WriteString(entry(fmt.Sprint("user", i), ""))
	}
	return lines.String()
}

// The most that a request may bring is looked at. Of requests that bring the same at once each user is added by one.
func TestAdminImportTogether(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	if got := w.load(strings.Repeat("x\n", 5000), "", root); got.Refused != 5000 || len(got.NotAdded) != 5000 {
		t.Errorf("%d of 5000 refused", got.Refused)
	}
	lines := manyEntries(300)
	answers := make(chan imported, 2)
	for range cap(answers) {
		go func() { answers <- w.load(lines, "", root) }()
	}
	one, other := <-answers, <-answers
	if one.Added+other.Added != 300 || one.Present+other.Present != 300 {
		t.Errorf("%+v and %+v", one, other)
	}
}

// hooked runs f when the answer is given more time, which an import does after each batch.
type hooked struct {
	*httptest.ResponseRecorder

	f func()
}

func (h hooked) SetWriteDeadline(time.Time) error {
	h.f()
	return nil
}

// Who stops being an admin, or logs out, while their lines are being added adds no batch more.
func TestAttack_F18_Import(t *testing.T) {
	t.Parallel()
	for status, lose := range map[int]func(w *world, root with, id string){
		403: func(w *world, _ with, id string) {
			_, _, err := w.people.Edit(w.t.Context(), id, account.UserEdit{Roles: &[]string{}}, issuer.Event{Actor: "test"})
			must(w.t, err)
		},
		401: func(w *world, root with, _ string) { w.do("POST", "/logout", nil, root).want(w.t, 204, "") },
	} {
		w, root, id := adminWorld(t)
		w.addUser("second", goodWord, "admin")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, importing, strings.NewReader(manyEntries(2*account.MaxImport)))
		r.Header.Set("Content-Type", lineMedia)
		root(r)
		var once sync.Once
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(hooked{answer, func() { once.Do(func() { lose(w, root, id) }) }}, r)
		_, first := w.named("user0")
		_, second := w.named(fmt.Sprint("user", account.MaxImport))
		if answer.Code != status || !first || second {
			t.Errorf("%d %s, want %d; of the first batch %t, of the second %t", answer.Code, answer.Body, status, first, second)
		}
	}
}

// awaitRequest waits until a request for a path has ended, and returns its status.
func (w *world) awaitRequest(path string) any {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for _, line := range w.logs.lines() {
			var record map[string]any
			if json.Unmarshal(line, &record) == nil && record["msg"] == "request" && record["route"] == path {
				return record["status"]
			}
		}
	}
	return nil
}

// A request that is given up stops between two transactions, and the next one goes on from there.
func TestAdminImportGivenUp(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t, func(s *settings) { s.direct = false })
	lines := manyEntries(2560)
	ctx, giveUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+w.address+importing, strings.NewReader(lines))
	must(t, err)
	r.Header.Set("Content-Type", lineMedia)
	root(r)
	go func() {
		for ctx.Err() == nil {
			if _, err := w.people.ByName(ctx, "user0"); err == nil {
				giveUp()
			}
		}
	}()
	if response, err := http.DefaultClient.Do(r); err == nil {
		t.Fatalf("it was answered: %d", response.StatusCode)
	}
	if status := w.awaitRequest(importing); status != 0.0 { // cut off
		t.Errorf("its status is %v", status)
	}
	if _, there := w.named("user2559"); there {
		t.Error("all are there")
	}
	got := w.load(manyEntries(2*account.MaxImport), "", root)
	if got.Present == 0 || got.Present%account.MaxImport != 0 || got.Added+got.Present != 2*account.MaxImport {
		t.Errorf("after a request that was given up: %+v", got)
	}
}
