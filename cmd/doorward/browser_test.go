package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// The hosts of docs/clients.md: of one site, but not of one origin.
const (
	pageHost = "app.example.com"
	authHost = "auth.example.com"
	pageURL  = "https://" + pageHost + "/"
	tryURL   = "http://127.0.0.1:3000/" // without TLS, on one machine
)

const pageFolder = "../../examples/browser"

const aliceSecret = "correct horse battery staple"

// Attack_D12: the page talks to no window, nor lets one talk to it. Its tabs of one origin tell each other of logins by a
// BroadcastChannel (HTML §9.5), whose messages no other origin hears.
func TestBrowserPageHasNoOpener(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join(pageFolder, "*.[jh]*"))
	if err != nil || len(scripts) < 3 {
		t.Fatalf("scripts %q, %v", scripts, err)
	}
	channels := 0
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"opener", "window.open", "window.onmessage", `addEventListener("message"`, "target=", "contentWindow", "parent."} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %s", path, word)
			}
		}
		channels += strings.Count(string(text), "new BroadcastChannel(")
		if strings.Count(string(text), "postMessage(") != strings.Count(string(text), "this.#tabs.postMessage(") {
			t.Errorf("%s posts messages to something else than its tabs", path)
		}
	}
	if channels != 1 {
		t.Errorf("%d channels, want that of the tabs", channels)
	}
}

// The page of examples/browser does in a real browser what docs/clients.md says: over TLS, on a host beside
// Doorward's, under the policy that is written there.
func TestBrowserPage(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not here: run make deps")
	}
	s, cert := serveAuthHost(t)
	plain := httptest.NewServer(http.FileServer(http.Dir(pageFolder)))
	t.Cleanup(plain.Close)
	hosts := map[string]string{
		authHost: strings.TrimPrefix(s.url, "https://"), pageHost: servePage(t, cert),
		"127.0.0.1:3000": plain.Listener.Addr().String(), "127.0.0.1:8080": strings.TrimPrefix(serveToTry(t).url, "http://"),
	}
	b := startChromium(t, path, hosts, cert.Leaf)

	first := b.open(t, pageURL)
	first.reads(t, "news", "Not logged in")
	first.logIn(t, "not the password of alice")
	first.reads(t, "refused", "the user name or the password is wrong")
	first.await(t, "document.activeElement.name === 'password'") // where the next try begins, for whoever cannot see it
	first.evaluate(t, `new MutationObserver(() => { window.said = (window.said ?? 0) + 1 }).observe(document.getElementById("refused"), {childList: true}), ""`)
	first.logIn(t, "not the password of alice")
	first.await(t, "window.said === 2 && document.getElementById('refused').textContent !== ''") // taken away, and said again
	first.logIn(t, aliceSecret)
	first.reads(t, "name", "alice")
	first.reads(t, "roles", "editor")
	first.reads(t, "sessions", "this one")
	if kept := first.evaluate(t, "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"); kept != `["",{},{}]` {
		t.Errorf("Standard_U18: scripts can read %s", kept)
	}
	second := b.open(t, pageURL)
	second.reads(t, "name", "alice")

	t.Run("back from the login page", func(t *testing.T) { returns(t, first) })
	t.Run("ten tabs at once", func(t *testing.T) { tenTabs(t, b) })
	t.Run("a token is renewed before it expires", func(t *testing.T) { second.reads(t, "news", "renewed") })
	t.Run("a refused token is renewed once", func(t *testing.T) {
		first.hush(t)
		revokeSigningKey(t, s, cert)
		first.click(t, "call")
		first.reads(t, "answer", "your token is good")
		first.reads(t, "news", "renewed")
	})
	t.Run("an answer that is lost", func(t *testing.T) {
		first.loseAnswer(t)
		revokeSigningKey(t, s, cert)
		first.click(t, "call")
		first.await(t, "window.lost === 0")
		first.reads(t, "answer", "your token is good")
	})
	t.Run("logout and login reach the other tab", func(t *testing.T) {
		first.click(t, "leave")
		first.reads(t, "news", "You are logged out.")
		second.reads(t, "news", "You are logged out.")
		second.reads(t, "out", "Log in")
		second.logIn(t, aliceSecret)
		second.reads(t, "name", "alice")
		first.reads(t, "name", "alice")
	})
	t.Run("somebody else logs in on another page", func(t *testing.T) { anotherLogin(t, first) })
	t.Run("logout when somebody has cleared the cookies", func(t *testing.T) { clearedCookies(t, s, first) })
	t.Run("it says why a session ended", func(t *testing.T) {
		command(t, failure.ExitDone, "", "session", "revoke", "--user", "alice", "--data", s.dir)
		first.await(t, "document.getElementById('call').click(), document.getElementById('news').textContent.includes('An administrator ended')")
	})
	t.Run("it says how long to wait", func(t *testing.T) { toldToWait(t, first) })
	t.Run("as it stands, without TLS", func(t *testing.T) {
		p := b.open(t, tryURL)
		p.reads(t, "news", "Not logged in")
		p.logIn(t, aliceSecret)
		p.reads(t, "name", "alice")
		b.open(t, tryURL).reads(t, "name", "alice")
	})
}

// returns runs the lines of docs/gate.md that send a browser back from the login page, which must stay on its host.
func returns(t *testing.T, p *tab) {
	lines := block(t, "../../docs/gate.md", "js")
	for to, want := range map[string]string{
		"": pageURL, "/orders?id=1": pageURL + "orders?id=1", pageURL + "orders": pageURL + "orders", "@evil.example": pageURL + "@evil.example",
		"//evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "/\t/evil.example": "/", " //evil.example": "/", "/\n/evil.example": "/",
		"https://evil.example/": "/", "https:evil.example": pageURL + "evil.example", "http://" + pageHost + "/": "/", pageURL[:len(pageURL)-1] + "@evil.example/": "/",
		pageURL[:len(pageURL)-1] + ".evil.example/": "/", "javascript:alert(1)": "/", "java\tscript:alert(1)": "/", "data:text/html,x": "/", "blob:" + pageURL + "1": "/",
	} {
		got := p.evaluate(t, fmt.Sprintf(`(() => {
			let gone;
			(location => { %s })({origin: window.location.origin, search: "?" + new URLSearchParams({return_to: %q}), replace: to => { gone = to }});
			return gone;
		})()`, lines, to))
		if got != want {
			t.Errorf("return_to %q leads to %q, want %q", to, got, want)
		}
	}
}

// tenTabs opens ten tabs in one moment: all of them refresh the one cookie.
func tenTabs(t *testing.T, b *chromium) {
	tabs := make([]*tab, 10)
	opened := make(chan error)
	for i := range tabs {
		tabs[i] = b.blank(t)
	}
	for _, p := range tabs {
		go func() { opened <- chromedp.Do(p.ctx, chromedp.Navigate(pageURL)) }()
	}
	for range tabs {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
	for _, p := range tabs {
		p.reads(t, "name", "alice")
	}
}

// anotherLogin takes the cookie over, as a page of another origin does: no channel tells this one. It must not go on as
// alice with the token of bob.
func anotherLogin(t *testing.T, p *tab) {
	p.hush(t)
	p.evaluate(t, fmt.Sprintf(`fetch("https://%s/login", {
		method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({username: "bob", password: %q, cookie: true}),
	}).then(() => { window.taken = true }), ""`, authHost, aliceSecret))
	p.await(t, "window.taken")
	p.click(t, "call")
	p.reads(t, "name", "bob")
	if got := p.evaluate(t, "document.getElementById('answer').textContent"); strings.Contains(got, "your token is good") {
		t.Errorf("a request of alice was sent as bob: %q", got)
	}
}

// toldToWait logs in as somebody whose password was guessed at, and starts while refreshes are refused for a moment.
func toldToWait(t *testing.T, p *tab) {
	p.evaluate(t, fmt.Sprintf(`(async () => {
		for (let status = 0; status !== 429;) {
			({ status } = await fetch("https://%s/login", {
				method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({username: "carol", password: "guess"}),
			}));
		}
		document.getElementById("out").username.value = "carol";
		document.getElementById("out").password.value = "guess";
		document.querySelector("#out button").click();
	})(), ""`, authHost))
	p.reads(t, "refused", "wait, then try again (10 min)")
	p.logIn(t, aliceSecret)
	p.reads(t, "name", "alice")
	p.evaluate(t, `(() => {
		const real = window.fetch;
		window.fetch = async (url, init) => {
			if (!String(url).endsWith("/refresh")) return real(url, init);
			window.fetch = real;
			return new Response("{}", {status: 429, headers: {"Retry-After": "2"}});
		};
		return "";
	})()`)
	p.reads(t, "news", "trying again in 2 s")
	p.await(t, "document.getElementById('news').firstChild.textContent.includes('renewed')")
}

// clearedCookies logs out where no cookie says who is there.
func clearedCookies(t *testing.T, s *process, p *tab) {
	p.clearCookies(t)
	p.click(t, "leave")
	p.reads(t, "news", "You are logged out.")
	if out, _ := command(t, failure.ExitDone, "", "session", "list", "--user", "bob", "--json", "--data", s.dir); strings.TrimSpace(out) != "[]" {
		t.Errorf("sessions of bob: %s", out)
	}
	p.logIn(t, aliceSecret)
	p.reads(t, "name", "alice")
}

func (p *tab) logIn(t *testing.T, secret string) {
	t.Helper()
	p.evaluate(t, "document.getElementById('out').reset(), ''")
	p.do(t,
		chromedp.SendKeys(chromedp.CSS("[name=username]"), "alice"),
		chromedp.SendKeys(chromedp.CSS("[name=password]"), secret),
		chromedp.Click(chromedp.CSS("#out button")))
}

// hush empties what the page has told so far.
func (p *tab) hush(t *testing.T) {
	t.Helper()
	p.evaluate(t, "document.getElementById('news').replaceChildren(), document.getElementById('answer').replaceChildren(), ''")
}

// loseAnswer lets the page believe that the next answer to a refresh was lost on its way.
func (p *tab) loseAnswer(t *testing.T) {
	t.Helper()
	p.hush(t)
	p.evaluate(t, `(() => {
		const real = window.fetch;
		window.lost = 1;
		window.fetch = async (url, init) => {
			const answer = await real(url, init);
			if (window.lost && String(url).endsWith("/refresh")) {
				window.lost--;
				throw new TypeError("lost");
			}
			return answer;
		};
		return "";
	})()`)
}

// revokeSigningKey makes every access token that is out bad, and waits until the server knows.
func revokeSigningKey(t *testing.T, s *process, cert tls.Certificate) {
	t.Helper()
	token, _ := command(t, failure.ExitDone, "", "token", "issue", "alice", "--data", s.dir)
	out, _ := command(t, failure.ExitDone, "", "key", "list", "--json", "--data", s.dir)
	var keys []struct {
		ID             string `json:"kid"`
		Purpose, State string
	}
	if err := json.Unmarshal([]byte(out), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Purpose == "sign" && k.State == "current" {
			command(t, failure.ExitDone, "", "key", "revoke", k.ID, "--yes", "--data", s.dir)
		}
	}
	known := x509.NewCertPool()
	known.AddCert(cert.Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: known}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	err = eventually(func() bool {
		answer, err := transport.RoundTrip(request)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusUnauthorized
	})
	if err != nil {
		t.Fatalf("the key is still good: %v", err)
	}
}

// serveAuthHost starts Doorward as docs/clients.md configures it, with alice, and tokens of ten seconds.
func serveAuthHost(t *testing.T) (*process, tls.Certificate) {
	t.Helper()
	folder := t.TempDir()
	config, certFile, keyFile := filepath.Join(folder, "doorward.yaml"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writePair(t, certFile, keyFile, 1, pageHost, authHost)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	settings := block(t, "../../docs/clients.md", "yaml") + "tls: {cert: " + certFile + ", key: " + keyFile + "}\naccess_ttl: 10s\nrefresh: {limit: 200}\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(folder, "data"), "--config", config)
	command(t, failure.ExitDone, aliceSecret, "user", "add", "alice", "--role", "editor", "--password-stdin", "--data", s.dir)
	command(t, failure.ExitDone, aliceSecret, "user", "add", "bob", "--password-stdin", "--data", s.dir)
	return s, cert
}

// serveToTry starts Doorward as docs/clients.md does on one machine.
func serveToTry(t *testing.T) *process {
	t.Helper()
	s, err := startServer(filepath.Join(t.TempDir(), "data"), []string{"DOORWARD_CORS_CREDENTIALS=" + strings.TrimSuffix(tryURL, "/")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	command(t, failure.ExitDone, aliceSecret, "user", "add", "alice", "--password-stdin", "--data", s.dir)
	return s
}

// servePage serves examples/browser over TLS with the headers of docs/clients.md, and returns its address.
func servePage(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	header := regexp.MustCompile(`(?m)header (Content-Security-Policy) "(.*)"$`).FindStringSubmatch(block(t, "../../docs/clients.md", "caddyfile"))
	if header == nil {
		t.Fatal("docs/clients.md has no policy for the page")
	}
	files := http.FileServer(http.Dir(pageFolder))
	page := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header[1], header[2])
		if r.URL.Path == "/config.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(block(t, "../../docs/clients.md", "js")))
			return
		}
		files.ServeHTTP(w, r)
	}))
	page.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	page.StartTLS()
	t.Cleanup(page.Close)
	return page.Listener.Addr().String()
}

// block returns the first block of a language in a document.
func block(t *testing.T, document, language string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, opened := strings.Cut(string(text), "\n```"+language+"\n")
	inside, _, closed := strings.Cut(rest, "```\n")
	if !opened || !closed {
		t.Fatalf("%s has no %s block", document, language)
	}
	return inside
}
