package issuer_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// FuzzRefreshToken: no text but a token of ours is answered, and none panics.
func FuzzRefreshToken(f *testing.F) {
	var once sync.Once
	var w *world // Its store closes with the test that opened it; the keys stay.
	f.Add("dwr_")
	f.Add("dwr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		once.Do(func() { w = newWorld(t, nil) })
		if _, err := w.Refresh(context.Background(), text, issuer.RefreshRequest{}); !errors.Is(err, issuer.ErrToken) {
			t.Errorf("refresh of %q: %v, want ErrToken", text, err)
		}
	})
}
