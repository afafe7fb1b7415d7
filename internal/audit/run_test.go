package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// fake is a store that counts what a Sealer asks for. Its records are all alike.
type fake struct {
	audit.Store // panics for what is not here

	mu      sync.Mutex // guards what follows while a Sealer runs
	waiting int
	late    int // that come in the moment in which the Sealer ends
	keys    []audit.StoredKey
	blocks  []audit.Block
	sealing []time.Time
	pruning []time.Time
	err     error
	rival   bool // adds a key in the moment before this process does
}

var errDown = errors.New("down")

func (f *fake) AuditWaiting(context.Context) (int64, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(f.waiting), time.Time{}, f.err
}

func (f *fake) AuditKeys(context.Context) ([]audit.StoredKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys, f.err
}

func (f *fake) AddAuditKey(_ context.Context, k audit.StoredKey, _ issuer.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if k.Number <= int64(len(f.keys)) {
		return issuer.ErrConflict
	}
	f.keys = append(f.keys, k)
	if f.rival {
		f.rival = false
		return issuer.ErrConflict
	}
	return nil
}

func (f *fake) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealing = append(f.sealing, time.Now())
	n := min(f.waiting, audit.MaxRecords)
	if err := errors.Join(ctx.Err(), f.err); err != nil || n == 0 {
		return 0, err
	}
	if newest != f.keys[len(f.keys)-1].ID {
		return 0, issuer.ErrConflict
	}
	var last audit.Head
	if len(f.blocks) > 0 {
		last = f.blocks[len(f.blocks)-1].Head
	}
	f.blocks = append(f.blocks, seal(last, make([]audit.Record, n), time.Now()))
	f.waiting -= n
	return n, nil
}

func (f *fake) PruneAudit(context.Context, string, func(audit.Page, time.Time) (int, audit.Anchor, error)) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pruning = append(f.pruning, time.Now())
	return 0, f.err
}

// run runs a Sealer for a time in a bubble, and returns what it logged.
func run(t *testing.T, f *fake, cfg audit.Config, d time.Duration, during func()) string {
	t.Helper()
	var log bytes.Buffer
	cfg.Store, cfg.MasterKey, cfg.Logger = f, issuer.GenerateMasterKey(), slog.New(slog.NewTextHandler(&log, nil))
	s, err := audit.NewSealer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	time.Sleep(d / 2)
	synctest.Wait()
	f.mu.Lock()
	during()
	f.mu.Unlock()
	time.Sleep(d / 2)
	synctest.Wait()
	f.mu.Lock()
	f.waiting += f.late
	f.mu.Unlock()
	stop()
	<-done
	return log.String()
}

// A bubble: once a second something is sealed, and once more at the end, once an hour something deleted, and a full
// backlog at once.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: 5 * audit.MaxRecords, late: 1}
		log := run(t, f, audit.Config{Retention: time.Hour}, 3*time.Hour, func() { f.waiting++ })
		if len(f.blocks) != 7 || f.blocks[4].SealedAt != f.blocks[0].SealedAt {
			t.Errorf("%d blocks", len(f.blocks))
		}
		if n := len(f.sealing); n < 3*3600 || n > 3*3600+10 {
			t.Errorf("%d looks in three hours", n)
		}
		if n := len(f.pruning); n < 3 || n > 4 {
			t.Errorf("%d deletions in three hours", n)
		}
		if log != "" {
			t.Errorf("logged:\n%s", log)
		}
	})
}

// A bubble: a store that is down is told of once, and that it is back.
func TestRunStoreDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: 1, err: errDown}
		log := run(t, f, audit.Config{}, 20*time.Second, func() { f.err = nil })
		if strings.Count(log, "cannot be sealed") != 1 || strings.Count(log, "is sealed again") != 1 || len(f.blocks) != 1 {
			t.Errorf("%d blocks, and logged:\n%s", len(f.blocks), log)
		}
	})
}

// A bubble: a key is replaced when it is old, and nothing is made while there is nothing to seal.
func TestRunKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		run(t, f, audit.Config{KeyTTL: time.Hour}, time.Minute, func() {})
		if len(f.keys)+len(f.sealing) != 0 {
			t.Fatalf("%d keys for nothing", len(f.keys))
		}
		f.waiting = 1
		run(t, &fake{}, audit.Config{}, time.Second, func() {})
		log := run(t, f, audit.Config{KeyTTL: time.Hour}, 5*time.Hour/2, func() { f.waiting++ })
		if len(f.keys) != 3 || f.blocks[0].Key == f.blocks[1].Key || log != "" {
			t.Errorf("%d keys, logged:\n%s", len(f.keys), log)
		}
	})
}

// Of nodes that make a key at once one does, and the others go on with that: the first key, one that is due, and one that
// somebody asks for, which is another.
func TestKeyOfAnotherNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: 1, rival: true}
		master := issuer.GenerateMasterKey()
		sealer := func() *audit.Sealer {
			s, err := audit.NewSealer(audit.Config{Store: f, MasterKey: master, KeyTTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := sealer()
		seal := func(keys int) {
			t.Helper()
			f.waiting++
			if err := s.Seal(t.Context()); err != nil || len(f.keys) != keys || f.blocks[len(f.blocks)-1].Key != f.keys[keys-1].ID {
				t.Fatalf("%d keys, %v", len(f.keys), err)
			}
		}
		seal(1)
		time.Sleep(2 * time.Hour) // in the bubble
		f.rival = true
		seal(2)
		f.rival = true
		if id, err := sealer().Rotate(t.Context(), issuer.Event{}); err != nil || len(f.keys) != 4 || id != f.keys[3].ID {
			t.Fatalf("%d keys, %v", len(f.keys), err)
		}
		seal(4)
	})
}

// A bubble: blocks that this process has sealed are gone, or are others.
func TestRunNoticesCut(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(f *fake){
		"cut off": func(f *fake) { f.blocks = f.blocks[:1] },
		"others":  func(f *fake) { f.blocks[2].MAC[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{waiting: 3 * audit.MaxRecords}
				log := run(t, f, audit.Config{}, 10*time.Second, func() { cut(f); f.waiting = 1 })
				if strings.Count(log, "sealed blocks are gone from the audit record") != 1 {
					t.Errorf("logged:\n%s", log)
				}
			})
		})
	}
}

func TestNewSealer(t *testing.T) {
	t.Parallel()
	key := issuer.GenerateMasterKey()
	for name, cfg := range map[string]audit.Config{
		"no store":           {MasterKey: key},
		"no master key":      {Store: &fake{}},
		"retention below 0":  {Store: &fake{}, MasterKey: key, Retention: -1},
		"key's life below 0": {Store: &fake{}, MasterKey: key, KeyTTL: -1},
	} {
		if _, err := audit.NewSealer(cfg); err == nil {
			t.Errorf("%s: a sealer", name)
		}
	}
}
