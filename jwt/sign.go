package jwt

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/strict"
)

// Sign returns a token over claims, in compact form (RFC 7515 §7.1), with the header parameters "alg", "kid" and
// "typ"; an empty kid or typ is left out, and so is "application/" before a typ (§4.1.9).
//
// claims as json.RawMessage or []byte are signed byte for byte; anything else goes through [json.Marshal]. Both must
// give one JSON object that [Verify] would accept: no two members of one name, no invalid UTF-8, or the error is
// [ErrMalformed], as it is for a token longer than [MaxSize]. A key that cannot sign gives [ErrKey].
func Sign(key *Key, typ string, claims any) (string, error) {
	switch {
	case key == nil || !key.Private():
		return "", keyError("signing takes a private key")
	case key.noSign:
		return "", keyError("the key's key_ops do not allow it to sign")
	case !utf8.ValidString(typ):
		return "", because(ErrMalformed, "the typ is not UTF-8")
	}
	payload, err := marshalClaims(claims)
	if err != nil {
		return "", err
	}
	header, err := key.signHeader(typ)
	if err != nil {
		return "", because(ErrMalformed, "the header cannot be written")
	}
	return key.compact(header, payload)
}

// compact signs header and payload and joins the three parts. header is encoded and ends in its dot.
func (k *Key) compact(header string, payload []byte) (string, error) {
	if len(header)+len(payload) > MaxSize {
		return "", errTooLong
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	input := append(s.input[:0], header...)
	input = base64.RawURLEncoding.AppendEncode(input, payload)
	signature, err := k.material.Sign(s.signature[:0], input)
	if err != nil {
		return "", keyError("sign: %w", err)
	}
	size := len(input) + 1 + base64.RawURLEncoding.EncodedLen(len(signature))
	if size > MaxSize {
		return "", errTooLong
	}
	token := append(make([]byte, 0, size), input...)
	token = append(token, '.')
	return strict.Share(base64.RawURLEncoding.AppendEncode(token, signature)), nil
}

// marshalClaims returns the payload, which has passed the same check that Verify makes.
func marshalClaims(claims any) ([]byte, error) {
	var payload []byte
	switch c := claims.(type) {
	case json.RawMessage:
		payload = c
	case []byte:
		payload = c
	default:
		var err error
		if payload, err = json.Marshal(claims); err != nil {
			return nil, because(ErrMalformed, "the claims cannot be written as JSON")
		}
	}
	if err := strict.Object(payload, maxDepth, nil); err != nil {
		return nil, claimsError(err)
	}
	return payload, nil
}
