package gate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
)

// hanging is a store that lets everybody wait who asks for a session.
type hanging struct {
	issuer.Store
	asked int
}

func (h *hanging) Sessions(ctx context.Context, _ issuer.SessionQuery) ([]issuer.Session, error) {
	h.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

// However many sessions are to be looked up in a store that hangs: cut-offs do not wait for them.
func TestStreamsWhileStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{}
		w := newWorldAlone(t, func(c *issuer.Config) { store.Store, c.Store = c.Store, store })
		streams := gate.NewStreams(w.Issuer, nil)
		for range 1000 {
			streams.Add(&doorward.Claims{Subject: "u_alice", SessionID: "0199f3c2-7d5a-7000-8000-000000000000", ExpiresAt: time.Now()}, func(cause error) {
				t.Errorf("a stream was ended: %v", cause)
			})
		}
		begin := time.Now()
		streams.Sweep(t.Context(), begin)
		if took := time.Since(begin); took > time.Second || store.asked != 1 {
			t.Errorf("looked up %d sessions in %s", store.asked, took)
		}
	})
}
