package strict

import (
	"bytes"
	"hash/maphash"
	"sync"
	"unicode/utf8"
)

// MaxMembers is the largest number of names that the objects open at one moment may hold together. It bounds the
// search for duplicates: no input of 8 KiB takes a millisecond.
const MaxMembers = 512

// Object checks that data is exactly one JSON object (RFC 8259) and calls member for each of its own members in
// order, with the name unescaped and the value as it is written. It refuses what is not UTF-8, a byte order mark,
// two members of one name at any level (compared after unescaping, letter case counts), lone surrogates, nesting
// beyond maxDepth (the object itself is level 1), more than [MaxMembers] names, and anything after the object but
// white space. Numbers follow the grammar and may have any size.
//
// name is valid during the call only; value is a part of data. With a nil member, Object only checks. An error of
// member ends the scan and is returned. member is called before the rest of data is checked, so a caller must not act
// on what it has seen before Object returns nil. Object does not allocate.
func Object(data []byte, maxDepth int, member func(name, value []byte) error) error {
	s := scanners.Get().(*scanner)
	defer s.release()
	return s.run(data, maxDepth, member)
}

// Array checks that data is exactly one JSON array, as strictly as [Object], and calls element for each of its own
// elements in order with its text.
func Array(data []byte, maxDepth int, element func(value []byte) error) error {
	s := scanners.Get().(*scanner)
	defer s.release()
	pos, err := s.open(data, maxDepth, '[', ErrNotArray)
	if err != nil {
		return err
	}
	if pos, err = s.array(pos, 1, element); err != nil {
		return err
	}
	return s.end(pos)
}

// scanner is one pass over data. Its methods take a position and return the one behind what they have read.
type scanner struct {
	data     []byte
	maxDepth int
	top      int              // of the stack names
	names    [MaxMembers]name // of all objects that are open
	text     []byte           // an unescaped name on its way to member
	index    *Index           // of the outermost object, or nil
}

// name is where the text of a member's name lies in data, between the quotes.
type name struct {
	hash       uint64
	start, end int
	escaped    bool
}

// seed is random in each process, so that nobody can send names whose hashes collide.
var seed = maphash.MakeSeed()

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// release puts the scanner back without anything that refers to the input; the names hold only numbers.
func (s *scanner) release() {
	clear(s.text)
	s.data, s.top, s.text, s.index = nil, 0, s.text[:0], nil
	scanners.Put(s)
}

// run scans an object that is all of data.
func (s *scanner) run(data []byte, maxDepth int, member func(name, value []byte) error) error {
	pos, err := s.open(data, maxDepth, '{', ErrNotObject)
	if err != nil {
		return err
	}
	if pos, err = s.object(pos, 1, member); err != nil {
		return err
	}
	return s.end(pos)
}

// open begins a scan of data and returns the position of the bracket with which it must begin.
func (s *scanner) open(data []byte, maxDepth int, bracket byte, wrong error) (int, error) {
	if !utf8.Valid(data) {
		return 0, ErrUTF8
	}
	s.data, s.maxDepth = data, maxDepth
	pos := s.skip(0)
	if s.at(pos) != bracket {
		return pos, wrong
	}
	if maxDepth < 1 {
		return pos, ErrDepth
	}
	return pos, nil
}

// end checks that only white space follows.
func (s *scanner) end(pos int) error {
	if s.skip(pos) != len(s.data) {
		return ErrTrailing
	}
	return nil
}

// object reads the object whose bracket is at pos.
func (s *scanner) object(pos, depth int, member func(name, value []byte) error) (int, error) {
	first := s.top
	if pos = s.skip(pos + 1); s.at(pos) == '}' {
		return pos + 1, nil
	}
	for {
		n, start, err := s.name(pos, first)
		if err != nil {
			return pos, err
		}
		end, err := s.value(start, depth)
		if err != nil {
			return end, err
		}
		if depth == 1 && s.index != nil {
			s.index.add(n, start, end)
		}
		if member != nil {
			if err := member(s.unescaped(n), s.data[start:end:end]); err != nil {
				return end, err
			}
		}
		pos = s.skip(end)
		switch s.at(pos) {
		case ',':
			pos = s.skip(pos + 1)
		case '}':
			s.top = first
			return pos + 1, nil
		default:
			return pos, ErrSyntax
		}
	}
}

// array reads the array whose bracket is at pos.
func (s *scanner) array(pos, depth int, element func(value []byte) error) (int, error) {
	if pos = s.skip(pos + 1); s.at(pos) == ']' {
		return pos + 1, nil
	}
	for {
		end, err := s.value(pos, depth)
		if err != nil {
			return end, err
		}
		if element != nil {
			if err := element(s.data[pos:end:end]); err != nil {
				return end, err
			}
		}
		pos = s.skip(end)
		switch s.at(pos) {
		case ',':
			pos = s.skip(pos + 1)
		case ']':
			return pos + 1, nil
		default:
			return pos, ErrSyntax
		}
	}
}

// name reads a name and its colon up to the value, and looks for the name among those since first.
func (s *scanner) name(pos, first int) (n name, value int, err error) {
	if s.at(pos) != '"' {
		return name{}, pos, ErrSyntax
	}
	end, escaped, err := scanString(s.data, pos)
	if err != nil {
		return name{}, end, err
	}
	n = name{start: pos + 1, end: end - 1, escaped: escaped}
	n.hash = maphash.Bytes(seed, s.unescaped(n))
	for i := s.top - 1; i >= first; i-- {
		if s.names[i].hash == n.hash && s.same(s.names[i], n) {
			return name{}, end, ErrDuplicate
		}
	}
	if s.top == MaxMembers {
		return name{}, end, ErrMembers
	}
	s.names[s.top] = n
	s.top++
	pos = s.skip(end)
	if s.at(pos) != ':' {
		return name{}, pos, ErrSyntax
	}
	return n, s.skip(pos + 1), nil
}

// value reads the value at pos, which lies in a container of the given depth.
func (s *scanner) value(pos, depth int) (int, error) {
	switch c := s.at(pos); c {
	case '"':
		end, _, err := scanString(s.data, pos)
		return end, err
	case '{', '[':
		if depth >= s.maxDepth {
			return pos, ErrDepth
		}
		if c == '{' {
			return s.object(pos, depth+1, nil)
		}
		return s.array(pos, depth+1, nil)
	case 't':
		return s.word(pos, "true")
	case 'f':
		return s.word(pos, "false")
	case 'n':
		return s.word(pos, "null")
	default:
		return s.number(pos)
	}
}

func (s *scanner) word(pos int, w string) (int, error) {
	if len(s.data)-pos < len(w) || string(s.data[pos:pos+len(w)]) != w {
		return pos, ErrSyntax
	}
	return pos + len(w), nil
}

// number reads a number by the grammar of RFC 8259 §6.
func (s *scanner) number(pos int) (int, error) {
	if s.at(pos) == '-' {
		pos++
	} else if !digit(s.at(pos)) {
		return pos, ErrSyntax
	}
	end := s.digits(pos)
	if end == pos || s.data[pos] == '0' && end > pos+1 { // 01
		return end, ErrNumber
	}
	if s.at(end) == '.' {
		if pos, end = end+1, s.digits(end+1); end == pos {
			return end, ErrNumber
		}
	}
	if c := s.at(end); c == 'e' || c == 'E' {
		pos = end + 1
		if c := s.at(pos); c == '+' || c == '-' {
			pos++
		}
		if end = s.digits(pos); end == pos {
			return end, ErrNumber
		}
	}
	return end, nil
}

// digits returns the position behind the digits at pos.
func (s *scanner) digits(pos int) int {
	for digit(s.at(pos)) {
		pos++
	}
	return pos
}

// skip returns the position of the next byte that is no white space, or of the end.
func (s *scanner) skip(pos int) int {
	for pos < len(s.data) && s.data[pos] <= ' ' && isSpace(s.data[pos]) {
		pos++
	}
	return pos
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// at returns the byte at pos, or 0 at the end.
func (s *scanner) at(pos int) byte {
	if pos < len(s.data) {
		return s.data[pos]
	}
	return 0
}

// unescaped returns the text of n, in s.text when it holds escapes.
func (s *scanner) unescaped(n name) []byte {
	raw := s.data[n.start:n.end:n.end]
	if !n.escaped {
		return raw
	}
	s.text = appendUnescaped(s.text[:0], raw)
	return s.text
}

// same compares two names after unescaping. Their hashes are equal, so this runs about once per true duplicate.
func (s *scanner) same(a, b name) bool {
	right := s.unescaped(b)
	left := s.data[a.start:a.end]
	if !a.escaped {
		return bytes.Equal(left, right)
	}
	var buf [64]byte
	return bytes.Equal(appendUnescaped(buf[:0], left), right)
}

func digit(c byte) bool { return c-'0' <= 9 }
