package strict_test

import (
	"errors"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value, want string
		wantErr     error
	}{
		{"", "", nil},
		{"Bearer abc", "abc", nil},
		{"bEARER   abc=", "abc=", nil},
		{"Basic abc", "", nil},
		{"Bearers abc", "", nil},
		{"Bear abc", "", nil},
		{"Bearer", "", strict.ErrSingle},
		{"Bearer ", "", strict.ErrSingle},
		{"Bearer\tabc", "", strict.ErrSingle},
		{"Bearer,abc", "", strict.ErrSingle},
		{"Bearer a b", "a b", nil},
		{"Basic abc, Bearer def", "", strict.ErrList},
		{"Basic abc,bearer", "", strict.ErrList},
		{"Basic abc, Bearers def", "", nil},
		{"Basic abc Bearer def", "", nil},
	} {
		got, err := strict.Credentials(tt.value, "Bearer")
		if got != tt.want || !errors.Is(err, tt.wantErr) {
			t.Errorf("%q: %q, %v; want %q, %v", tt.value, got, err, tt.want, tt.wantErr)
		}
	}
}
