package strict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

// What an index tells is what the scan told, for objects that fit and for those that do not.
func TestIndex(t *testing.T) {
	t.Parallel()
	var index strict.Index // one for all, so that nothing of an earlier object shows
	for _, text := range []string{
		manyNames(24), `{}`, claims, manyNames(25), `{"a":1}`, `{"a":1,"\u0062":2}`, manyNames(strict.MaxMembers),
		" { \"a\" : { \"b\" : 1 , \"c\" : 2 } , \"😀\" : [ { \"d\" : 1 } ] , \"\" : \"\\\"\" } ",
		`{"a":"` + strings.Repeat("x", 1<<16-9) + `"}`, `{"a":"` + strings.Repeat("x", 1<<16-8) + `"}`, `{"a":"` + strings.Repeat("x", 1<<17) + `","b":2}`,
	} {
		if err := index.Object([]byte(text), depth); err != nil {
			t.Fatalf("%.60q: %v", text, err)
		}
		want, err := members(text, func(f func(name, value []byte) error) error { return strict.Object([]byte(text), depth, f) })
		if err != nil {
			t.Fatal(err)
		}
		data := bytes.Clone([]byte(text))
		got, err := members(text, func(f func(name, value []byte) error) error { return index.Each(data, depth, f) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%.60q: Each gives %.200q, %v, want %.200q", text, got, err, want)
		}
	}
}

func members(text string, each func(func(name, value []byte) error) error) (all []string, err error) {
	err = each(func(name, value []byte) error {
		all = append(all, fmt.Sprintf("%s=%s", name, value))
		if cap(value) != len(value) {
			return fmt.Errorf("an append to the value %s of %.60q would change what follows", value, text)
		}
		return nil
	})
	return all, err
}

// An index of nothing, or of what was refused, vouches for nothing: Each looks for itself.
func TestIndexOfNothing(t *testing.T) {
	t.Parallel()
	var index strict.Index
	for range 2 {
		got, err := members("", func(f func(name, value []byte) error) error { return index.Each([]byte(`{"a":1}`), depth, f) })
		if err != nil || !slices.Equal(got, []string{"a=1"}) {
			t.Errorf("Each gives %q, %v", got, err)
		}
		for text, want := range map[string]error{
			`{"a":1,"a":2}`: strict.ErrDuplicate, `{"a":1}x`: strict.ErrTrailing, `{"a":[[]]}`: strict.ErrDepth, `[1]`: strict.ErrNotObject,
		} {
			if err := index.Object([]byte(text), 2); !errors.Is(err, want) {
				t.Errorf("Object(%s) = %v, want %v", text, err, want)
			}
			if err := index.Each([]byte(text), 2, func(_, _ []byte) error { return nil }); !errors.Is(err, want) {
				t.Errorf("Each(%s) = %v, want %v", text, err, want)
			}
		}
	}
}

// Whoever gives Each another text gets that one's members.
func TestIndexOfAnotherText(t *testing.T) {
	t.Parallel()
	var index strict.Index
	if err := index.Object([]byte(`{"a":1,"b":2}`), depth); err != nil {
		t.Fatal(err)
	}
	got, err := members("", func(f func(name, value []byte) error) error { return index.Each([]byte(`{"c":3}`), depth, f) })
	if err != nil || !slices.Equal(got, []string{"c=3"}) {
		t.Errorf("Each gives %q, %v", got, err)
	}
	if err := index.Each(nil, depth, nil); !errors.Is(err, strict.ErrNotObject) {
		t.Errorf("Each(nil) = %v", err)
	}
}

func TestIndexStopsAtTheErrorOfMember(t *testing.T) {
	t.Parallel()
	var index strict.Index
	text := []byte(`{"a":1,"b":2}`)
	if err := index.Object(text, depth); err != nil {
		t.Fatal(err)
	}
	stop, calls := errors.New("stop"), 0
	if err := index.Each(text, depth, func(_, _ []byte) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls, want the error of the first", err, calls)
	}
}

func TestAppendStrings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`: {"before"}, `[ ]`: {"before"}, `["a"]`: {"before", "a"}, "[ \"\" ,\t\"b c\"\r\n]": {"before", "", "b c"},
		`["\u00e9\n","😀"]`: {"before", "é\n", "😀"}, `["],["]`: {"before", "],["}, `["\"","\\"]`: {"before", `"`, `\`},
		`"a"`: nil, `{}`: nil, `{"a":"b"}`: nil, `1`: nil, `null`: nil, `[1]`: nil, `["a",null]`: nil, `["a",["b"]]`: nil,
		`[true]`: nil, `["a",{}]`: nil, ``: nil, `[`: nil, `["a`: nil, `["a"`: nil,
	} {
		got, ok := strict.AppendStrings([]string{"before"}, []byte(text))
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("AppendStrings(%s) = %q, %v, want %q", text, got, ok, want)
		}
		var oracle []string
		if err := json.Unmarshal([]byte(text), &oracle); ok && (err != nil || !slices.Equal(oracle, got[1:])) {
			t.Errorf("AppendStrings(%s) = %q, encoding/json %q, %v", text, got, oracle, err)
		}
	}
}
