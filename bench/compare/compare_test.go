package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// The servers are processes of this binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		if err := run(context.Background(), quick, "", os.Args[2], false); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestPayloadHasTheStatedSize(t *testing.T) {
	t.Parallel()
	k := testField(t).keys[jwt.HS256]
	token, err := jwt.Verify(t.Context(), k.token, k.own, typ)
	if size := len(token.Claims); err != nil || size != 295 {
		t.Errorf("the payload has %d bytes, want 295; %v", size, err)
	}
}

// Every row does the work that it is measured for: it takes the good token and refuses the others.
func TestLibrariesCheck(t *testing.T) {
	t.Parallel()
	f := testField(t)
	for _, l := range libraries {
		if l.name == raw {
			continue
		}
		for _, alg := range algorithms {
			t.Run(l.name+"/"+string(alg), func(t *testing.T) {
				t.Parallel()
				check, err := l.verify(f.keys[alg])
				if err != nil {
					t.Fatal(err)
				}
				refusesAll(t, f.keys[alg], check)
			})
		}
	}
}

func TestServersCheck(t *testing.T) {
	t.Parallel()
	f := testField(t)
	for _, s := range servers {
		if isBare(s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			h, err := s.handler(f.keys[s.alg])
			if err != nil {
				t.Fatal(err)
			}
			refusesAll(t, f.keys[s.alg], func(token string) error {
				r, err := request(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				w := &nowhere{header: make(http.Header), status: http.StatusOK}
				if h.ServeHTTP(w, r); w.status != http.StatusOK {
					return errors.New(http.StatusText(w.status))
				}
				return nil
			})
		})
	}
}

func refusesAll(t *testing.T, k *keys, check verify) {
	t.Helper()
	for range 2 { // a cache must not make the second time another
		if err := check(k.token); err != nil {
			t.Errorf("the good token is refused: %v", err)
		}
	}
	for name, change := range map[string]func(*claims){
		"expired":         func(c *claims) { c.IssuedAt -= 1200; c.NotBefore -= 1200; c.ExpiresAt = c.IssuedAt + 600 },
		"other issuer":    func(c *claims) { c.Issuer += "x" },
		"other audience":  func(c *claims) { c.Audience += "x" },
		"wrong signature": nil,
	} {
		token := k.token[:len(k.token)-8] + "AAAAAAAA"
		if change != nil {
			c := newClaims()
			change(&c)
			var err error
			if token, err = k.sign(c); err != nil {
				t.Fatal(err)
			}
		}
		if check(token) == nil {
			t.Errorf("a token is accepted: %s", name)
		}
	}
}

// What every library signs, Doorward verifies.
func TestLibrariesSign(t *testing.T) {
	t.Parallel()
	f := testField(t)
	for _, l := range libraries {
		for _, alg := range algorithms {
			if l.sign == nil {
				continue
			}
			write, err := l.sign(f.keys[alg])
			if err != nil {
				t.Fatal(err)
			}
			c := newClaims()
			token, err := write(&c)
			if err != nil {
				t.Fatalf("%s %s: %v", l.name, alg, err)
			}
			check, err := doorwardCold(f.keys[alg])
			if err != nil {
				t.Fatal(err)
			}
			if err := check(token); err != nil {
				t.Errorf("%s %s: %v", l.name, alg, err)
			}
		}
	}
}

// The whole program runs, for a moment, and writes a page and plots that are well formed.
func TestWritesPageAndPlots(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := testField(t).measure(t.Context(), quick, self)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NaN", "Inf", dir} {
		if strings.Contains(string(page), name) {
			t.Errorf("the page contains %q", name)
		}
	}
	for name, p := range r.plots() {
		fits(t, name, p)
		if !strings.Contains(string(page), "(img/"+name+")") {
			t.Errorf("the page does not show %s", name)
		}
		wellFormed(t, filepath.Join(dir, "img", name))
	}
}

// fits holds names and labels to what their columns have room for: a letter is 6.2 pixels wide at most, 8 in bold.
func fits(t *testing.T, file string, p plot) {
	t.Helper()
	for _, g := range p.groups {
		for _, b := range g.bars {
			width := 6.2
			if b.kind == "own" {
				width = 8
			}
			if float64(len(b.name))*width > barLeft-12-8 || len(b.label) > 10 || len(b.ratio) > 8 {
				t.Errorf("%s: %q, %q, %q: too long", file, b.name, b.label, b.ratio)
			}
		}
	}
}

func wellFormed(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, n := xml.NewDecoder(f), 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			n++
		}
	}
	if n == 0 {
		t.Errorf("%s has no bars", file)
	}
}

func testField(t *testing.T) *field {
	t.Helper()
	f, err := newField(algorithms...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
