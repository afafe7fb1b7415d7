package tokencache_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/tokencache"
)

func put(c *tokencache.Cache[int], token string, value, size int) {
	d, _, _ := c.Get(token)
	c.Put(d, token, value, size)
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := tokencache.New[int](1 << 20)
	put(c, "h.p.s", 1, 0)
	put(c, "h.p.t", 2, 0)
	put(c, "h.p.t", 3, 0)
	for token, want := range map[string]int{"h.p.s": 1, "h.p.t": 3} {
		if _, got, ok := c.Get(token); !ok || got != want {
			t.Errorf("Get(%q) = %d, %v, want %d", token, got, ok, want)
		}
	}
	for _, token := range []string{
		"", ".", "..", "s", ".s", "..s", "p.s", "h.p", "h.p.", "h.p.S", "H.p.s", "h.P.s", "h.p.s.", "h..p.s", "hp..s", ".hp.s", "h.p.ss",
		"h.p." + strings.Repeat("s", 2000), strings.Repeat("h", 9000) + ".p.s",
	} {
		if _, got, ok := c.Get(token); ok {
			t.Errorf("Get(%.40q) = %d, want nothing", token, got)
		}
	}
}

// A token whose signature another one has takes its place, and neither is taken for the other.
func TestCacheSameSignature(t *testing.T) {
	t.Parallel()
	c := tokencache.New[int](1 << 20)
	put(c, "h.p.s", 1, 0)
	put(c, "h.q.s", 2, 0)
	if _, got, ok := c.Get("h.p.s"); ok {
		t.Errorf("the first has %d", got)
	}
	if _, got, ok := c.Get("h.q.s"); !ok || got != 2 {
		t.Errorf("the second has %d, %v", got, ok)
	}
}

func TestCacheOffAndTooSmall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*tokencache.Cache[int]{
		"nil": nil, "off": tokencache.New[int](-1), "no room": tokencache.New[int](1), "none at all": tokencache.New[int](0),
	} {
		put(c, "h.p.s", 1, 1)
		if _, got, ok := c.Get("h.p.s"); ok {
			t.Errorf("%s: it has %d", name, got)
		}
	}
}

// What is used stays however many others come, which go.
func TestCacheGenerations(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	c := tokencache.New[int](size)
	put(c, "hot..s", -1, 0)
	for i := range 4000 {
		put(c, fmt.Sprintf("h.p.%d", i), i, 4<<10)
		if _, got, ok := c.Get("hot..s"); !ok || got != -1 {
			t.Fatalf("after %d others the one in use is forgotten", i+1)
		}
	}
	kept := 0
	for i := range 4000 {
		if _, _, ok := c.Get(fmt.Sprintf("h.p.%d", i)); ok {
			kept++
		}
	}
	if kept == 0 || kept*(4<<10) > size {
		t.Errorf("%d entries of 4 KiB are kept in %d bytes", kept, size)
	}
}
