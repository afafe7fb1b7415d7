package jwt

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// maxDepth is how deep JSON may be nested in a header, a payload, and a key.
const maxDepth = 32

// Header is the header of a verified token.
type Header struct {
	Algorithm Algorithm // the key's algorithm
	KeyID     string    // "kid", or "" when it is absent
	Type      string    // "typ" as it was written, or ""
	raw       []byte
}

// Extra decodes the header parameter with exactly this name into v as [Token.Decode] does, and reports whether there
// is one. What it finds under jku, jwk, x5u and x5c has not been checked, and nothing has been fetched from there.
func (h Header) Extra(name string, v any) (bool, error) {
	var raw []byte
	err := strict.Object(h.raw, maxDepth, func(n, value []byte) error {
		if string(n) == name {
			raw = value
		}
		return nil
	})
	if err != nil || raw == nil {
		return false, nil
	}
	return true, decode(raw, v)
}

// parseHeader reads a decoded header. Its strings lie in the memory of raw.
func parseHeader(raw []byte) (Header, error) {
	h := Header{raw: raw}
	err := strict.Object(raw, maxDepth, func(name, value []byte) error { return h.parameter(name, value) })
	switch {
	case err != nil:
		return Header{}, headerError(err)
	case h.Algorithm == "":
		return Header{}, errNoAlgorithm
	}
	return h, nil
}

// parameter reads one header parameter. Names are compared exactly. Parameters without a case below are ignored
// (RFC 7515 §4); the keys and URLs of jku, jwk, x5u and x5c are among them (RFC 8725 §3.10).
func (h *Header) parameter(name, value []byte) error {
	switch string(name) {
	case "alg":
		alg, err := headerString(value)
		h.Algorithm = Algorithm(alg).canonical()
		return err
	case "kid":
		kid, err := headerString(value)
		if err == nil && kid == "" {
			return errEmptyKeyID
		}
		h.KeyID = kid
		return err
	case "typ":
		typ, err := headerString(value)
		h.Type = typ
		return err
	case "cty":
		cty, err := headerString(value)
		if err == nil && strict.SameType(cty, "JWT") {
			return errNested
		}
		return err
	case "crit":
		return errCritical
	case "b64":
		return errB64
	case "zip":
		return errZip
	}
	return nil
}

// headerString decodes a string value without copying it.
func headerString(value []byte) (string, error) {
	text, err := strict.Text(value)
	if err != nil {
		return "", errHeaderString
	}
	return strict.Share(text), nil
}

// checkType compares the header's typ with those that the caller accepts; "" accepts a token without one.
func checkType(typ string, accepted []string) error {
	for _, want := range accepted {
		if strict.SameType(typ, want) {
			return nil
		}
	}
	switch {
	case len(accepted) == 0:
		return errTypesMissing
	case typ == "":
		return errNoType
	}
	return errWrongType
}

// seenHeader is the header of a token that was verified. Most tokens have the same few headers, so that one whose
// encoded text is known need not be read again. Key, signature and type are still checked for each token.
type seenHeader struct {
	encoded string
	header  Header
}

// seenBefore returns the header with this encoded text, if it is one of the last few remembered.
func (s *scratch) seenBefore(encoded string) (Header, bool) {
	for _, seen := range s.seen {
		if seen != nil && seen.encoded == encoded {
			return seen.header, true
		}
	}
	return Header{}, false
}

// remember keeps a verified header, in memory of its own, and returns it.
func (s *scratch) remember(encoded string, h Header) Header {
	own := Header{
		Algorithm: Algorithm(strings.Clone(string(h.Algorithm))),
		KeyID:     strings.Clone(h.KeyID),
		Type:      strings.Clone(h.Type),
		raw:       bytes.Clone(h.raw),
	}
	s.seen[s.next%len(s.seen)] = &seenHeader{encoded: strings.Clone(encoded), header: own}
	s.next++
	return own
}

// signHeader is the encoded header that a key writes for one typ, with the dot that follows it.
type signHeader struct{ typ, encoded string }

// signHeader returns the encoded header {"alg","kid","typ"} with its dot. The last one is kept, since a program
// mostly signs with one typ.
func (k *Key) signHeader(typ string) (string, error) {
	if last := k.header.Load(); last != nil && last.typ == typ {
		return last.encoded, nil
	}
	text, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid,omitempty"`
		Type      string    `json:"typ,omitempty"`
	}{k.alg, k.id, strict.ShortType(typ)})
	if err != nil {
		return "", err
	}
	encoded := encode64(text) + "."
	k.header.Store(&signHeader{typ: strings.Clone(typ), encoded: encoded})
	return encoded, nil
}
