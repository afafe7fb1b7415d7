package python_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	session = "0199f3c2-7d5a-7c31-9d52-0a6f4c1b2e77"
	earlier = "0199f3c2-7d5a-7c31-9d52-0a6f4c1b2e76"
	later   = "0199f3c2-7d5a-7c31-9d52-0a6f4c1b2e78"

	good  = ""
	ended = "401 session ended"
	stale = "503 tokens cannot be checked at the moment"
)

// reply writes the answer to the n-th question, from 0 on.
type reply func(w http.ResponseWriter, n int, question url.Values)

// tell answers each question with one page that has these members in the place of its own.
func tell(members string) reply {
	return func(w http.ResponseWriter, _ int, question url.Values) { write(w, question, members) }
}

// entries answers with these revocations.
func entries(list ...string) reply { return tell(`"entries":[` + strings.Join(list, ",") + `]`) }

func write(w http.ResponseWriter, question url.Values, members string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(page(question, members)))
}

func page(question url.Values, members string) string {
	return object([][2]string{
		{"nonce", quote(question.Get("nonce"))},
		{"lineage", `"a"`},
		{"snapshot", fmt.Sprint(!question.Has("after"))},
		{"entries", "[]"},
		{"next", `"a.1"`},
		{"more", "false"},
		{"age_ms", "3"},
	}, members)
}

// inTurn answers the n-th question with the n-th reply, and later ones with the last.
func inTurn(replies ...reply) reply {
	return func(w http.ResponseWriter, n int, question url.Values) {
		replies[min(n, len(replies)-1)](w, n, question)
	}
}

func status(code int, header ...string) reply {
	return func(w http.ResponseWriter, _ int, _ url.Values) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func raw(contentType, body string) reply {
	return func(w http.ResponseWriter, _ int, _ url.Values) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(body))
	}
}

// feeds are servers as doorward.py may meet them, and what it then says of a token that is good otherwise.
func feeds() []struct {
	name  string
	reply reply
	want  string
} {
	hence := time.Now().Unix() + 600
	cut := func(kind, id, before string) string {
		return fmt.Sprintf(`{"kind":%q,"id":%q,"before":%q,"expires":%d}`, kind, id, before, hence)
	}
	return []struct {
		name  string
		reply reply
		want  string
	}{
		{"nothing", entries(), good},
		{"its session", entries(fmt.Sprintf(`{"kind":"session","id":%q,"expires":%d}`, session, hence)), ended},
		{"another session", entries(fmt.Sprintf(`{"kind":"session","id":%q,"expires":%d}`, later, hence)), good},
		{"its subject before later", entries(cut("subject", "u_1", later)), ended},
		{"its subject before it", entries(cut("subject", "u_1", session)), good},
		{"its subject before earlier", entries(cut("subject", "u_1", earlier)), good},
		{"its subject, twice", entries(cut("subject", "u_1", later), cut("subject", "u_1", earlier)), ended},
		{"its subject before no id", entries(cut("subject", "u_1", strings.ToUpper(earlier))), ended},
		{"its subject before nothing", entries(fmt.Sprintf(`{"kind":"subject","id":"u_1","expires":%d}`, hence)), ended},
		{"another subject", entries(cut("subject", "u_2", later)), good},
		{"its client", entries(cut("client", "doorward", later)), ended},
		{"another client", entries(cut("client", "u_1", later)), good},
		{"all", entries(fmt.Sprintf(`{"kind":"all","before":%q,"expires":%d}`, later, hence)), ended},
		{"all before", entries(fmt.Sprintf(`{"kind":"all","before":%q,"expires":%d}`, earlier, hence)), good},
		{"its key", entries(`{"kind":"key","id":"the EdDSA"}`), ended},
		{"another key", entries(`{"kind":"key","id":"x"}`), good},
		{"an unknown kind", entries(`{"kind":"device","id":"x"}`), stale},
		{"an unknown kind that expired", entries(`{"kind":"device","id":"x","expires":1}`), good},
		{"an unknown member", tell(`"stream":{"x":1}`), good},
		{"the server's time", tell(fmt.Sprintf(`"now":%d`, hence)), good},

		{"no nonce", tell("-nonce"), stale},
		{"another nonce", tell(`"nonce":"0123456789abcdef"`), stale},
		{"old", tell(`"age_ms":60001`), stale},
		{"not so old", tell(`"age_ms":50000`), good},
		{"negative age", tell(`"age_ms":-1`), stale},
		{"age of 400 digits", tell(`"age_ms":` + strings.Repeat("9", 400)), stale},
		{"age of 400 digits, then good", inTurn(tell(`"age_ms":`+strings.Repeat("9", 400)), tell("-unknown")), good},
		{"age in words", tell(`"age_ms":"3"`), stale},
		{"time in words", tell(`"now":"0"`), stale},
		{"time of a fraction", tell(`"now":0.5`), stale},
		{"time before 1970", tell(`"now":-1`), stale},
		{"no lineage", tell(`"lineage":""`), stale},
		{"no next", tell("-next"), stale},
		{"more as a word", tell(`"more":"false"`), stale},
		{"entries are no list", tell(`"entries":{}`), stale},
		{"an entry is no object", entries(`"session"`), stale},
		{"a name twice", tell(`"x":1,"x":1`), stale},
		{"no JSON", raw("application/json", "hello"), stale},
		{"a good page as HTML", func(w http.ResponseWriter, _ int, q url.Values) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(page(q, "")))
		}, stale},
		{"a good page as an error", func(w http.ResponseWriter, _ int, q url.Values) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(page(q, "")))
		}, stale},
		{"too long", tell(`"x":"` + strings.Repeat("x", 1<<20) + `"`), stale},
		{"redirect", status(307, "Location", "0"), stale},
		{"not modified", status(304), stale},
		{"no content", status(204), stale},
		{"not found", status(404), stale},
		{"wrong secret", status(401, "WWW-Authenticate", "Basic"), stale},
		{"no scope", status(403), stale},
		{"cut off", func(w http.ResponseWriter, _ int, q url.Values) {
			w.Header().Set("Content-Length", "1000")
			write(w, q, "")
		}, stale},

		{"on the second page", inTurn(
			tell(`"more":true,"next":"a.0","entries":[{"kind":"session","id":"x","expires":1}]`),
			entries(cut("subject", "u_1", later))), ended},
		{"pages without end", tell(`"more":true,"next":"a.0","entries":[{"kind":"session","id":"x","expires":1}]`), stale},
		{"empty pages", tell(`"more":true`), stale},
		{"a wrong cursor, then a snapshot", func(w http.ResponseWriter, n int, q url.Values) {
			if q.Has("after") {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			write(w, q, map[bool]string{true: `"entries":[]`, false: `"entries":[` + cut("subject", "u_1", later) + `]`}[n == 0])
		}, ended},
		{"another history that knows less", inTurn(
			entries(cut("subject", "u_1", later)),
			tell(`"lineage":"b","snapshot":true,"next":"b.1"`)), ended},
		{"another history that goes on", func(w http.ResponseWriter, n int, q url.Values) {
			switch { // It has to ask without a cursor before it learns this.
			case n == 0:
				write(w, q, "")
			case q.Has("after"):
				write(w, q, `"lineage":"b","next":"b.1"`)
			default:
				write(w, q, `"lineage":"b","next":"b.1","entries":[`+cut("subject", "u_1", later)+`]`)
			}
		}, ended},
	}
}

// What doorward.py makes of a feed is what docs/revocations.md says.
func TestFeed(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	cases := feeds()
	server := &scripted{asked: make([]int, len(cases)), reply: func(i int) reply { return cases[i].reply }}
	feed := httptest.NewServer(server)
	t.Cleanup(feed.Close)
	signers := newSigners(t)[:1]
	keys, _ := publish(t, signers)
	ask := follow(t, map[string]any{"keys": keys, "feed": feed.URL, "count": len(cases), "token": sessionToken(t, signers[0])})
	for i := range cases {
		ask(i) // All of them begin.
	}
	for i, test := range cases {
		got := ask(i)
		for deadline := time.Now().Add(10 * time.Second); server.questions(i) < 3 || got != test.want; got = ask(i) {
			if time.Now().After(deadline) {
				break
			}
		}
		if got != test.want {
			t.Errorf("%s: after %d questions %q, want %q", test.name, server.questions(i), got, test.want)
		}
	}
	if server.strange != "" {
		t.Error(server.strange)
	}
}

// A service whose clock is wrong does not know, and says so, of tokens that the server's clock does not refuse. What its own
// clock accepts it accepts.
func TestFeedClock(t *testing.T) {
	t.Parallel()
	signers := newSigners(t)[:1]
	keys, _ := publish(t, signers)
	now := time.Now().Unix()
	const expired, invalid, login = "401 token expired", "401 token not valid", "401 a more recent login is required"
	for _, test := range []struct {
		name     string
		iat, exp int64 // from now on
		shifts   []int64
		replies  []string // members of the answers, after now
		want     []string
	}{
		{
			"expired", -400, -100,
			[]int64{0, -50, -200, -200, 1000},
			[]string{"", "", "", `"entries":[{"kind":"session","id":` + quote(session) + `}]`, ""},
			[]string{expired, expired, stale, ended, expired},
		},
		{"of the future", 600, 900, []int64{0, 580, 600, 100, 2000}, make([]string, 5), []string{invalid, stale, stale, invalid, expired}},
		{"a login too old", -10, 300, []int64{0, -20, -60, -200}, make([]string, 4), []string{login, login, stale, login}},
		{"good", -100, 200, []int64{0, -1000, 1000}, make([]string, 3), []string{good, good, good}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := &scripted{asked: make([]int, len(test.shifts)), reply: func(i int) reply {
				return tell(strings.Trim(fmt.Sprintf(`"now":%d,%s`, now+test.shifts[i], test.replies[i]), ","))
			}}
			feed := httptest.NewServer(server)
			t.Cleanup(feed.Close)
			token := signers[0].forge(t, signers[0].header(""), claims(fmt.Sprintf(`"sid":%q,"iat":%d,"exp":%d,"auth_time":%d`, session, now+test.iat, now+test.exp, now-100)))
			task := map[string]any{"keys": keys, "feed": feed.URL, "count": len(test.shifts), "token": token}
			if strings.Contains(test.name, "login") {
				task["within"] = 60
			}
			ask := follow(t, task)
			for i, want := range test.want {
				got := ask(i)
				for deadline := time.Now().Add(10 * time.Second); got != want && time.Now().Before(deadline); got = ask(i) {
					continue
				}
				if got != want {
					t.Errorf("the server is ahead by %d s: %q, want %q", test.shifts[i], got, want)
				}
			}
		})
	}
}

// The time in an answer to another question, which somebody may have kept, is none.
func TestFeedClockOfAnother(t *testing.T) {
	t.Parallel()
	signers := newSigners(t)[:1]
	keys, _ := publish(t, signers)
	now := time.Now().Unix()
	kept := tell(fmt.Sprintf(`"now":%d,"nonce":"0123456789abcdef"`, now-200))
	server := &scripted{asked: make([]int, 1), reply: func(int) reply { return inTurn(tell(fmt.Sprintf(`"now":%d`, now)), kept) }}
	feed := httptest.NewServer(server)
	t.Cleanup(feed.Close)
	token := signers[0].forge(t, signers[0].header(""), claims(fmt.Sprintf(`"sid":%q,"iat":%d,"exp":%d`, session, now-400, now-100)))
	ask := follow(t, map[string]any{"keys": keys, "feed": feed.URL, "count": 1, "token": token})
	const want = "401 token expired"
	got := ask(0)
	for deadline := time.Now().Add(10 * time.Second); server.questions(0) < 4 && got == want && time.Now().Before(deadline); got = ask(0) {
		continue
	}
	if got != want || server.questions(0) < 4 {
		t.Errorf("after %d questions %q, want %q", server.questions(0), got, want)
	}
}

// From one question to the next it is never longer than pace, and so are logouts never later.
func TestPace(t *testing.T) {
	t.Parallel()
	const program = "import doorward; r = doorward.Revocations(None, 'a', 'b', 5, 60, None); r._ask = lambda: None; print(max(r.turn() for _ in range(1000)) <= 5)"
	if got := run(t, program); got != "True\n" {
		t.Error(got)
	}
}

// Each address is called at its host and its port, and one with an impossible port is refused where it is written.
func TestPlace(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://auth.example.com/a": "auth.example.com 443\n",
		"https://[2001:db8::1]":      "2001:db8::1 443\n",
		"https://[2001:db8::1]:8443": "2001:db8::1 8443\n",
		"http://[::1]/a":             "::1 80\n",
		"http://127.0.0.1:8080":      "127.0.0.1 8080\n",
		"http://127.0.0.1:99999":     "ValueError\n",
	} {
		program := fmt.Sprintf(`
import doorward, http.client
def connect(self):
    print(self.host, self.port)
    raise OSError
http.client.HTTPConnection.connect = http.client.HTTPSConnection.connect = connect
try:
    place = doorward._Place(%q)
except ValueError:
    print("ValueError")
else:
    try:
        place.get()
    except OSError:
        pass
`, address)
		if got := run(t, program); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// run returns what a program prints that may import doorward.
func run(t *testing.T, program string) string {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	out, err := exec.CommandContext(t.Context(), python, "-c", program).CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	return string(out)
}

func sessionToken(t *testing.T, s signer) string {
	t.Helper()
	return s.forge(t, s.header(""), claims(`"sid":`+quote(session)))
}

// follow starts doorward.py with a number of verifiers, and returns what asks one of them.
func follow(t *testing.T, task map[string]any) func(int) string {
	t.Helper()
	task["issuer"], task["audience"] = issuer, audience
	first, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/follow.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	_, _ = fmt.Fprintf(in, "%s\n", first)
	return func(i int) string {
		_, _ = fmt.Fprintln(in, i)
		if !lines.Scan() {
			t.Fatal("doorward.py has ended")
		}
		return lines.Text()
	}
}

// scripted answers for the feed whose number is the path.
type scripted struct {
	reply func(int) reply
	open  bool // for everybody: keys

	mu      sync.Mutex // guards what follows
	asked   []int
	strange string // what no verifier may send
}

func (s *scripted) questions(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[i]
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	_, err := fmt.Sscanf(r.URL.Path, "/%d", &i)
	name, secret, ok := r.BasicAuth()
	question := r.URL.Query()
	s.mu.Lock()
	n := s.asked[i]
	s.asked[i]++
	if err != nil || !s.open && (!ok || name != "dwc_a" || secret != "dws_b" || len(question.Get("nonce")) < 16 || n == 0 && question.Has("after")) {
		s.strange = r.Method + " " + r.URL.String()
	}
	s.mu.Unlock()
	s.reply(i)(w, n, question)
}
