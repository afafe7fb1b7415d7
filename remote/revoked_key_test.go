package remote_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

func revokedKey(kid string) string { return fmt.Sprintf(`{"kind":"key","id":%q}`, kid) }

// Attack_G01, Attack_G06: the feed tells that a key was revoked, and the key in its place is known with the first token
// that it signed. However often that is told, and whatever kids come, each key that is revoked costs one fetch.
func TestRevokedKeyEndsTheCoolDown(t *testing.T) {
	issuer := &world{answer: down}
	var keys *remote.KeySet
	inFeed(t, func(cfg *remote.FeedConfig, _ *issuerFeed) {
		var err error
		if keys, err = remote.NewKeySet(remote.Config{URL: setURL, Transport: issuer, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		cfg.Keys, cfg.Poll = keys, time.Second
	}, func(f *feedFixture) {
		issuer.set(serves(kids(t, "a")))
		if err := keys.Refresh(f.Context()); err != nil {
			f.Fatal(err)
		}
		pass(2 * time.Second)
		issuer.set(serves(kids(t, "b")))
		if _, err := keys.Key(f.Context(), "b"); !errors.Is(err, jwt.ErrKey) {
			f.Fatalf("a new key in the cool-down: %v", err)
		}
		f.revoke(revokedKey("a"))
		pass(2 * time.Second)
		if _, err := keys.Key(f.Context(), "b"); err != nil {
			f.Errorf("after its predecessor was revoked: %v", err)
		}
		if got := issuer.requests(); got != 2 {
			f.Errorf("%d requests, want the first, and one for the key that was revoked", got)
		}
		for i := range 20 { // a cool-down and less
			f.revoke(revokedKey("a"), session("s"))
			pass(time.Second)
			if _, err := keys.Key(f.Context(), fmt.Sprint("junk", i)); !errors.Is(err, jwt.ErrKey) {
				f.Errorf("a made-up kid: %v", err)
			}
		}
		if got := issuer.requests(); got != 2 {
			f.Errorf("%d requests after the entry came again and again, want 2", got)
		}
		f.revoke(revokedKey("b"), revokedKey("c"))
		pass(2 * time.Second)
		for i := range 5 {
			_, _ = keys.Key(f.Context(), fmt.Sprint("more junk", i))
		}
		if got := issuer.requests(); got != 3 {
			f.Errorf("%d requests after two more keys, told at once, want 3", got)
		}
		if err := keys.Close(); err != nil {
			f.Error(err)
		}
	})
}
