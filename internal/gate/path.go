package gate

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// errPath says that two programs could read a path differently.
var errPath = errors.New("gate: the path can be read in more than one way")

// maxPath bounds the length of a path in bytes.
const maxPath = 8 << 10

// spelling is a path that everybody reads alike, in its two forms.
type spelling struct {
	wire string // what is forwarded: RFC 3986, escapes in capitals, nothing escaped that need not be
	text string // decoded: what rules are compared with
}

// Kinds of bytes in a path.
const (
	refusedByte = iota
	plainByte   // stands for itself (RFC 3986 §3.3, without the semicolon)
	otherByte   // stands for itself, and is escaped when it is forwarded
	escapeByte  // begins an escape
)

// byteKinds is the kind of each byte. Control characters, the backslash and the
// semicolon mean different things to different readers.
var byteKinds = func() (kinds [256]uint8) {
	for c := '!'; c <= 0xff; c++ {
		kinds[c] = otherByte
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,=:@" {
		kinds[c] = plainByte
	}
	for _, c := range "\\;?#\x7f" {
		kinds[c] = refusedByte
	}
	kinds['%'] = escapeByte
	return kinds
}()

// structure are the bytes that divide a path for one reader or another. Escaped,
// they are one thing before decoding and another after it.
const structure = `/\.;%?#`

// wirePath returns the path of a URL as it was sent.
func wirePath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// parsePath reads a path as it was sent. It returns errPath unless all readers agree on it.
func parsePath(wire string) (spelling, error) {
	if wire == "" || wire[0] != '/' || len(wire) > maxPath {
		return spelling{}, errPath
	}
	plain := true
	for i := range len(wire) {
		switch byteKinds[wire[i]] {
		case refusedByte:
			return spelling{}, errPath
		case otherByte, escapeByte:
			plain = false
		}
	}
	s := spelling{wire, wire}
	if !plain {
		var err error
		if s, err = decodePath(wire); err != nil {
			return spelling{}, err
		}
	}
	if !cleanSegments(s.text) {
		return spelling{}, errPath
	}
	return s, nil
}

// decodePath reads a path with escapes or with bytes that have to be escaped.
func decodePath(wire string) (spelling, error) {
	out, text := make([]byte, 0, len(wire)+8), make([]byte, 0, len(wire))
	for i := 0; i < len(wire); i++ {
		c := wire[i]
		kind := byteKinds[c]
		if kind == escapeByte {
			decoded, ok := unescape(wire[i:])
			if !ok || decoded < ' ' || decoded == 0x7f || strings.IndexByte(structure, decoded) >= 0 {
				return spelling{}, errPath
			}
			i += 2
			c, kind = decoded, otherByte
			if unreserved(c) {
				kind = plainByte
			}
		}
		text = append(text, c)
		if kind == plainByte {
			out = append(out, c)
			continue
		}
		out = append(out, '%', upperHex[c>>4], upperHex[c&15])
	}
	if !utf8.Valid(text) {
		return spelling{}, errPath
	}
	return spelling{string(out), string(text)}, nil
}

const upperHex = "0123456789ABCDEF"

// wireQuery returns a query as it was sent, for no rule is about it; only what would end
// it or the line it stands in is escaped.
func wireQuery(query string) string {
	unsafe := func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '#' }
	for i := range len(query) {
		if !unsafe(query[i]) {
			continue
		}
		out := []byte(query[:i])
		for _, c := range []byte(query[i:]) {
			if unsafe(c) {
				out = append(out, '%', upperHex[c>>4], upperHex[c&15])
				continue
			}
			out = append(out, c)
		}
		return string(out)
	}
	return query
}

// unescape decodes the escape at the beginning of s.
func unescape(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := strings.IndexByte(upperHex, upper(s[1])), strings.IndexByte(upperHex, upper(s[2]))
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '~'
}

// cleanSegments reports whether no segment is empty or a dot segment. One slash at the end is fine.
func cleanSegments(path string) bool {
	rest := path[1:]
	for rest != "" {
		segment, after, more := strings.Cut(rest, "/")
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		if !more {
			return true
		}
		rest = after
	}
	return true
}

// lenient returns the path as the laxest reader takes it: one that folds wide and joined
// letters and the case of letters outside ASCII, leaves out invisible characters, and drops
// spaces around a name and dots at its end. It returns errPath where such a reader finds another
// structure.
func lenient(text string) (string, error) {
	if !isASCII(text) {
		folded := strings.ToLower(strings.ToUpper(norm.NFKC.String(text)))
		folded = strings.ReplaceAll(folded, "ß", "ss")
		folded = strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector) {
				return -1
			}
			return r
		}, folded)
		if strings.Count(folded, "/") != strings.Count(text, "/") || strings.ContainsAny(folded, `\;%?#`) {
			return "", errPath
		}
		text = folded
	}
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		segments[i] = strings.TrimRight(strings.TrimLeft(segment, " "), " .")
		if segments[i] == "" && segment != "" {
			return "", errPath
		}
	}
	return strings.Join(segments, "/"), nil
}

// suspicious reports whether lenient could return anything but text.
func suspicious(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= utf8.RuneSelf, c == ' ':
			return true
		case c == '.' && (i+1 == len(text) || text[i+1] == '/'):
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// readings returns every way in which a reader may take a path that is forwarded byte
// for byte: decoded never, once or twice; with or without what follows a semicolon,
// or a question mark; slashes in a row taken as one or not. It returns errPath
// for what no route can allow.
func readings(wire string) ([]string, error) {
	if wire == "" || wire[0] != '/' || len(wire) > maxPath {
		return nil, errPath
	}
	for i := range len(wire) {
		if kind := byteKinds[wire[i]]; kind != plainByte && kind != escapeByte && wire[i] != ';' {
			return nil, errPath
		}
	}
	once, ok := decoded(wire)
	twice, _ := decoded(once)
	if !ok {
		return nil, errPath
	}
	var all []string
	for _, s := range []string{wire, once, twice} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.Contains(s, `\`) {
			return nil, errPath
		}
		before, _, _ := strings.Cut(s, "?")
		before, _, _ = strings.Cut(before, "#")
		for _, s := range []string{s, before, withoutParameters(s), withoutParameters(before)} {
			merged := mergeSlashes(s)
			if merged == "" || !cleanSegments(merged) {
				return nil, errPath
			}
			all = append(all, s, merged)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// decoded resolves every escape once. What is no escape stays, and makes it report false.
func decoded(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	out, ok := make([]byte, 0, len(s)), true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if d, isEscape := unescape(s[i:]); isEscape {
				c, i = d, i+2
			} else {
				ok = false
			}
		}
		out = append(out, c)
	}
	return string(out), ok
}

// withoutParameters drops what follows a semicolon in each segment, as Java's servers do.
func withoutParameters(s string) string {
	if !strings.Contains(s, ";") {
		return s
	}
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func mergeSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// foldPath is the form of a path in which rules are compared: without one slash at its
// end and, unless exact, without regard to case.
func foldPath(text string, exact bool) string {
	if len(text) > 1 {
		text = strings.TrimSuffix(text, "/")
	}
	if exact {
		return text
	}
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return strings.Map(foldRune, text)
}

// foldRune returns the one letter that stands for all that differ in case alone.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return unicode.ToLower(least)
}
