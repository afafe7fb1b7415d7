//go:build !race

package strict_test

import (
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestNothingIsAllocated(t *testing.T) {
	member := func(_, _ []byte) error { return nil }
	object := func(text string) func() {
		data := []byte(text)
		return func() { _ = strict.Object(data, 4, member) }
	}
	buf := make([]byte, 0, 1024)
	var index strict.Index
	data, list, room := []byte(claims), []byte(`["admin","staff"]`), make([]string, 0, 2)
	typ := []byte(`"at+jwt"`)
	for name, run := range map[string]func(){
		"object":            object(claims),
		"escaped name":      object(`{"\u0061lg":"HS256"}`),
		"refused duplicate": object(`{"\u0061":1,"b":2,"a":3}`),
		"refused depth":     object(`{"a":[[[[]]]]}`),
		"refused UTF-8":     object("{\"a\":\"\xff\"}"),
		"refused syntax":    object(`{"a":tru`),
		"index":             func() { _ = index.Object(data, 4) },
		"each":              func() { _ = index.Each(data, 4, member) },
		"strings":           func() { _, _ = strict.AppendStrings(room, list) },
		"text":              func() { _, _ = strict.Text(typ) },
		"base64":            func() { _, _ = strict.AppendBase64(buf, "Zm9vYmFyZm9vYmFy") },
		"refused base64":    func() { _, _ = strict.AppendBase64(buf, "Zm9vYmFyZm9vYmF\n") },
		"refused dots":      func() { _, _ = strict.AppendBase64(buf, "....") },
	} {
		if got := testing.AllocsPerRun(200, run); got > 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}
