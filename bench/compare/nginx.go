package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errNoNginx names Debian's package.
var errNoNginx = errors.New("nginx is not installed")

// Addresses that the configuration in examples/nginx is written with.
const (
	nginxClients  = "127.0.0.1:8000"
	nginxDoorward = "127.0.0.1:8080"
	nginxUpstream = "127.0.0.1:5000"
)

// findNginx returns where nginx is, which Debian installs where only root looks, and its version.
func findNginx(ctx context.Context) (path, version string, err error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err = exec.LookPath(name); err != nil {
			continue
		}
		said, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
		_, version, _ = strings.Cut(strings.TrimSpace(string(said)), "nginx/")
		return path, "nginx " + version, err
	}
	return "", "", errNoNginx
}

// startNginx runs nginx on examples/nginx with one worker: it asks Doorward and passes requests to the upstream.
func startNginx(ctx context.Context, dir, path, doorward, upstream string) (*program, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := configureNginx(ctx, dir, strings.NewReplacer(
		nginxClients, address, nginxDoorward, doorward, nginxUpstream, upstream, "worker_processes auto", "worker_processes 1",
		"http {\n", nginxOwn(dir),
	)); err != nil {
		return nil, err
	}
	globals := "daemon off; pid nginx.pid;"
	if os.Geteuid() == 0 {
		globals += " user root;" // whose folder it is
	}
	cmd := exec.CommandContext(ctx, path, "-p", dir, "-c", "nginx.conf", "-e", "stderr", "-g", globals)
	p := &program{name: gateNginx, client: client{address: address}, cmd: cmd, end: func() error { return cmd.Process.Signal(os.Interrupt) }}
	return p, p.run(ctx, address)
}

// nginxOwn begins the block http: no record of each request, clients that stay connected, and files in a folder of
// its own, since Debian's nginx keeps them where only root may write.
func nginxOwn(dir string) string {
	own := "http {\n    access_log off; keepalive_requests 100000000;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		own += fmt.Sprintf("    %s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	return own
}

// configureNginx copies the example into dir, changed.
func configureNginx(ctx context.Context, dir string, change *strings.Replacer) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "examples", "nginx", "*.conf"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(change.Replace(string(text))), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
