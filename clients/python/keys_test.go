package python_test

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/jwt"
)

// coolDown is what testdata/follow.py sets.
const coolDown = 100 * time.Millisecond

// What doorward.py makes of a key set, good and bad, and of one that changes.
func TestKeys(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	s := newSigners(t)[0]
	cases := keySets(t, s)
	server := &scripted{asked: make([]int, len(cases)), reply: func(i int) reply { return cases[i].reply }, open: true}
	keys := httptest.NewServer(server)
	t.Cleanup(keys.Close)
	ask := follow(t, map[string]any{"keys": keys.URL, "count": len(cases), "token": sessionToken(t, s)})
	begun := time.Now()
	for i, test := range cases {
		got := ask(i)
		for deadline := time.Now().Add(10 * time.Second); server.questions(i) < test.fetches || got != test.want; got = ask(i) {
			if time.Now().After(deadline) {
				break
			}
		}
		for range 50 { // Whoever asks, the server is not asked more often.
			ask(i)
		}
		n := server.questions(i)
		if most := 2 + int(time.Since(begun)/coolDown); n > most {
			t.Errorf("%s: %d fetches, want at most %d", test.name, n, most)
		}
		if got != test.want || n < test.fetches {
			t.Errorf("%s: after %d fetches %q, want %q", test.name, n, got, test.want)
		}
	}
}

// When a key is revoked, the one that signs from then on is not awaited until it is time to fetch keys again, and it is
// fetched once.
func TestKeyRevoked(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	signers := newSigners(t)
	before, after := signers[0], signers[1]
	server := &scripted{asked: make([]int, 1), open: true, reply: func(int) reply {
		return inTurn(set(string(before.jwk(t))), set(string(after.jwk(t))))
	}}
	keys := httptest.NewServer(server)
	t.Cleanup(keys.Close)
	news := &scripted{asked: make([]int, 1), reply: func(int) reply {
		return inTurn(entries(), entries(`{"kind":"key","id":`+quote(before.kid())+`}`))
	}}
	feed := httptest.NewServer(news)
	t.Cleanup(feed.Close)
	ask := follow(t, map[string]any{"keys": keys.URL + "/0", "feed": feed.URL, "count": 1, "token": sessionToken(t, after)})
	got := ask(0)
	for deadline := time.Now().Add(10 * time.Second); (got != good || news.questions(0) < 10) && time.Now().Before(deadline); got = ask(0) {
		continue
	}
	if n := server.questions(0); got != good || n != 2 {
		t.Errorf("after %d fetches %q, want %q after 2", n, got, good)
	}
}

// An answer that comes byte by byte is given up, wherever it is slow: no byte of it is late.
func TestKeysSlowly(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	const head = "HTTP/1.1 200 OK\r\n"
	begins := []string{"", head + "X: ", head + "\r\n", head + "Content-Length: 1000000\r\n\r\n", head + "Transfer-Encoding: chunked\r\n\r\n1;"}
	given := make(chan int, 100)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Path[1:])
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, begins[i])
		for tick := time.NewTicker(20 * time.Millisecond); err == nil; <-tick.C {
			_, err = io.WriteString(conn, " ")
		}
		given <- i
	}))
	t.Cleanup(keys.Close)
	ask := follow(t, map[string]any{"keys": keys.URL, "count": len(begins), "token": "e30.e30.", "timeout": 0.2})
	missing := map[int]bool{}
	for i := range begins {
		missing[i] = true
		if got := ask(i); got != stale {
			t.Errorf("%q: %q, want %q", begins[i], got, stale)
		}
	}
	for late := time.After(10 * time.Second); len(missing) > 0; {
		select {
		case i := <-given:
			delete(missing, i)
		case <-late:
			t.Fatalf("not given up: %v of %q", missing, begins)
		}
	}
}

type keySet struct {
	name    string
	reply   reply
	fetches int // after how many the verdict counts
	want    string
}

func keySets(t *testing.T, s signer) []keySet {
	t.Helper()
	own := string(s.jwk(t))
	foreign := strings.Replace(string(newSigners(t)[0].jwk(t)), "the EdDSA", "other", 1)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	n := `{"kty":"RSA","kid":"the EdDSA","e":"AQAB","n":` + quote(b64(string(weak.N.Bytes()))) + `}`
	many := make([]string, 101)
	for i := range many {
		many[i] = strings.Replace(foreign, `"other"`, strconv.Quote("k"+strconv.Itoa(i)), 1)
	}
	const unknown = "401 token not valid"
	return []keySet{
		{"its key", set(own), 1, good},
		{"its key among others", set(foreign, own, `{"kty":"AKP"}`), 1, good},
		{"another key", set(foreign), 2, unknown},
		{"another key of its name", set(strings.Replace(foreign, "other", "the EdDSA", 1)), 1, unknown},
		{"its name twice", set(own, strings.Replace(foreign, "other", "the EdDSA", 1)), 2, stale},
		{"a name that is a list", set(strings.Replace(own, `"the EdDSA"`, `[]`, 1)), 2, stale},
		{"a private key", set(private(t, s)), 2, stale},
		{"a secret beside it", set(own, `{"kty":"oct","kid":"s","k":"AAAA"}`), 2, stale},
		{"for encryption", set(strings.Replace(own, `"sig"`, `"enc"`, 1)), 2, stale},
		{"another algorithm", set(strings.Replace(own, `"EdDSA",`, `"ES256",`, 1)), 2, stale},
		{"a short RSA key", set(n), 2, stale},
		{"too many", set(append(many, own)...), 2, stale},
		{"none", set(), 2, stale},
		{"no set", raw("application/json", own), 2, stale},
		{"no JSON", raw("application/json", "hello"), 2, stale},
		{"a name twice in JSON", raw("application/json", `{"keys":[],"keys":[`+own+`]}`), 2, stale},
		{"too long", set(own, `{"x":`+quote(strings.Repeat("x", 1<<20))+`}`), 2, stale},
		{"redirect", status(http.StatusFound, "Location", "0"), 2, stale},
		{"an error", status(http.StatusInternalServerError), 2, stale},
		{"an error that looks good", func(w http.ResponseWriter, n int, q url.Values) {
			w.WriteHeader(http.StatusInternalServerError)
			set(own)(w, n, q)
		}, 2, stale},
		{"another key, then an error", inTurn(set(foreign), status(http.StatusInternalServerError)), 3, stale},
		{"good, then an error", inTurn(set(own), status(http.StatusInternalServerError)), 4, good},
		{"good, then nonsense", inTurn(set(own), raw("application/json", "{}")), 4, good},
		{"good, then without it", inTurn(set(own), set(foreign)), 4, unknown},
		{"new", inTurn(set(foreign), set(foreign, own)), 2, good},
	}
}

// private is the key as its issuer keeps it.
func private(t *testing.T, s signer) string {
	t.Helper()
	key, err := jwt.NewKey(s.alg, s.key)
	if err == nil {
		key, err = key.WithID(s.kid())
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.MarshalJWK()
	if err != nil || !strings.Contains(string(text), `"d":`) {
		t.Fatalf("no private key: %v", err)
	}
	return string(text)
}

func set(members ...string) reply {
	return func(w http.ResponseWriter, _ int, _ url.Values) {
		w.Header().Set("Cache-Control", "public, max-age=0")
		_, _ = w.Write([]byte(`{"keys":[` + strings.Join(members, ",") + `]}`))
	}
}
