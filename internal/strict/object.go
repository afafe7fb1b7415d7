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
// name is valid during the call only; value is a part of data. A nil member only checks. An error of member ends
// the scan and is returned; members that came before it were seen, so nothing may be acted upon before Object
// returns nil. Object does not allocate.
func Object(data []byte, maxDepth int, member func(name, value []byte) error) error {
	s := scanners.Get().(*scanner)
	defer s.release()
	if err := s.open(data, maxDepth, '{', ErrNotObject); err != nil {
		return err
	}
	if err := s.object(1, member); err != nil {
		return err
	}
	return s.end()
}

// Array checks that data is exactly one JSON array, as strictly as [Object], and calls element for each of its own
// elements in order with its text.
func Array(data []byte, maxDepth int, element func(value []byte) error) error {
	s := scanners.Get().(*scanner)
	defer s.release()
	if err := s.open(data, maxDepth, '[', ErrNotArray); err != nil {
		return err
	}
	if err := s.array(1, element); err != nil {
		return err
	}
	return s.end()
}

// scanner is one pass over data. The names of all objects that are open lie on one stack.
type scanner struct {
	data     []byte
	pos      int
	maxDepth int
	top      int
	names    [MaxMembers]name
	text     []byte // an unescaped name on its way to member
}

// name is where the text of a member's name lies in data, between the quotes.
type name struct {
	hash       uint64
	start, end int
	escaped    bool
}

// seed is of this process, so nobody can send names that collide.
var seed = maphash.MakeSeed()

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// release keeps nothing of the input alive; the names hold only numbers.
func (s *scanner) release() {
	clear(s.text)
	s.data, s.pos, s.top, s.text = nil, 0, 0, s.text[:0]
	scanners.Put(s)
}

func (s *scanner) open(data []byte, maxDepth int, bracket byte, wrong error) error {
	if !utf8.Valid(data) {
		return ErrUTF8
	}
	s.data, s.maxDepth = data, maxDepth
	if s.skip() != bracket {
		return wrong
	}
	if maxDepth < 1 {
		return ErrDepth
	}
	return nil
}

func (s *scanner) end() error {
	if s.skip(); s.pos != len(s.data) {
		return ErrTrailing
	}
	return nil
}

// object reads the object at pos, whose bracket has been seen.
func (s *scanner) object(depth int, member func(name, value []byte) error) error {
	first := s.top
	s.pos++
	if s.skip() == '}' {
		s.pos++
		return nil
	}
	for {
		n, err := s.name(first)
		if err != nil {
			return err
		}
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if member != nil {
			if err := member(s.unescaped(n), s.data[start:s.pos:s.pos]); err != nil {
				return err
			}
		}
		switch s.skip() {
		case ',':
			s.pos++
			s.skip()
		case '}':
			s.pos++
			s.top = first
			return nil
		default:
			return ErrSyntax
		}
	}
}

// array reads the array at pos, whose bracket has been seen.
func (s *scanner) array(depth int, element func(value []byte) error) error {
	s.pos++
	if s.skip() == ']' {
		s.pos++
		return nil
	}
	for {
		s.skip()
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if element != nil {
			if err := element(s.data[start:s.pos:s.pos]); err != nil {
				return err
			}
		}
		switch s.skip() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return ErrSyntax
		}
	}
}

// name reads a name and its colon up to the value, and looks for the name among those since first.
func (s *scanner) name(first int) (name, error) {
	if s.at() != '"' {
		return name{}, ErrSyntax
	}
	start := s.pos + 1
	escaped, err := s.string()
	if err != nil {
		return name{}, err
	}
	n := name{start: start, end: s.pos - 1, escaped: escaped}
	n.hash = maphash.Bytes(seed, s.unescaped(n))
	for i := s.top - 1; i >= first; i-- {
		if s.names[i].hash == n.hash && s.same(s.names[i], n) {
			return name{}, ErrDuplicate
		}
	}
	if s.top == MaxMembers {
		return name{}, ErrMembers
	}
	s.names[s.top] = n
	s.top++
	if s.skip() != ':' {
		return name{}, ErrSyntax
	}
	s.pos++
	s.skip()
	return n, nil
}

// value reads the value at pos, which lies in a container of the given depth.
func (s *scanner) value(depth int) error {
	switch c := s.at(); c {
	case '"':
		_, err := s.string()
		return err
	case '{', '[':
		if depth >= s.maxDepth {
			return ErrDepth
		}
		if c == '{' {
			return s.object(depth+1, nil)
		}
		return s.array(depth+1, nil)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return ErrSyntax
	}
	s.pos += len(w)
	return nil
}

// number reads a number by the grammar of RFC 8259 §6.
func (s *scanner) number() error {
	if s.at() == '-' {
		s.pos++
	} else if !digit(s.at()) {
		return ErrSyntax
	}
	if s.at() == '0' {
		s.pos++
	} else if !s.digits() {
		return ErrNumber
	}
	if s.at() == '.' {
		s.pos++
		if !s.digits() {
			return ErrNumber
		}
	}
	if c := s.at(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.at(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return ErrNumber
		}
	}
	if digit(s.at()) { // 01
		return ErrNumber
	}
	return nil
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	start := s.pos
	for digit(s.at()) {
		s.pos++
	}
	return s.pos > start
}

// skip passes white space and returns the next byte, or 0 at the end.
func (s *scanner) skip() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// at is the byte at pos, or 0 at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
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
