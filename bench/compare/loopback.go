package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is what a server did, a value for each round.
type load struct {
	name string
	rate []float64 // requests per second
	cpu  []float64 // nanoseconds of the server's processor time for one request
}

// against is the median of the rounds' ratios of rates.
func (l load) against(base load) float64 { return medianRatio(l.rate, base.rate) }

func (l load) cpuAgainst(base load) float64 { return medianRatio(l.cpu, base.cpu) }

func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

// greeting is what a server process says first.
type greeting struct{ Address, Token string }

// served is the handler of the server called name, and a token that it takes. A URL names the proxy in front of it, and
// answerPrefix what is answered whatever the question.
func served(name string) (http.Handler, string, error) {
	if header, ok := strings.CutPrefix(name, answerPrefix); ok {
		h, err := answerAlone(header)
		return h, "", err
	}
	if strings.HasPrefix(name, "http://") {
		h, err := reverseProxy(name)
		return h, "", err
	}
	i := slices.IndexFunc(servers, func(s server) bool { return s.name == name })
	if i < 0 {
		return nil, "", fmt.Errorf("no server is called %q", name)
	}
	f, err := newField(servers[i].alg)
	if err != nil {
		return nil, "", err
	}
	k := f.keys[servers[i].alg]
	h, err := servers[i].handler(k)
	return h, k.token, err
}

// serveUntilEnd runs the server called name until stdin ends. It answers /cpu with its processor time.
func serveUntilEnd(ctx context.Context, name string, stdin io.Reader, stdout io.Writer) error {
	h, token, err := served(name)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cpu" {
			fmt.Fprint(w, processorTime().Nanoseconds())
			return
		}
		h.ServeHTTP(w, r)
	})}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	if err := json.NewEncoder(stdout).Encode(greeting{listener.Addr().String(), token}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	err = errors.Join(err, srv.Close())
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// process is a server that runs.
type process struct {
	greeting
	client
	cmd   *exec.Cmd
	stdin io.Closer
}

// start runs a server in a process of its own, on one processor.
func start(ctx context.Context, self, name string) (*process, error) {
	cmd := exec.CommandContext(ctx, self, "-serve", name)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	if err := json.NewDecoder(stdout).Decode(&p.greeting); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), p.stop())
	}
	p.client = newClient(p.Address, "/", "Authorization: Bearer "+p.Token)
	return p, nil
}

func (p *process) stop() error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

// measureLoopback has all servers run at once and asks one of them at a time.
func (f *field) measureLoopback(ctx context.Context, e effort, self string) (_ []load, err error) {
	processes := make([]*process, 0, len(servers))
	defer func() {
		for _, p := range processes {
			err = errors.Join(err, p.stop())
		}
	}()
	loads := make([]load, len(servers))
	for i, s := range servers {
		p, err := start(ctx, self, s.name)
		if err != nil {
			return nil, err
		}
		processes = append(processes, p)
		loads[i].name = s.name
		if _, err := p.ask(ctx, e.httpSlice/4); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range e.httpRounds {
		for _, i := range order(len(servers), round) {
			before, err := processes[i].cpu(ctx)
			if err != nil {
				return nil, err
			}
			n, err := processes[i].ask(ctx, e.httpSlice)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", servers[i].name, err)
			}
			after, err := processes[i].cpu(ctx)
			if err != nil {
				return nil, err
			}
			loads[i].rate = append(loads[i].rate, n/e.httpSlice.Seconds())
			loads[i].cpu = append(loads[i].cpu, (after-before)/n)
		}
	}
	return loads, nil
}

// cpu asks the server for the processor time that it has used.
func (p *process) cpu(ctx context.Context) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+"/cpu", http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(text), 64)
}
