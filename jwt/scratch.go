package jwt

import (
	"encoding/base64"
	"sync"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt/internal/jwa"
)

// scratch is the memory in which one token is taken apart. What lies in it is overwritten by the next token, so
// nothing that points into it may leave this package.
type scratch struct {
	input     []byte // header and payload as they were signed
	header    []byte
	claims    []byte
	members   strict.Index // of claims
	signature []byte
	work      jwa.Workspace

	seen [4]*seenHeader // the last headers verified
	next int            // how many were remembered so far; modulo 4 it is the place of the next
}

var scratches = sync.Pool{New: func() any {
	return &scratch{
		input:     make([]byte, 0, MaxSize),
		header:    make([]byte, 0, MaxSize),
		claims:    make([]byte, 0, MaxSize),
		signature: make([]byte, 0, MaxSize),
	}
}}

// encode64 is base64url without padding.
func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
