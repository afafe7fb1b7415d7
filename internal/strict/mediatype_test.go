package strict_test

import (
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestSameType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"at+jwt", "at+jwt", true},
		{"AT+JWT", "application/at+jwt", true},
		{"Application/At+Jwt", "at+jwt", true},
		{"", "", true},
		{"", "at+jwt", false},
		{"application/", "", false},
		{"application/x/at+jwt", "x/at+jwt", false},
		{"text/at+jwt", "at+jwt", false},
		{"at+jwt ", "at+jwt", false},
	} {
		if got := strict.SameType(tt.a, tt.b); got != tt.want {
			t.Errorf("SameType(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestQuotable(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		want := b >= 0x20 && b < 0x7f && b != '"' && b != '\\'
		if got := strict.Quotable("a" + string([]byte{byte(b)}) + "z"); got != want {
			t.Errorf("Quotable with byte %#x = %v", b, got)
		}
	}
	if !strict.Quotable("") {
		t.Error("nothing needs no escape")
	}
}
