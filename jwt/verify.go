package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// MaxSize is the longest token that is read or written, in bytes.
const MaxSize = 8 << 10

// Token is a verified token: [Verify] alone makes one. What its claims mean (when it expires, for whom it is) has not
// been looked at.
type Token struct {
	Header Header
	Claims json.RawMessage // one strict JSON object; nothing else refers to this memory
	Key    *Key            // that verified it

	members strict.Index // of Claims
}

// Decode decodes the claims into v like [json.Unmarshal], except that a member reaches a field of the struct v
// points to only under exactly its name: "Exp" is not "exp".
func (t Token) Decode(v any) error { return decode(t.Claims, v) }

// Each calls claim for each claim in order, with the name unescaped and the value as it is written, until it returns an
// error, which Each returns. Verify has noted where the claims lie, so this reads no JSON a second time. name is valid
// during the call only; value is a part of t.Claims and is not to be changed.
func (t *Token) Each(claim func(name, value []byte) error) error {
	return t.members.Each(t.Claims, maxDepth, claim)
}

// Verify checks a token in compact form against keys and returns its contents.
//
// The order is fixed, and the first fault is the error: [ErrMalformed] for what is no token, [ErrKey] when keys has
// no key for it or its algorithm is not the key's, [ErrSignature], [ErrMalformed] for a payload that is no strict
// JSON object, [ErrType] when its typ is none of types. So ErrType implies that the signature was good, and nobody
// without the key learns how a payload was read.
//
// types are compared as RFC 7515 §4.1.9 says; "" among them accepts a token without typ; no types accept nothing.
// Errors of keys that do not wrap ErrKey are wrapped in it. ctx is handed to keys and used for nothing else.
func Verify(ctx context.Context, token string, keys KeySet, types ...string) (Token, error) {
	p, err := split(token)
	if err != nil {
		return Token{}, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	header, seen, err := s.decode(p)
	if err != nil {
		return Token{}, err
	}
	key, err := find(ctx, keys, header, seen)
	if err != nil {
		return Token{}, err
	}
	s.input = append(s.input[:0], p.input...)
	if err := key.material.Verify(&s.work, s.input, s.signature); err != nil {
		return Token{}, err
	}
	if !seen {
		header = s.remember(p.header, header)
	}
	if err := s.members.Object(s.claims, maxDepth); err != nil {
		return Token{}, claimsError(err)
	}
	if err := checkType(header.Type, types); err != nil {
		return Token{}, err
	}
	claims := make([]byte, len(s.claims))
	copy(claims, s.claims)
	return Token{Header: header, Claims: claims, Key: key, members: s.members}, nil
}

// parts are the pieces of a compact token; input is what was signed.
type parts struct{ header, claims, signature, input string }

func split(token string) (parts, error) {
	if len(token) > MaxSize {
		return parts{}, errTooLong
	}
	first := strings.IndexByte(token, '.')
	second := -1
	if first >= 0 {
		second = strings.IndexByte(token[first+1:], '.')
	}
	if second < 0 {
		if strings.HasPrefix(token, "{") {
			return parts{}, errJSONForm
		}
		return parts{}, errParts
	}
	second += first + 1
	p := parts{token[:first], token[first+1 : second], token[second+1:], token[:second]}
	if p.header == "" || p.claims == "" {
		return parts{}, errEmpty
	}
	return p, nil
}

// decode fills s with the decoded parts and reads the header. The strings of a header that was not seen before lie
// in s.
func (s *scratch) decode(p parts) (header Header, seen bool, err error) {
	header, seen = s.seenBefore(p.header)
	if !seen {
		if s.header, err = strict.AppendBase64(s.header[:0], p.header); err != nil {
			if len(p.header) > 7 && strings.EqualFold(p.header[:7], "Bearer ") {
				return Header{}, false, errScheme
			}
			return Header{}, false, errHeader64
		}
		if header, err = parseHeader(s.header); err != nil {
			return Header{}, false, err
		}
	}
	if s.claims, err = strict.AppendBase64(s.claims[:0], p.claims); err != nil {
		return Header{}, false, errClaims64
	}
	if s.signature, err = strict.AppendBase64(s.signature[:0], p.signature); err != nil {
		switch strings.Count(p.signature, ".") {
		case 0:
			return Header{}, false, errSignature64
		case 2:
			return Header{}, false, errEncrypted
		}
		return Header{}, false, errParts
	}
	return header, seen, nil
}

// find asks keys for the key that the header names.
func find(ctx context.Context, keys KeySet, h Header, seen bool) (*Key, error) {
	var key *Key
	var err error
	switch k := keys.(type) {
	case nil:
		return nil, errNoKeySet
	case *Key:
		key, err = k.Key(ctx, h.KeyID)
	case *Set:
		key, err = k.Key(ctx, h.KeyID)
	default:
		kid := h.KeyID
		if !seen { // it lies in the scratch, and code that is not ours may keep it
			kid = strings.Clone(kid)
		}
		key, err = keys.Key(ctx, kid)
	}
	switch {
	case strings.EqualFold(string(h.Algorithm), "none"):
		return nil, errNone
	case err != nil && errors.Is(err, ErrKey):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	case key == nil:
		return nil, errUnknownKey
	case key.alg != h.Algorithm:
		return nil, errAlgorithm
	case key.noVerify:
		return nil, errNotToVerify
	}
	return key, nil
}
