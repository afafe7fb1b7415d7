package jwt

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"sync"
)

// scratch is the memory in which one token is taken apart. What lies in it is overwritten by the next token, so
// nothing that points into it may leave this package.
type scratch struct {
	input     []byte // header and payload as they were signed
	header    []byte
	claims    []byte
	signature []byte
	sum       sum
	der       [160]byte

	seen [4]*seenHeader
	next int
}

var scratches = sync.Pool{New: func() any {
	return &scratch{
		input:     make([]byte, 0, MaxSize),
		header:    make([]byte, 0, MaxSize),
		claims:    make([]byte, 0, MaxSize),
		signature: make([]byte, 0, MaxSize),
	}
}}

// sum holds a digest of any of the three hashes.
type sum [sha512.Size]byte

func (s *sum) of(h crypto.Hash, input []byte) []byte {
	switch h {
	case crypto.SHA256:
		d := sha256.Sum256(input)
		return append(s[:0], d[:]...)
	case crypto.SHA384:
		d := sha512.Sum384(input)
		return append(s[:0], d[:]...)
	default:
		d := sha512.Sum512(input)
		return append(s[:0], d[:]...)
	}
}

// encode64 is base64url without padding.
func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
