package spelling_test

import (
	"testing"

	"github.com/doorward/doorward/internal/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"login", "login_failed", "logout"}
	for _, tt := range []struct {
		wrong string
		most  int
		want  string
	}{
		{"logn", 2, "login"},
		{"login", 0, "login"},
		{"logit", 3, "login"},
		{"lgout", 1, "logout"},
		{"logn_failed", 2, "login_failed"},
		{"signin", 2, ""},
		{"logn", 0, ""},
		{"", 3, ""},
		{"", 5, "login"},
	} {
		if got := spelling.Nearest(tt.wrong, words, tt.most); got != tt.want {
			t.Errorf("Nearest(%q, %d) = %q, want %q", tt.wrong, tt.most, got, tt.want)
		}
	}
}
