package server_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// deaf is a store that cannot be read for revocations while it is told so.
type deaf struct {
	issuer.Store
	now atomic.Bool
}

func (d *deaf) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	if d.now.Load() {
		return issuer.RevocationPage{}, errors.Join(issuer.ErrUnavailable, ctx.Err())
	}
	return d.Store.RevocationsSince(ctx, after)
}

// Attack_F12: a node that cannot read revocations any more says so, follows its policy, and never accepts in silence.
func TestAttack_F12_StaleNode(t *testing.T) {
	t.Parallel()
	store := &deaf{}
	w := newWorld(t, func(s *settings) {
		store.Store, s.issuer.Store = s.issuer.Store, store
		s.issuer.MaxStaleness, s.server.MaxStaleness, s.server.YoungWhenStale = 2*time.Second, 2*time.Second, 1500*time.Millisecond
	})
	w.addUser("root", adminWord, "admin")
	old := w.login("alice", aliceWord)
	other := w.session(w.alice, issuer.LoginRequest{Audience: otherName}).AccessToken
	ready := func(status int) answer {
		deadline := time.Now().Add(20 * time.Second)
		for {
			a := w.do("GET", "/readyz", nil)
			if a.status == status || time.Now().After(deadline) {
				if a.status != status {
					t.Fatalf("/readyz: %d %s, want %d", a.status, a.body, status)
				}
				return a
			}
		}
	}
	ready(200)
	store.now.Store(true)
	if a := ready(503); a.text("error") != "not_ready" || a.text("reason") != "stale" {
		t.Errorf("not ready: %s", a.body)
	}
	if a := w.do("GET", "/me", nil, bearer(old.text("access_token"))); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("a token that is not young: %d", a.status)
	}
	if a := w.do("GET", "/me", nil, bearer(other)); a.status != 503 {
		t.Errorf("one of another audience: %d %s", a.status, a.body)
	}
	young := bearer(w.login("alice", aliceWord).text("access_token"))
	if a := w.do("GET", "/me", nil, young); a.status != 200 {
		t.Errorf("a young token: %d %s", a.status, a.body)
	}
	if a := w.do("POST", "/password", map[string]string{"current": aliceWord, "new": goodWord}, young); a.status != 503 {
		t.Errorf("a young token where a recent login is wanted: %d %s", a.status, a.body)
	}
	admin := bearer(w.login("root", adminWord).text("access_token"))
	for _, route := range []string{"GET /admin/v1/users", "POST /admin/v1/users"} { // without and with a recent login
		method, path, _ := strings.Cut(route, " ")
		if a := w.do(method, path, nil, admin); a.status != 503 {
			t.Errorf("an admin's young token at %s: %d %s", route, a.status, a.body)
		}
	}
	if a := w.do("GET", "/me", nil, bearer("junk")); a.status != 401 {
		t.Errorf("junk: %d", a.status)
	}
	logged := func(text string) (lines int) {
		for _, line := range w.logs.lines() {
			if strings.Contains(string(line), `"msg":"`+text) {
				lines++
			}
		}
		return lines
	}
	for deadline := time.Now().Add(20 * time.Second); logged("revocations are out of date") == 0 && time.Now().Before(deadline); {
		ready(503)
	}
	store.now.Store(false)
	ready(200)
	if a := w.do("GET", "/me", nil, bearer(old.text("access_token"))); a.status != 200 {
		t.Errorf("up to date again: %d", a.status)
	}
	for _, once := range []string{"revocations are out of date", "revocations are up to date again"} {
		for deadline := time.Now().Add(20 * time.Second); logged(once) == 0 && time.Now().Before(deadline); {
			ready(200)
		}
		if lines := logged(once); lines != 1 {
			t.Errorf("the log says %d times that %s", lines, once)
		}
	}
}
