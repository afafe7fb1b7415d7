package inspect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/inspect"
	"github.com/go-json-experiment/json"
)

// Whatever a stranger wrote is JSON that can be written again, or no token; an error repeats nothing of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "..", "e30.e30.", "eyJhIjoxfQ.eyJhIjoxfQ.x", "eyJhIjoxLCJhIjoyfQ.e30.", "MQ.MQ.MQ", "e30.eyJhIjoi_yJ9.", "e30.e30\n.x", "dwr_canary-text", "dwk_canary-text", "canary-text.canary-text.x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		header, claims, err := inspect.Decode(text)
		if err != nil {
			if !errors.Is(err, inspect.ErrNoToken) || header != nil || claims != nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q: %v with %q and %q", text, err, header, claims)
			}
			return
		}
		written, err := json.Marshal(map[string]any{"header": header, "claims": claims})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var objects map[string]map[string]any
		if err := json.Unmarshal(written, &objects); err != nil || len(objects) != 2 || inspect.KindOf(text) == inspect.Unknown {
			t.Errorf("%q: %s, a text of the kind %q: %v", text, written, inspect.KindOf(text), err)
		}
	})
}
