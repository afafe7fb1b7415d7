package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/issuer"
)

// The kinds of issuer.Event that this package makes.
const (
	EventKeyRotate issuer.EventKind = "audit_key_rotate"
	EventPrune     issuer.EventKind = "audit_prune" // after the retention
	EventExport    issuer.EventKind = "audit_export"
)

const (
	sealPace  = time.Second
	prunePace = time.Hour
	// sealMost is how many blocks one Seal makes, so that other nodes get their turn.
	sealMost = 40
)

// Config says what a Sealer works on. Store and MasterKey are required.
type Config struct {
	Store     Store
	MasterKey issuer.MasterKey
	// Retention is how long records are kept after they were sealed; 0 means for ever.
	Retention time.Duration
	// KeyTTL is how long a key seals before another takes its place; 0 means for ever.
	KeyTTL time.Duration
	// Logger is told of what goes wrong. Nil discards it.
	Logger *slog.Logger
}

// Sealer seals a record and deletes what is older than the retention. Each node has one. Only one
// of them works at a time; the others do not wait for it. It is for one goroutine.
type Sealer struct {
	cfg  Config
	keys Keys
	seen Head // the last block that it saw
}

// NewSealer returns a Sealer. It reads and starts nothing.
func NewSealer(cfg Config) (*Sealer, error) {
	if cfg.Store == nil || cfg.Retention < 0 || cfg.KeyTTL < 0 {
		return nil, errors.New("audit: Config wants a Store, and no time below 0")
	}
	if _, err := seal.ParseMaster(cfg.MasterKey.Text()); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sealer{cfg: cfg}, nil
}

// Run seals once a second, and deletes at once and then every hour, until ctx ends; then it
// seals once more. While the store fails it goes on trying; the records stay in the store unsealed.
func (s *Sealer) Run(ctx context.Context) {
	tick := time.NewTicker(sealPace)
	defer tick.Stop()
	var pruned time.Time
	for failing := false; ; {
		err := s.Seal(ctx)
		if time.Since(pruned) >= prunePace {
			pruned = time.Now()
			s.keepPruning(ctx)
		}
		if err != nil && ctx.Err() == nil && !failing {
			s.cfg.Logger.Error("the audit record cannot be sealed; trying again", "err", err)
		} else if err == nil && failing {
			s.cfg.Logger.Info("the audit record is sealed again")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.last(ctx)
			return
		}
	}
}

// last seals what the last second has brought, so that it does not wait for the next start.
func (s *Sealer) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealPace)
	defer cancel()
	if err := s.Seal(ctx); err != nil {
		s.cfg.Logger.Warn("the last audit records are not sealed; the next start seals them", "err", err)
	}
}

func (s *Sealer) keepPruning(ctx context.Context) {
	n, err := s.Prune(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.cfg.Logger.Error("the audit record keeps what is older than its retention", "err", err)
	case n > 0:
		s.cfg.Logger.Info("what is older than the retention is deleted from the audit record", "records", n)
	}
}

// Seal seals the records that are not sealed, unless another node is about to.
func (s *Sealer) Seal(ctx context.Context) error {
	for range sealMost {
		var before, sealed Head
		n, err := s.step(ctx, func(k key) (int, error) {
			return s.cfg.Store.SealAudit(ctx, k.id, func(last Head, records []Record, now time.Time) Block {
				b := k.seal(last, records, now)
				before, sealed = last, b.Head
				return b
			})
		})
		if err != nil {
			return fmt.Errorf("seal a block: %w", err)
		}
		if n > 0 {
			s.watch(before)
			s.seen = sealed
		}
		if n < MaxRecords {
			return nil
		}
	}
	return nil
}

// Prune deletes the first blocks of the record, as long as they are older than the retention. If
// it meets a block that is not what was sealed, it deletes nothing from there on and returns
// ErrBroken, so that what somebody changed can still be looked at. What it deleted before an error,
// or before ctx ended, is recorded all the same.
func (s *Sealer) Prune(ctx context.Context) (records int, err error) {
	if s.cfg.Retention == 0 {
		return 0, nil
	}
	var first, last, done int64 // numbers of blocks; last becomes done when its transaction is committed
	for {
		n, err := s.step(ctx, func(k key) (int, error) {
			return s.cfg.Store.PruneAudit(ctx, k.id, func(page Page, now time.Time) (int, Anchor, error) {
				blocks, err := s.old(page, now)
				if blocks == 0 || err != nil {
					return 0, Anchor{}, err
				}
				if first == 0 {
					first = page.Blocks[0].Number
				}
				last = page.Blocks[blocks-1].Number
				return blocks, k.anchor(page.Blocks[blocks-1].Head, now), nil
			})
		})
		if err != nil {
			err = fmt.Errorf("prune the audit record: %w", err)
		} else if n > 0 {
			records, done = records+n, last
			continue
		}
		if records > 0 {
			err = errors.Join(err, s.recordPrune(ctx, fmt.Sprintf("%d records, blocks %d to %d", records, first, done)))
		}
		return records, err
	}
}

func (s *Sealer) recordPrune(ctx context.Context, what string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealPace)
	defer cancel()
	return s.cfg.Store.Record(ctx, issuer.Event{Kind: EventPrune, Actor: "doorward", Reason: what})
}

// Rotate makes another key, which seals from the next block on, and returns its ID.
func (s *Sealer) Rotate(ctx context.Context, ev issuer.Event) (string, error) {
	for {
		if err := s.readKeys(ctx); err != nil {
			return "", err
		}
		id, err := s.add(ctx, ev)
		if !errors.Is(err, issuer.ErrConflict) {
			return id, err
		}
	}
}

// step calls do with the key that seals, again if another process has made a newer one meanwhile.
func (s *Sealer) step(ctx context.Context, do func(key) (int, error)) (int, error) {
	for {
		if s.keys.newest.ID == "" {
			if ready, err := s.prepare(ctx); !ready || err != nil {
				return 0, err
			}
		}
		if s.keyIsOld() {
			if err := s.renew(ctx); err != nil {
				return 0, err
			}
		}
		n, err := do(s.keys.sealing())
		if !errors.Is(err, issuer.ErrConflict) {
			return n, err
		}
		if err := s.readKeys(ctx); err != nil {
			return 0, err
		}
	}
}

// renew makes another key, unless another process has made one. It reads the keys first: a process that cannot, since the
// master key was replaced, must not add a key that the others could not read.
func (s *Sealer) renew(ctx context.Context) error {
	if err := s.readKeys(ctx); err != nil || !s.keyIsOld() {
		return err
	}
	_, err := s.add(ctx, issuer.Event{Actor: "doorward", Reason: "schedule"})
	if err != nil && !errors.Is(err, issuer.ErrConflict) {
		return err
	}
	return s.readKeys(ctx)
}

// prepare reads the keys, and makes the first one if there is something to seal. It reports whether there is a key.
func (s *Sealer) prepare(ctx context.Context) (bool, error) {
	if err := s.readKeys(ctx); err != nil || s.keys.newest.ID != "" {
		return true, err
	}
	n, _, err := s.cfg.Store.AuditWaiting(ctx)
	if n == 0 || err != nil {
		return false, err
	}
	_, err = s.add(ctx, issuer.Event{Actor: "doorward", Reason: "first"})
	if err != nil && !errors.Is(err, issuer.ErrConflict) {
		return false, err
	}
	return true, s.readKeys(ctx)
}

func (s *Sealer) readKeys(ctx context.Context) error {
	stored, err := s.cfg.Store.AuditKeys(ctx)
	if err != nil {
		return err
	}
	keys, err := OpenKeys(s.cfg.MasterKey, stored)
	if err == nil {
		s.keys = keys
	}
	return err
}

func (s *Sealer) add(ctx context.Context, ev issuer.Event) (string, error) {
	k, err := s.keys.newKey(s.cfg.MasterKey, time.Now())
	if err != nil {
		return "", err
	}
	ev.Kind = EventKeyRotate
	return k.ID, s.cfg.Store.AddAuditKey(ctx, k, ev)
}

// keyIsOld reports whether another key is due.
func (s *Sealer) keyIsOld() bool {
	return s.cfg.KeyTTL > 0 && time.Since(s.keys.newest.CreatedAt) > s.cfg.KeyTTL
}

// watch logs that blocks are gone which this process has sealed. Without a head that was kept,
// Verify could not tell.
func (s *Sealer) watch(last Head) {
	if last.Number < s.seen.Number || last.Number == s.seen.Number && last != s.seen {
		s.cfg.Logger.Error("sealed blocks are gone from the audit record: it was cut off, or the database is an older copy",
			"sealed", s.seen.Number, "found", last.Number)
	}
}

// old returns how many blocks of a page are older than the retention. It checks each of them
// first, so that nobody can have good blocks deleted by changing the time of one or by cutting
// off what is before them.
func (s *Sealer) old(page Page, now time.Time) (int, error) {
	c := chain{keys: s.keys}
	if err := c.begin(page.Anchor); err != nil {
		return 0, err
	}
	rest := page.Records
	for i, b := range page.Blocks {
		if now.Sub(b.SealedAt) <= s.cfg.Retention {
			return i, nil
		}
		err := c.block(b)
		if err == nil {
			err = b.records(take(&rest, b.Number))
		}
		if err != nil {
			return 0, err
		}
	}
	return len(page.Blocks), nil
}

// take removes the records of a block from the front of a list.
func take(list *[]Record, block int64) []Record {
	n := 0
	for n < len(*list) && (*list)[n].Block <= block {
		n++
	}
	taken := (*list)[:n]
	*list = (*list)[n:]
	return taken
}
