// Package proxytest starts real proxies for tests, on loopback and with the configurations that examples ship: nginx,
// Caddy and HAProxy as Debian packages them. None outlives the test binary, however that ends.
package proxytest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Addresses that the configurations are written with: of clients, of Doorward and of the API.
const (
	clients  = "127.0.0.1:8000"
	doorward = "127.0.0.1:8080"
	api      = "127.0.0.1:5000"
)

// Nginx starts nginx on examples/nginx and returns its URL. It skips the test where there is none.
func Nginx(t testing.TB, doorwardURL, apiURL string) string {
	t.Helper()
	dir, at := configured(t, "nginx", doorwardURL, apiURL)
	edit(t, filepath.Join(dir, "nginx.conf"), func(text string) string {
		own := "http {\n" + nginxFiles(dir)
		// Users have caches: what the example needs it must say itself.
		own += "    proxy_cache_path " + filepath.Join(dir, "cache") + " keys_zone=all:1m;\n" +
			"    proxy_cache all; proxy_cache_valid any 1m; proxy_ignore_headers Cache-Control Vary;\n"
		text = strings.Replace(text, "proxy_pass http://api;", "proxy_cache off; proxy_pass http://api;", 1)
		return strings.Replace(text, "http {\n", own, 1)
	})
	return runNginx(t, dir, at)
}

// NginxGRPC starts nginx with the lines for gRPC of examples/nginx/README.md, and returns its URL, at which it speaks HTTP/2
// without TLS. It skips the test where there is none.
func NginxGRPC(t testing.TB, doorwardURL string) string {
	t.Helper()
	dir, at := configured(t, "nginx", doorwardURL, "http://"+api)
	edit(t, filepath.Join(dir, "README.md"), func(text string) string {
		_, text, _ = strings.Cut(text, "gRPC needs ")
		_, text, _ = strings.Cut(text, "```nginx\n")
		lines, _, found := strings.Cut(text, "```")
		if !found {
			t.Fatal("examples/nginx/README.md has no lines for gRPC")
		}
		return "events {}\nhttp {\n" + nginxFiles(dir) + "    server {\n        listen " + at + " http2;\n" + lines + "    }\n}\n"
	})
	if err := os.Rename(filepath.Join(dir, "README.md"), filepath.Join(dir, "nginx.conf")); err != nil {
		t.Fatal(err)
	}
	return runNginx(t, dir, at)
}

// nginxFiles are the lines by which nginx keeps its files in a folder: Debian's keeps them where only root may write.
func nginxFiles(dir string) string {
	lines := "    access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		lines += "    " + kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	return lines
}

func runNginx(t testing.TB, dir, at string) string {
	t.Helper()
	globals := "daemon off; pid " + filepath.Join(dir, "nginx.pid") + ";"
	if os.Geteuid() == 0 {
		globals += " user root;"
	}
	return run(t, dir, at, "nginx", "-p", dir, "-c", "nginx.conf", "-e", "stderr", "-g", globals)
}

// Caddy starts Caddy on examples/caddy and returns its URL. It skips the test where there is none.
func Caddy(t testing.TB, doorwardURL, apiURL string) string {
	t.Helper()
	dir, at := configured(t, "caddy", doorwardURL, apiURL)
	edit(t, filepath.Join(dir, "Caddyfile"), func(text string) string {
		return strings.Replace("{\n\tadmin off\n}\n"+text, ":8000 {", ":"+port(at)+" {", 1)
	})
	return run(t, dir, at, "caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile")
}

// HAProxy starts HAProxy on examples/haproxy, before Doorward's reverse proxy, and returns its URL. It
// skips the test where there is none.
func HAProxy(t testing.TB, doorwardURL string) string {
	t.Helper()
	dir, at := configured(t, "haproxy", doorwardURL, "http://"+api)
	return run(t, dir, at, "haproxy", "-db", "-f", "haproxy.cfg")
}

// configured copies a folder of examples, with addresses of this test, and returns where clients go.
func configured(t testing.TB, name, doorwardURL, apiURL string) (dir, at string) {
	t.Helper()
	if program(name) == "" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED BEHIND %s: it is not on this machine; tools/deps.sh installs Debian's", name)
	}
	dir, at = t.TempDir(), freeAddress(t)
	addresses := strings.NewReplacer(clients, at, doorward, strings.TrimPrefix(doorwardURL, "http://"), api, strings.TrimPrefix(apiURL, "http://"))
	files, err := filepath.Glob(filepath.Join(Examples(t), name, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("examples/%s has %d files, %v", name, len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(addresses.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, at
}

// program finds a proxy. Debian installs some where only root looks.
func program(name string) string {
	for _, name := range []string{name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	return ""
}

// Examples returns the folder of the examples.
func Examples(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "examples")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("the tests do not run in the repository")
	return ""
}

func edit(t testing.TB, path string, change func(string) string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := change(string(before))
	if after == string(before) {
		t.Fatalf("%s is not as it is expected", path)
	}
	if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address of loopback on which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// watch runs a program until its own input ends, which is when the test binary ends too. What the program keeps at
// home it keeps in its folder.
const watch = `export HOME="$PWD" XDG_DATA_HOME="$PWD" XDG_CONFIG_HOME="$PWD"; "$@" & program=$!; read -r _; kill $program; wait $program`

// run starts a proxy in a folder, waits until it listens, and ends it with the test.
func run(t testing.TB, dir, at string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "sh", append([]string{"-c", watch, "sh", program(command[0])}, command[1:]...)...)
	var out output
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait() // The shell ends as the proxy did, by a signal.
		if t.Failed() {
			t.Logf("%s said:\n%s", command[0], out.text())
		}
	})
	if err := listening(at); err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, out.text())
	}
	return "http://" + at
}

func listening(at string) error {
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", at)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("it does not listen: %w", err)
		}
	}
}

// output collects what a program writes.
type output struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write keeps p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
