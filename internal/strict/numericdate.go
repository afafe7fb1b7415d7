package strict

// The seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. No NumericDate outside is read.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

// NumericDate reads a JSON number as a NumericDate (RFC 7519 §2): seconds since 1970, which may have a fraction and an
// exponent. It rounds up to the nanosecond: a clock ticks in nanoseconds, so comparing it with the result is comparing
// it with the number itself. It reports false for what is no number and for what lies outside the years 0001 to
// 9999. raw is a value that [Object] has passed.
func NumericDate(raw []byte) (seconds, nanos int64, ok bool) {
	if seconds, ok := wholeSeconds(raw); ok {
		return seconds, 0, true
	}
	n, ok := scanNumber(raw)
	if !ok {
		return 0, 0, false
	}
	for i := range n.point {
		if seconds = seconds*10 + n.digit(i); seconds > lastSecond {
			return 0, 0, false
		}
	}
	for i := range 9 {
		nanos = nanos*10 + n.digit(n.point+i)
	}
	more := n.any(n.point + 9)
	switch {
	case n.negative:
		seconds, nanos = -seconds, -nanos
	case more:
		nanos++
	}
	if seconds < firstSecond {
		return 0, 0, false
	}
	return seconds, nanos, true
}

// wholeSeconds reads the usual form: up to eleven digits and nothing else.
func wholeSeconds(raw []byte) (seconds int64, ok bool) {
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		seconds = seconds*10 + int64(c-'0')
	}
	return seconds, len(raw) > 0 && len(raw) <= 11
}

// number is 0.d₀d₁d₂… · 10^point, its digits being those of text without the dot.
type number struct {
	text     []byte
	dot      int // where the dot stands in text; len(text) when there is none
	point    int
	negative bool
}

// scanNumber splits a number of at most 64 bytes with an exponent of at most two digits; longer ones are nobody's date.
func scanNumber(raw []byte) (number, bool) {
	if len(raw) == 0 || len(raw) > 64 {
		return number{}, false
	}
	n := number{negative: raw[0] == '-'}
	if n.negative {
		raw = raw[1:]
	}
	i := 0
	for i < len(raw) && raw[i] != 'e' && raw[i] != 'E' {
		if raw[i] != '.' && (raw[i] < '0' || raw[i] > '9') {
			return number{}, false // a string, a literal, an array or an object
		}
		i++
	}
	exponent, ok := scanExponent(raw[i:])
	n.text, n.dot = raw[:i], i
	for j, c := range n.text {
		if c == '.' {
			n.dot = j
		}
	}
	n.point = n.dot + exponent
	return n, ok && i > 0
}

// scanExponent reads "", "e9", "e+9", "E-09".
func scanExponent(raw []byte) (int, bool) {
	if len(raw) == 0 {
		return 0, true
	}
	raw = raw[1:]
	negative := len(raw) > 0 && raw[0] == '-'
	if len(raw) > 0 && (raw[0] == '-' || raw[0] == '+') {
		raw = raw[1:]
	}
	if len(raw) == 0 || len(raw) > 2 {
		return 0, false
	}
	value := 0
	for _, c := range raw {
		value = value*10 + int(c-'0')
	}
	if negative {
		value = -value
	}
	return value, true
}

// digit returns the i-th digit, 0 outside the text.
func (n number) digit(i int) int64 {
	if i >= n.dot {
		i++
	}
	if i < 0 || i >= len(n.text) {
		return 0
	}
	return int64(n.text[i] - '0')
}

// any reports whether a digit at i or behind it is not 0.
func (n number) any(i int) bool {
	for ; i < len(n.text); i++ {
		if n.digit(i) != 0 {
			return true
		}
	}
	return false
}
