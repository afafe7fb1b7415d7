package strict_test

import (
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

// Attack_B03: a number is read as what it says, to the nanosecond, or not at all.
func TestNumericDate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw            string
		seconds, nanos int64
		ok             bool
	}{
		{"0", 0, 0, true},
		{"-0", 0, 0, true},
		{"1700000000", 1700000000, 0, true},
		{"1700000000.5", 1700000000, 500000000, true},
		{"1700000000.0000000001", 1700000000, 1, true}, // up
		{"-1.5", -1, -500000000, true},
		{"-1.0000000001", -1, 0, true}, // up
		{"17e8", 1700000000, 0, true},
		{"17000000005E-1", 1700000000, 500000000, true},
		{"0.00017e+13", 1700000000, 0, true},
		{"253402300799", 253402300799, 0, true},
		{"253402300800", 0, 0, false},
		{"-62135596800", -62135596800, 0, true},
		{"-62135596801", 0, 0, false},
		{"9223372036854775808", 0, 0, false},
		{"1e400", 0, 0, false},
		{"1e99", 0, 0, false},
		{`"1700000000"`, 0, 0, false},
		{"true", 0, 0, false},
		{"null", 0, 0, false},
		{"[1]", 0, 0, false},
		{"{}", 0, 0, false},
	} {
		seconds, nanos, ok := strict.NumericDate([]byte(tt.raw))
		if seconds != tt.seconds || nanos != tt.nanos || ok != tt.ok {
			t.Errorf("NumericDate(%s) = %d, %d, %v; want %d, %d, %v", tt.raw, seconds, nanos, ok, tt.seconds, tt.nanos, tt.ok)
		}
	}
}
