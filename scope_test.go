package doorward_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/doorward/doorward"
)

func TestParseScope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     doorward.Scope
		wantErr  error
	}{
		{name: "none", in: ""},
		{name: "one", in: "orders:read", want: doorward.Scope{"orders:read"}},
		{name: "several", in: "a b !#~", want: doorward.Scope{"a", "b", "!#~"}},
		{name: "Attack_A29 leading space", in: " a", wantErr: doorward.ErrScopeSyntax},
		{name: "Attack_A29 trailing space", in: "a ", wantErr: doorward.ErrScopeSyntax},
		{name: "Attack_A29 double space", in: "a  b", wantErr: doorward.ErrScopeSyntax},
		{name: "Attack_A29 tab", in: "a\tb", wantErr: doorward.ErrScopeSyntax},
		{name: "line break", in: "a\r\nb", wantErr: doorward.ErrScopeSyntax},
		{name: "quote", in: `a"b`, wantErr: doorward.ErrScopeSyntax},
		{name: "backslash", in: `a\b`, wantErr: doorward.ErrScopeSyntax},
		{name: "DEL", in: "a\x7f", wantErr: doorward.ErrScopeSyntax},
		{name: "UTF-8", in: "lesenä", wantErr: doorward.ErrScopeSyntax},
		{name: "NUL", in: "admin\x00", wantErr: doorward.ErrScopeSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := doorward.ParseScope(tt.in)
			if !errors.Is(err, tt.wantErr) || !slices.Equal(got, tt.want) {
				t.Fatalf("ParseScope(%q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.wantErr)
			}
			if err == nil && got.String() != tt.in {
				t.Errorf("String() = %q, want %q", got, tt.in)
			}
		})
	}
}

func TestScopeJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(doorward.Scope{"a", "b"})
	if err != nil || string(text) != `"a b"` {
		t.Fatalf("Marshal = %s, %v", text, err)
	}
	var back doorward.Scope
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, doorward.Scope{"a", "b"}) {
		t.Fatalf("Unmarshal = %q, %v", back, err)
	}
	if _, err := json.Marshal(doorward.Scope{"a b"}); !errors.Is(err, doorward.ErrScopeSyntax) {
		t.Errorf("a word with a space: %v", err)
	}
	if err := json.Unmarshal([]byte(`"a  b"`), &back); !errors.Is(err, doorward.ErrScopeSyntax) {
		t.Errorf("two spaces: %v", err)
	}
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"", "a", "a b", " ", "a  b", "\x00", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		scope, err := doorward.ParseScope(in)
		if err != nil {
			return
		}
		if scope.String() != in {
			t.Fatalf("%q reads back as %q", in, scope)
		}
		if _, err := scope.MarshalText(); err != nil {
			t.Fatal(err)
		}
	})
}
