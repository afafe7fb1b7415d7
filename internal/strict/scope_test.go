package strict_test

import (
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestAppendScope(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": {}, "a": {"a"}, "orders:read orders:write": {"orders:read", "orders:write"}, "! ~ [ ]": {"!", "~", "[", "]"},
		" ": nil, " a": nil, "a ": nil, "a  b": nil, "a\tb": nil, "a\"": nil, `a\`: nil, "é": nil, "a b\x7f": nil, "\x00": nil,
	} {
		got, ok := strict.AppendScope([]string{"first"}, text)
		if ok != (want != nil) || ok && !slices.Equal(got, append([]string{"first"}, want...)) {
			t.Errorf("%q: %q, %v; want %q", text, got, ok, want)
		}
	}
}
