package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const (
	diskSync      = "the disk alone"
	ruleOwn       = "Doorward"
	ruleStrict    = "strict rotation"
	growthCallers = 32 // callers in the table of sizes
)

var callerCounts = []int{1, 8, 32}

func refreshRow(rule string, callers int) string {
	if callers == 1 {
		return rule + ", 1 caller"
	}
	return fmt.Sprintf("%s, %d callers", rule, callers)
}

// anyone is active, whoever asks.
type anyone struct{}

func (anyone) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{Active: true, Scope: doorward.Scope{"orders:read"}}, nil
}

// refresher is an issuer on a file of its own, and refresh tokens that wait for their turn.
type refresher struct {
	*issuer.Issuer
	store  *sqlite.Store
	tokens chan string
}

// newRefresher makes an issuer whose refreshes rotate each time: strictly, or by our rule with a window that is over at once.
func newRefresher(ctx context.Context, file string, strict bool, sessions int) (*refresher, error) {
	store, err := sqlite.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	cfg := issuer.Config{
		Issuer: issuerURL, Store: store, MasterKey: issuer.GenerateMasterKey(), Subjects: anyone{},
		RefreshLimit: 1 << 40, StrictRefresh: strict,
	}
	if !strict {
		cfg.Window = time.Nanosecond
	}
	r := &refresher{store: store, tokens: make(chan string, sessions)}
	if r.Issuer, err = issuer.New(ctx, cfg); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return r, nil
}

// login adds sessions whose tokens wait, and returns the last one's ID.
func (r *refresher) login(ctx context.Context, n int) (id string, err error) {
	for range n {
		attempt, err := r.Begin(ctx, "ada")
		if err != nil {
			return "", err
		}
		set, err := r.Login(ctx, attempt, issuer.LoginRequest{})
		if err != nil {
			return "", err
		}
		r.tokens <- set.RefreshToken
		id = set.SessionID
	}
	return id, nil
}

// shuffle has the tokens that wait come in another order: sessions that began together, which lie on one page of the file, are
// not refreshed together.
func (r *refresher) shuffle() {
	all := make([]string, len(r.tokens))
	for i := range all {
		all[i] = <-r.tokens
	}
	random := rand.New(rand.NewPCG(0, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, token := range all {
		r.tokens <- token
	}
}

// refresh lets callers refresh for a while, each time with the token whose turn it is. It returns how many rotated.
func (r *refresher) refresh(ctx context.Context, callers int, d time.Duration) (float64, error) {
	begin := time.Now()
	var rotated atomic.Int64
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for time.Since(begin) < d && errs[i] == nil {
				token := <-r.tokens
				set, err := r.Refresh(ctx, token, issuer.RefreshRequest{})
				if errs[i] = err; err == nil && set.RefreshToken != token {
					rotated.Add(1)
				}
				r.tokens <- set.RefreshToken
			}
		})
	}
	wg.Wait()
	return float64(rotated.Load()), errors.Join(errs...)
}

// syncPages appends and syncs for a while, and returns how often.
func syncPages(file *os.File, d time.Duration) (n float64, err error) {
	begin := time.Now()
	for page := make([]byte, 4096); time.Since(begin) < d; n++ {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// pace is something that is done again and again for a while. run returns how often.
type pace struct {
	name string
	run  func(d time.Duration) (float64, error)
}

// alternate has the paces take turns, each in a slice of time, in another order in each round.
func alternate(e effort, paces []pace) ([]load, error) {
	loads := make([]load, len(paces))
	for round := range e.httpRounds {
		for _, i := range order(len(paces), round) {
			begin, used := time.Now(), processorTime()
			n, err := paces[i].run(e.httpSlice)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", paces[i].name, err)
			}
			n = max(n, 1)
			loads[i].name = paces[i].name
			loads[i].rate = append(loads[i].rate, n/time.Since(begin).Seconds())
			loads[i].cpu = append(loads[i].cpu, float64(processorTime()-used)/n)
		}
	}
	return loads, nil
}

// measureRefresh compares our rule with strict rotation, on files of the same disk, and both with what the disk can do.
func measureRefresh(ctx context.Context, e effort) (loads []load, err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := os.Create(filepath.Join(dir, "pages"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	paces := []pace{{diskSync, func(d time.Duration) (float64, error) { return syncPages(file, d) }}}
	for _, rule := range []string{ruleOwn, ruleStrict} {
		for _, callers := range callerCounts {
			name := refreshRow(rule, callers)
			r, err := newRefresher(ctx, filepath.Join(dir, name), rule == ruleStrict, e.refreshed)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, r.store.Close()) }()
			if _, err := r.login(ctx, e.refreshed); err != nil {
				return nil, err
			}
			r.shuffle()
			paces = append(paces, pace{name, func(d time.Duration) (float64, error) { return r.refresh(ctx, callers, d) }})
		}
	}
	return alternate(e, paces)
}
