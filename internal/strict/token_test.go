package strict_test

import (
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s              string
		token, token68 bool
	}{
		{"", false, false},
		{"=", false, false},
		{"Bearer", true, true},
		{"x-access-token", true, true},
		{"eyJ.e30._-", true, true},
		{"a+/~", false, true},
		{"a!#$%&'*^`|", true, false},
		{"YQ==", false, true},
		{"Y=Q", false, false},
		{"a b", false, false},
		{"a\x00", false, false},
		{"a,b", false, false},
		{"\u00e9", false, false},
		{"a@", false, false},
		{"a[", false, false},
	} {
		if strict.Token(tt.s) != tt.token || strict.Token68(tt.s) != tt.token68 {
			t.Errorf("%q: Token %v, Token68 %v; want %v, %v", tt.s, strict.Token(tt.s), strict.Token68(tt.s), tt.token, tt.token68)
		}
	}
}
