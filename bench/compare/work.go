package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

type (
	verify func(token string) error
	sign   func(*claims) (string, error)
)

// library is one codec in the comparison.
type library struct {
	name   string
	verify func(*keys) (verify, error)
	sign   func(*keys) (sign, error) // nil: its signing is another row's
}

const (
	ours    = "Doorward"
	control = "Doorward, once more"
	cached  = "Doorward, token seen before"
	raw     = "crypto call alone"
)

var libraries = []library{
	{ours, doorwardCold, doorwardSign},
	{control, doorwardCold, doorwardSign},
	{cached, doorwardCached, nil},
	{"golang-jwt v5", golangVerify, golangSign},
	{"go-jose v4", joseVerify, joseSign},
	{"jwx v3", jwxVerify, jwxSign},
	{raw, rawVerify, rawSign},
}

// result is all that was measured.
type result struct {
	verify, sign map[jwt.Algorithm][]figure
	reject       []rejection
	revocation   []figure
	memory       float64 // of the revocations, in MiB
	entries      int
	inProcess    []figure
	loopback     []load
	flask        []load // empty: not measured
	versions     string // of what runs Flask
	gate         []passage
	nginx        string // its version; empty: not measured
	refresh      []load // rates alone
	growth       []load // rates alone, by number of sessions
	effort       effort
}

// rejection is what refusing one token took each library.
type rejection struct {
	name    string
	figures []figure
}

// measure measures everything: some minutes, so it says what it is at.
func (f *field) measure(ctx context.Context, e effort, self string) (*result, error) {
	r := &result{verify: make(map[jwt.Algorithm][]figure), sign: make(map[jwt.Algorithm][]figure), effort: e, entries: e.entries}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"verify and sign", func() error { return f.measureCodecs(e, r) }},
		{"refuse", func() (err error) { r.reject, err = f.measureReject(e); return err }},
		{"revocations", func() error { return r.measureRevocation(e) }},
		{"middleware in process", func() (err error) { r.inProcess, err = f.measureInProcess(e); return err }},
		{"HTTP over loopback", func() (err error) { r.loopback, err = f.measureLoopback(ctx, e, self); return err }},
		{"Flask", func() error { return r.measureFlask(ctx, e, self) }},
		{"gate", func() error { return r.measureGate(ctx, e, self) }},
		{"refresh", func() (err error) { r.refresh, err = measureRefresh(ctx, e); return err }},
		{"refresh among many sessions", func() (err error) { r.growth, err = measureGrowth(ctx, e); return err }},
	} {
		fmt.Fprintln(e.progress, "compare:", part.name)
		if err := part.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r, nil
}

func (f *field) measureCodecs(e effort, r *result) (err error) {
	for _, alg := range algorithms {
		if r.verify[alg], err = f.measureVerify(e, f.keys[alg]); err != nil {
			return fmt.Errorf("verify %s: %w", alg, err)
		}
		if r.sign[alg], err = f.measureSign(e, f.keys[alg]); err != nil {
			return fmt.Errorf("sign %s: %w", alg, err)
		}
	}
	return nil
}

func (f *field) measureVerify(e effort, k *keys) ([]figure, error) {
	var rows []row
	for _, l := range libraries {
		if l.name == cached && k.alg.Symmetric() {
			continue
		}
		check, err := l.verify(k)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, row{l.name, func() error { return check(k.token) }})
	}
	return interleave(e, rows)
}

func (f *field) measureSign(e effort, k *keys) ([]figure, error) {
	var rows []row
	c := newClaims()
	for _, l := range libraries {
		if l.sign == nil {
			continue
		}
		write, err := l.sign(k)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, row{l.name, func() error { _, err := write(&c); return err }})
	}
	return interleave(e, rows)
}

var errAccepted = errors.New("it was accepted")

// bad are tokens that anyone can make, and an expired one.
func (k *keys) bad() ([]struct{ name, token string }, error) {
	c := newClaims()
	c.IssuedAt, c.NotBefore, c.ExpiresAt = c.IssuedAt-1200, c.NotBefore-1200, c.IssuedAt-600
	expired, err := k.sign(c)
	dot := strings.IndexByte(k.token, '.')
	last := strings.LastIndexByte(k.token, '.')
	return []struct{ name, token string }{
		{"100,000 letters", strings.Repeat("A", 100_000)},
		{"8,192 dots", strings.Repeat(".", jwt.MaxSize)},
		{"no JSON in it", "AAAA.AAAA.AAAA"},
		{`"alg":"none"`, "eyJhbGciOiJub25lIn0" + k.token[dot:last+1]},
		{"a letter that is no base64url", k.token[:last+5] + "!" + k.token[last+6:]},
		{"wrong signature", k.token[:last+1] + strings.Repeat("A", len(k.token)-last-1)},
		{"expired, well signed", expired},
	}, err
}

func (f *field) measureReject(e effort) ([]rejection, error) {
	k := f.keys[jwt.HS256]
	tokens, err := k.bad()
	if err != nil {
		return nil, err
	}
	var all []rejection
	for _, t := range tokens {
		var rows []row
		for _, l := range libraries {
			if l.sign == nil || l.name == raw || l.name == control {
				continue
			}
			check, err := l.verify(k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			rows = append(rows, row{l.name, func() error {
				if check(t.token) == nil {
					return errAccepted
				}
				return nil
			}})
		}
		figures, err := interleave(e, rows)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		all = append(all, rejection{t.name, figures})
	}
	return all, nil
}

// measureRevocation asks a large set for sessions that it holds, and for others, each time for another one.
func (r *result) measureRevocation(e effort) error {
	before := heap()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	for i := range e.entries {
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: session(i), ExpiresAt: time.Now().Add(time.Hour)})
	}
	r.memory = float64(heap()-before) / (1 << 20)
	look := func(first int) func() error {
		sessions := make([]string, 1<<16)
		for i := range sessions {
			sessions[i] = session(first + i*97%e.entries)
		}
		c, i := doorward.Claims{Subject: "ann", KeyID: keyID}, 0
		return func() error {
			c.SessionID = sessions[i%len(sessions)]
			i++
			if revoked := set.Check(&c) != nil; revoked != (first == 0) {
				return errAccepted
			}
			return nil
		}
	}
	var err error
	r.revocation, err = interleave(e, []row{
		{"session not revoked", look(e.entries)},
		{"session revoked", look(0)},
		{"of which: a look at the clock", func() error { _ = time.Now(); return nil }},
	})
	runtime.KeepAlive(set)
	return err
}

func session(i int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012x", i) }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
