package forward_test

import (
	"bufio"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/gate"
)

// page is what Caddy asks when a browser opens a page; %s is the path.
const page = `GET /auth/forward-auth/caddy HTTP/1.1
Host: app.example.com
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Sec-Fetch-Mode: navigate
Sec-Fetch-Dest: document
X-Forwarded-For: 203.0.113.9
X-Forwarded-Host: app.example.com
X-Forwarded-Method: GET
X-Forwarded-Proto: https
X-Forwarded-Uri: PATH

`

func at(path string) string { return strings.Replace(page, "PATH", path, 1) }

func withLogin(page string, hosts ...string) func(*gate.Config, *forward.Config) {
	return func(c *gate.Config, _ *forward.Config) { c.LoginPage, c.LoginHosts = page, hosts }
}

// TestLoginPage sends browsers that open pages there, and nobody else.
func TestLoginPage(t *testing.T) {
	t.Parallel()
	here := newWorld(t, withLogin("/login.html"))
	elsewhere := newWorld(t, withLogin("https://login.example.com/?app=1", "app.example.com"))
	none := newWorld(t)
	raw := newWorld(t, withLogin("/login.html"), func(g *gate.Config, _ *forward.Config) {
		g.Routes = []gate.Route{{Path: "/**", RawPath: true}}
	})
	replace := func(old, with string) string { return strings.Replace(at("/orders"), old, with, 1) }
	for _, test := range []struct {
		name     string
		w        *world
		question string
		status   int
		location string
	}{
		{"here", here, at("/orders?x=1&y=2"), 302, "/login.html?return_to=%2Forders%3Fx%3D1%26y%3D2"},
		{"elsewhere", elsewhere, at("/orders"), 302, "https://login.example.com/?app=1&return_to=https%3A%2F%2Fapp.example.com%2Forders"},
		{"a host of nobody's", elsewhere, replace("Forwarded-Host: app.example.com", "Forwarded-Host: evil.example"), 302, "https://login.example.com/?app=1&return_to=%2Forders"},
		{"a host that looks alike", elsewhere, replace("Forwarded-Host: app.example.com", "Forwarded-Host: app.example.com.evil.example"), 302, "https://login.example.com/?app=1&return_to=%2Forders"},
		{"another port", elsewhere, replace("Forwarded-Host: app.example.com", "Forwarded-Host: app.example.com:8443"), 302, "https://login.example.com/?app=1&return_to=%2Forders"},
		{"Attack_D08 a path that names a host", raw, at("//evil.example/x"), 302, "/login.html?return_to=%2F"},
		{"a bad token", here, replace("Sec-Fetch-Dest", "Authorization: Bearer rubbish\nSec-Fetch-Dest"), 302, "/login.html?return_to=%2Forders"},
		{"nginx", here, strings.NewReplacer("caddy", "nginx", "X-Forwarded-Host", "X-Original-Host", "X-Forwarded-Method", "X-Original-Method",
			"X-Forwarded-Proto", "X-Original-Proto", "X-Forwarded-Uri", "X-Original-Uri").Replace(at("/orders")), 401, "/login.html?return_to=%2Forders"},
		{"no page", none, at("/orders"), 401, ""},
		{"an API client", here, replace("text/html,application/xhtml+xml,", "application/json,"), 401, ""},
		{"a script", here, replace("Mode: navigate", "Mode: cors"), 401, ""},
		{"curl", here, replace("Sec-Fetch-Mode: navigate\n", ""), 401, ""},
		{"a form", here, replace("Method: GET", "Method: POST"), 401, ""},
		{"no role", here, strings.Replace(at("/admin/x"), "Sec-Fetch-Dest", "Authorization: Bearer TOKEN\nSec-Fetch-Dest", 1), 403, ""},
		{"the page itself", here, at("/login.html"), 401, ""},
		{"long query", here, at("/orders?" + strings.Repeat("a", 4000)), 302, "/login.html?return_to=%2Forders"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.w.ask(trusted, test.question)
			if got.StatusCode != test.status || got.Header.Get("Location") != test.location {
				t.Errorf("%d %q, want %d %q", got.StatusCode, got.Header.Get("Location"), test.status, test.location)
			}
			if test.name == "nginx" && got.Header.Get("Doorward-Status") != "302" {
				t.Errorf("nginx is not told the status: %v", got.Header)
			}
			if got.StatusCode == 302 && got.Header.Get("WWW-Authenticate") != "" {
				t.Error("a redirect with a challenge")
			}
		})
	}
}

// Attack_D08, Attack_C17: TestOpenRedirects asks for every address that people use to be led elsewhere. A browser that
// follows is on the host of the application.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("DOORWARD_CORPORA")
	if corpora == "" {
		t.Skip("DOORWARD_CORPORA is not set: lists of redirects are not tried")
	}
	worlds := map[string]*world{"/login.html": newWorld(t, withLogin("/login.html")), "https://login.example.com": newWorld(t, withLogin("https://login.example.com", "app.example.com"))}
	asked, sent := 0, 0
	for _, name := range []string{"open-redirect-payloads.txt", "open-redirect-wordlist.txt", "openredirects.txt", "crlf-injection.txt"} {
		f, err := os.Open(filepath.Join(corpora, "payloads-all-the-things", name))
		must(t, err)
		for scan := bufio.NewScanner(f); scan.Scan(); {
			line := strings.TrimSpace(scan.Text())
			if line == "" || strings.ContainsRune(line, 0) {
				continue
			}
			for _, target := range []string{line, "/" + line, "/x?to=" + line} {
				for login, w := range worlds {
					asked++
					location := w.ask(trusted, at(target)).Header.Get("Location")
					if location == "" {
						continue
					}
					sent++
					to, err := url.Parse(location)
					must(t, err)
					back := to.Query().Get("return_to")
					landed, err := url.Parse("https://app.example.com" + strings.TrimPrefix(back, "https://app.example.com"))
					if !strings.HasPrefix(location, login+"?return_to=") || err != nil || landed.Host != "app.example.com" ||
						strings.HasPrefix(strings.TrimPrefix(back, "https://app.example.com"), "//") || strings.ContainsAny(location, "\r\n\\") {
						t.Errorf("%q leads to %q", target, location)
					}
				}
			}
		}
		must(t, f.Close())
	}
	if asked < 1500 || sent < 300 {
		t.Fatalf("%d asked, %d sent", asked, sent)
	}
}

// TestRefusedConfigurations names what is required.
func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]forward.Config{"guard": {Path: path}, "path": {Guard: &gate.Guard{}}} {
		if _, err := forward.New(cfg); err == nil {
			t.Errorf("no %s is needed", name)
		}
	}
}
