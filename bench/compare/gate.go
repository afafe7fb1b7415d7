package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	gateBare      = "bare upstream"
	gateAgain     = "bare upstream, once more"
	gateAlone     = "httputil.ReverseProxy alone"
	gateServe     = "doorward serve --upstream"
	gateNginx     = "nginx asks doorward serve"
	questionBare  = "bare net/http, same question"
	questionSame  = "bare net/http, same answer"
	questionServe = "doorward serve, forward-auth"

	gatePrefix = "/auth" // of Doorward's own endpoints, as in examples/nginx
	gatePath   = "/hello"
)

// way is one way to the upstream, or to the answer of a proxy's question.
type way struct {
	client
	name     string
	programs []*program // whose processor time it takes, the upstream's left out
}

// passage is what requests on one way took, a value for each round.
type passage struct {
	load
	p50, p99           []float64 // nanoseconds to the answer, at a pace that all ways keep
	alonep50, alonep99 []float64 // with one client
}

// site is what runs: an upstream, and what stands in front of it.
type site struct {
	ways     []way
	programs []*program // in the order in which they were started
}

// buffers lends the memory that bodies are copied through.
type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte  { return *b.Pool.Get().(*[]byte) }
func (b *buffers) Put(p []byte) { b.Pool.Put(&p) }

// reverseProxy is the standard library's, with connections and buffers that are used again.
func reverseProxy(upstream string) (http.Handler, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Transport:  &http.Transport{MaxIdleConnsPerHost: 512, IdleConnTimeout: time.Minute, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
	}, nil
}

// answerPrefix begins the name of a server that answers with nothing but a header, which follows as JSON.
const answerPrefix = "answer "

// answerAlone is that server.
func answerAlone(header string) (http.Handler, error) {
	var h http.Header
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { maps.Copy(w.Header(), h) }), nil
}

// header is that of the answer to the client's request, as JSON, without what net/http writes by itself.
func (c client) header(ctx context.Context) (string, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.text)))
	if err != nil {
		return "", err
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", c.address
	answer, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		return "", err
	}
	for _, name := range []string{"Date", "Content-Length"} {
		answer.Header.Del(name)
	}
	text, err := json.Marshal(answer.Header)
	return string(text), errors.Join(err, answer.Body.Close())
}

// startSite starts the upstream, and Doorward, a proxy without it and nginx in front of it. An empty path means no nginx.
func startSite(ctx context.Context, dir, self, nginx string) (*site, error) {
	s := &site{}
	upstream, err := s.add(startOwn(ctx, self, gateBare, bare))
	if err != nil {
		return s, err
	}
	proxy, err := s.add(startOwn(ctx, self, gateAlone, "http://"+upstream.address))
	if err != nil {
		return s, err
	}
	binary, err := buildDoorward(ctx, dir)
	if err != nil {
		return s, err
	}
	door, err := s.add(startDoorward(ctx, dir, binary, gatePrefix, "DOORWARD_UPSTREAM=http://"+upstream.address,
		"DOORWARD_TRUSTED_PROXIES=127.0.0.1", "DOORWARD_UPSTREAM_AUDIENCE=orders"))
	if err != nil {
		return s, err
	}
	question := asking(questionServe, door.header, door)
	answer, err := question.header(ctx)
	if err != nil {
		return s, err
	}
	same, err := s.add(startOwn(ctx, self, questionSame, answerPrefix+answer))
	if err != nil {
		return s, err
	}
	s.ways = []way{
		passing(gateBare, door.header, upstream), passing(gateAgain, door.header, upstream), passing(gateAlone, door.header, proxy),
		passing(gateServe, door.header, door), asking(questionBare, door.header, upstream), asking(questionSame, door.header, same), question,
	}
	if nginx == "" {
		return s, nil
	}
	front, err := s.add(startNginx(ctx, dir, nginx, door.address, upstream.address))
	if err == nil {
		s.ways = append(s.ways, passing(gateNginx, door.header, front, door))
	}
	return s, err
}

// add keeps a program that has started.
func (s *site) add(p *program, err error) (*program, error) {
	if err == nil {
		s.programs = append(s.programs, p)
	}
	return p, err
}

// stop ends what was started last first.
func (s *site) stop() (err error) {
	for i := len(s.programs) - 1; i >= 0; i-- {
		err = errors.Join(err, s.programs[i].stop())
	}
	return err
}

// passing sends the clients' request to the first of the programs.
func passing(name, header string, programs ...*program) way {
	return way{newClient(programs[0].address, gatePath, header), name, programs}
}

// asking sends the question that nginx, as it is set up in examples/nginx, makes of that request.
func asking(name, header string, p *program) way {
	header += "\r\nX-Original-Method: GET\r\nX-Original-URI: " + gatePath + "\r\nX-Original-Host: " + p.address +
		"\r\nX-Original-Proto: http\r\nX-Forwarded-For: 127.0.0.1"
	return way{newClient(p.address, gatePrefix+"/forward-auth/nginx", header), name, []*program{p}}
}

// used is the processor time of the way's programs.
func (w *way) used() (total time.Duration, err error) {
	for _, p := range w.programs {
		used, err := treeTime(p.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// measure asks for a while with all clients and without pause, then at a pace that every way keeps, and then with one client.
func (w *way) measure(ctx context.Context, e effort, p *passage) error {
	many := 3 * e.httpSlice / 2
	before, err := w.used()
	if err != nil {
		return err
	}
	n, err := w.ask(ctx, many)
	if err != nil {
		return err
	}
	after, err := w.used()
	if err != nil {
		return err
	}
	paced, err := w.latencies(ctx, connections, e.gatePace, e.httpSlice)
	if err != nil {
		return err
	}
	alone, err := w.latencies(ctx, 1, 0, e.httpSlice/2)
	if err != nil {
		return err
	}
	p.rate = append(p.rate, n/many.Seconds())
	p.cpu = append(p.cpu, float64(max(after-before, 1))/n)
	p.p50, p.p99 = append(p.p50, quantile(paced, 0.5)), append(p.p99, quantile(paced, 0.99))
	p.alonep50, p.alonep99 = append(p.alonep50, quantile(alone, 0.5)), append(p.alonep99, quantile(alone, 0.99))
	return nil
}

// quantile is the value that a part of the sorted values does not exceed.
func quantile(sorted []float64, part float64) float64 {
	return sorted[int(part*float64(len(sorted)-1))]
}

// passages are those of proxies' questions, or the others.
func (r *result) passages(questions bool) (some []passage) {
	for _, p := range r.gate {
		if slices.Contains([]string{questionBare, questionSame, questionServe}, p.name) == questions {
			some = append(some, p)
		}
	}
	return some
}

func (r *result) passage(name string) passage {
	for _, p := range r.gate {
		if p.name == name {
			return p
		}
	}
	return passage{}
}

// added is what a way takes more than the bare upstream: a nanosecond at least, so that it can be divided by.
func (r *result) added(name string, latency func(passage) []float64) float64 {
	own, base := latency(r.passage(name)), latency(r.passage(gateBare))
	differences := make([]float64, len(own))
	for i := range differences {
		differences[i] = own[i] - base[i]
	}
	return max(median(differences), 1)
}

// measureGate starts all programs several times, for the same program takes some per cent more or less from start to
// start. It leaves nginx out where it is not installed.
func (r *result) measureGate(ctx context.Context, e effort, self string) (err error) {
	path, version, err := findNginx(ctx)
	if errors.Is(err, errNoNginx) {
		fmt.Fprintln(os.Stderr, "compare: left out:", err)
		err = nil
	}
	if err != nil {
		return err
	}
	r.nginx = version
	for range e.gateStarts {
		some, err := gateOnce(ctx, e, self, path)
		if err != nil {
			return err
		}
		r.gate = joined(r.gate, some)
	}
	return nil
}

// gateOnce starts everything, measures some rounds and stops it.
func gateOnce(ctx context.Context, e effort, self, nginx string) (some []passage, err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := startSite(ctx, dir, self, nginx)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return nil, err
	}
	return s.measure(ctx, e)
}

// joined adds rounds of another start to those before.
func joined(all, some []passage) []passage {
	if all == nil {
		return some
	}
	for i, p := range some {
		all[i].rate, all[i].cpu = append(all[i].rate, p.rate...), append(all[i].cpu, p.cpu...)
		all[i].p50, all[i].p99 = append(all[i].p50, p.p50...), append(all[i].p99, p.p99...)
		all[i].alonep50, all[i].alonep99 = append(all[i].alonep50, p.alonep50...), append(all[i].alonep99, p.alonep99...)
	}
	return all
}

// measure asks on one way at a time.
func (s *site) measure(ctx context.Context, e effort) ([]passage, error) {
	all := make([]passage, len(s.ways))
	for i, w := range s.ways {
		all[i].name = w.name
		if _, err := w.ask(ctx, e.httpSlice/2); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for round := range e.gateRounds {
		for _, i := range order(len(s.ways), round) {
			if err := s.ways[i].measure(ctx, e, &all[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", s.ways[i].name, err)
			}
		}
	}
	return all, nil
}
