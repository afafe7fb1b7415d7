package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// flaskApp is the whole API of the second tutorial.
//
//go:embed flask/app.py
var flaskApp []byte

const (
	flaskPlain     = "Flask, gunicorn as it is by default"
	flaskThreads   = "Flask, gunicorn with threads"
	doorwardServe  = "doorward serve"
	ownProgram     = "Go program with Doorward"
	flaskUser      = "user1"
	flaskPassword  = "password123"
	programStartup = 30 * time.Second
)

// errNoFlask names Debian's packages.
var errNoFlask = errors.New("not all of gunicorn, python3-flask, python3-flask-cors and python3-jwt are installed")

// program is a server that is measured from outside: a process, or a tree of them.
type program struct {
	client
	name   string
	header string // with a token that it takes
	cmd    *exec.Cmd
	end    func() error // asks the process to end
	over   chan error   // how it ended
}

// askVersions fails where a package is not there.
const askVersions = `import platform, importlib.metadata as m, flask, flask_cors, jwt
names = ["gunicorn", "Flask", "Flask-Cors", "PyJWT"]
print(", ".join(["Python " + platform.python_version()] + [n + " " + m.version(n) for n in names]))`

// flaskVersions names what is installed, to the interpreter that gunicorn runs with.
func flaskVersions(ctx context.Context) (string, error) {
	path, err := exec.LookPath("gunicorn")
	if err != nil {
		return "", errNoFlask
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	python := strings.Fields(strings.TrimPrefix(first, "#!"))
	if len(python) == 0 {
		return "", errNoFlask
	}
	versions, err := exec.CommandContext(ctx, python[0], append(python[1:], "-c", askVersions)...).Output()
	if err != nil {
		return "", errNoFlask
	}
	return strings.TrimSpace(string(versions)), nil
}

// startFlask runs the tutorial's API with one worker.
func startFlask(ctx context.Context, dir, name string, args ...string) (*program, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "app.py"), flaskApp, 0o600); err != nil {
		return nil, err
	}
	args = append(args, "--chdir", dir, "--bind", address, "--workers", "1", "app:app")
	cmd := exec.CommandContext(ctx, "gunicorn", args...)
	cmd.Env = append(os.Environ(), "SECRET_KEY="+rand.Text()+rand.Text(), "PYTHONDONTWRITEBYTECODE=1")
	p := &program{name: name, cmd: cmd, end: func() error { return cmd.Process.Signal(os.Interrupt) }}
	var answer struct{ Token string }
	if err := p.run(ctx, address); err != nil {
		return nil, err
	}
	if err := p.login(ctx, address, flaskUser, flaskPassword, &answer); err != nil {
		return nil, err
	}
	p.client = newClient(address, "/protected", "x-access-token: "+answer.Token)
	return p, nil
}

// startDoorward runs doorward serve on an empty folder, on one processor, its endpoints below a prefix. Settings are
// variables of its environment.
func startDoorward(ctx context.Context, dir, binary, prefix string, settings ...string) (*program, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(ctx, binary, "serve", "--data", data, "--listen", address, "--access-ttl", "1h")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "DOORWARD_LOG_LEVEL=warn", "DOORWARD_SERVER_PREFIX="+prefix) // gunicorn and nginx log no requests either
	cmd.Env = append(cmd.Env, settings...)
	p := &program{name: doorwardServe, cmd: cmd, end: func() error { return cmd.Process.Signal(os.Interrupt) }}
	if err := p.run(ctx, address); err != nil {
		return nil, err
	}
	password, err := os.ReadFile(filepath.Join(data, "admin-password"))
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := p.login(ctx, address+prefix, "admin", strings.TrimSpace(string(password)), &answer); err != nil {
		return nil, err
	}
	p.header = "Authorization: Bearer " + answer.Token
	p.client = newClient(address, "/protected", p.header)
	return p, nil
}

// run starts the process and waits until it answers anything.
func (p *program) run(ctx context.Context, address string) error {
	var said bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &said, &said
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.watch()
	ctx, cancel := context.WithTimeout(ctx, programStartup)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/protected", http.NoBody)
	for err == nil && ctx.Err() == nil {
		select {
		case err = <-p.over:
			return fmt.Errorf("%s ended: %w: %s", p.name, err, said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			return answer.Body.Close()
		}
	}
	return errors.Join(fmt.Errorf("%s does not answer", p.name), err, p.stop())
}

// watch waits for the process.
func (p *program) watch() {
	p.over = make(chan error, 1)
	go func() { p.over <- p.cmd.Wait() }()
}

// login reads the answer to a good password, from below an address.
func (p *program) login(ctx context.Context, address, user, password string, answer any) error {
	err := func() error {
		body := fmt.Sprintf(`{"username":%q,"password":%q}`, user, password)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/login", strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer got.Body.Close()
		if got.StatusCode != http.StatusOK {
			return fmt.Errorf("login: %s", got.Status)
		}
		return json.NewDecoder(got.Body).Decode(answer)
	}()
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), p.stop())
	}
	return nil
}

// stop ends the process and waits for it and its children.
func (p *program) stop() error {
	return errors.Join(p.end(), <-p.over)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startPrograms starts the tutorial's system, twice, and ours beside it.
func startPrograms(ctx context.Context, dir, self string) (all []*program, err error) {
	binary, err := buildDoorward(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, start := range []func() (*program, error){
		func() (*program, error) { return startFlask(ctx, dir, flaskPlain) },
		func() (*program, error) {
			return startFlask(ctx, dir, flaskThreads, "--worker-class", "gthread", "--threads", fmt.Sprint(connections))
		},
		func() (*program, error) { return startDoorward(ctx, dir, binary, "") },
		func() (*program, error) { return startOwn(ctx, self, ownProgram, doorwardSeen) },
	} {
		p, err := start()
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

// startOwn runs a server of this program.
func startOwn(ctx context.Context, self, name, serve string) (*program, error) {
	p, err := start(ctx, self, serve)
	if err != nil {
		return nil, err
	}
	own := &program{name: name, cmd: p.cmd, client: p.client, end: p.stdin.Close}
	own.watch()
	return own, nil
}

// moduleRoot is where the module is that this program was built with.
func moduleRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/doorward/doorward").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// buildDoorward makes the binary of that module, without C, as it is released.
func buildDoorward(ctx context.Context, dir string) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "doorward")
	cmd := exec.CommandContext(ctx, "go", "-C", root, "build", "-trimpath", "-o", binary, "./cmd/doorward")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return binary, cmd.Run()
}

// measureFlask leaves the comparison out where its packages are not installed.
func (r *result) measureFlask(ctx context.Context, e effort, self string) (err error) {
	r.versions, err = flaskVersions(ctx)
	if errors.Is(err, errNoFlask) {
		fmt.Fprintln(os.Stderr, "compare: left out:", err)
		return nil
	}
	if err == nil {
		r.flask, err = measureFlask(ctx, e, self)
	}
	return err
}

// measureFlask asks the tutorial's system and ours, one at a time.
func measureFlask(ctx context.Context, e effort, self string) (loads []load, err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	programs, err := startPrograms(ctx, dir, self)
	defer func() {
		for _, p := range programs {
			err = errors.Join(err, p.stop())
		}
	}()
	if err != nil {
		return nil, err
	}
	loads = make([]load, len(programs))
	for i, p := range programs {
		loads[i].name = p.name
		if _, err := p.ask(ctx, e.httpSlice/2); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for round := range e.httpRounds {
		for _, i := range order(len(programs), round) {
			if err := programs[i].measure(ctx, 2*e.httpSlice, &loads[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", programs[i].name, err)
			}
		}
	}
	return loads, nil
}

// measure asks for a while.
func (p *program) measure(ctx context.Context, d time.Duration, l *load) error {
	before, err := treeTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	n, err := p.ask(ctx, d)
	if err != nil {
		return err
	}
	after, err := treeTime(p.cmd.Process.Pid)
	l.rate = append(l.rate, n/d.Seconds())
	l.cpu = append(l.cpu, float64(max(after-before, 1))/n)
	return err
}
