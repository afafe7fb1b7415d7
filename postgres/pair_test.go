package postgres_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// pair is one issuer.Store out of two nodes on one database, which are called in turns.
type pair struct {
	nodes [2]*postgres.Store
	calls atomic.Int64
}

func (p *pair) next() *postgres.Store { return p.nodes[p.calls.Add(1)%2] }

func (p *pair) Epoch(ctx context.Context, subject string) (int64, error) {
	return p.next().Epoch(ctx, subject)
}

func (p *pair) CreateSession(ctx context.Context, n issuer.NewSession, ev issuer.Event) (issuer.Session, error) {
	return p.next().CreateSession(ctx, n, ev)
}

func (p *pair) SessionByHandle(ctx context.Context, handle issuer.Digest) (issuer.Session, time.Time, error) {
	return p.next().SessionByHandle(ctx, handle)
}

func (p *pair) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	return p.next().SwapSession(ctx, id, rev, ch, ev)
}

func (p *pair) EndSession(ctx context.Context, id, reason string, ev issuer.Event) (doorward.Revocation, error) {
	return p.next().EndSession(ctx, id, reason, ev)
}

func (p *pair) EndSubject(ctx context.Context, subject, reason string, ev issuer.Event) (doorward.Revocation, error) {
	return p.next().EndSubject(ctx, subject, reason, ev)
}

func (p *pair) CreateGrant(ctx context.Context, n issuer.NewGrant, ev issuer.Event) (string, time.Time, error) {
	return p.next().CreateGrant(ctx, n, ev)
}

func (p *pair) EndClient(ctx context.Context, client string, ev issuer.Event) (doorward.Revocation, error) {
	return p.next().EndClient(ctx, client, ev)
}

func (p *pair) Sessions(ctx context.Context, q issuer.SessionQuery) ([]issuer.Session, error) {
	return p.next().Sessions(ctx, q)
}

func (p *pair) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	return p.next().RevocationsSince(ctx, after)
}

func (p *pair) WaitChange(ctx context.Context) error { return p.next().WaitChange(ctx) }

func (p *pair) Prune(ctx context.Context) (int64, error) { return p.next().Prune(ctx) }

func (p *pair) KeyRing(ctx context.Context) (issuer.KeyRing, error) { return p.next().KeyRing(ctx) }

func (p *pair) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	return p.next().SwapKeys(ctx, rev, keys, revoked, ev)
}
