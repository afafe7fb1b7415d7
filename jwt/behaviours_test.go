package jwt_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/doorward/doorward/jwt"
)

// Covers Behaviour_P4, Standard_A14: a JWK brings its algorithm, and a secret without one is no key.
func TestJWKNamesItsAlgorithm_Behaviour_P4(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		text, err := newKey(t, alg).MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwt.ParseJWK(text, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := accepted(t, sign(t, k, "JWT", json.RawMessage(payload)), k); got.Header.Algorithm != alg {
			t.Errorf("signed with %s, want %s", got.Header.Algorithm, alg)
		}
		if !strings.Contains(string(text), `"alg":"`+string(alg)+`"`) {
			t.Errorf("%s: no alg is written", alg)
		}
		nameless := strings.Replace(string(text), `"alg":"`+string(alg)+`",`, "", 1)
		if k, err = jwt.ParseJWK([]byte(nameless), ""); alg.Symmetric() != errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s without alg: %v, %v", alg, k, err)
		}
	}
}

// Covers Behaviour_P28, Behaviour_P51: no algorithm and no secret are refused before there is a token.
func TestNoAlgorithmNoSecret_Behaviour_P28(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.RS256, jwt.PS256} {
		if _, err := jwt.NewKey("", private()[alg]); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s as no algorithm: %v, want ErrKey", alg, err)
		}
	}
	for _, secret := range [][]byte{nil, {}} {
		if _, err := jwt.NewKey(jwt.HS256, secret); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("no secret: %v, want ErrKey", err)
		}
	}
}

func TestWrongSecret_Behaviour_P48(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		if alg[:2] == "RS" && alg != jwt.RS256 || alg[:2] == "PS" && alg != jwt.PS256 {
			continue // making RSA keys is slow, and they differ in their hash alone
		}
		other, err := jwt.GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, sign(t, newKey(t, alg), "JWT", json.RawMessage(payload)), withID(t, other, "k"), jwt.ErrSignature)
	}
}

// Covers Behaviour_P2, Behaviour_P55: a Token holds the header and the payload as they were, and Sign writes the header's
// members in one order.
func TestHeaderAndPayload_Behaviour_P2(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	header := `{"x":[1],"typ":"JWT","alg":"HS256","kid":"k"}`
	got := accepted(t, hs256(t, header, payload), k)
	var x []int
	if found, err := got.Header.Extra("x", &x); !found || err != nil || len(x) != 1 {
		t.Errorf("Extra = %v, %v, %v", found, err, x)
	}
	if string(got.Claims) != payload || got.Header.KeyID != "k" || got.Header.Type != "JWT" || got.Key != k {
		t.Errorf("got %+v", got)
	}
	if token := sign(t, k, "JWT", json.RawMessage(payload)); !strings.HasPrefix(token, b64(`{"alg":"HS256","kid":"k","typ":"JWT"}`)+".") {
		t.Errorf("the header of %s is in another order", token)
	}
}

type shout string

func (s shout) MarshalJSON() ([]byte, error) { return json.Marshal(strings.ToUpper(string(s))) }

// A type says itself how it is written.
func TestClaimsOfOwnTypes_Behaviour_P26(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	if got := accepted(t, sign(t, k, "JWT", map[string]shout{"a": "b"}), k); string(got.Claims) != `{"a":"B"}` {
		t.Errorf("claims %s", got.Claims)
	}
}

func TestUsableKeysOfASet_Behaviour_P92(t *testing.T) {
	t.Parallel()
	member := func(kid, use string) string {
		text, err := public(t, withID(t, newKey(t, jwt.ES256), kid)).MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(text), `,"use":"sig"`, use, 1)
	}
	sig, none, enc := member("a", `,"use":"sig"`), member("b", ""), member("c", `,"use":"enc"`)
	set, err := jwt.ParseSet([]byte(`{"keys":[` + sig + "," + none + "," + enc + `]}`))
	if err != nil || len(set.Keys()) != 2 || set.Keys()[0].ID() != "a" || set.Keys()[1].ID() != "b" {
		t.Errorf("%v, %v, want a and b", set, err)
	}
	if _, err := jwt.ParseSet([]byte(`{"keys":[` + enc + `]}`)); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("a set without keys for signatures: %v, want ErrKey", err)
	}
}

// The nonce depends on the message as well as on randomness, so that a generator that repeats itself does not give the
// key away: equal randomness under two messages gives two values of r.
func TestHedgedNonce_Standard_C05(t *testing.T) {
	for _, alg := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.ES512} {
		k := newKey(t, alg)
		size := (private()[alg].(*ecdsa.PrivateKey).Params().BitSize + 7) / 8
		seen := map[string]bool{}
		for _, claims := range []string{`{"a":1}`, `{"a":2}`, `{"a":3}`} {
			cryptotest.SetGlobalRandom(t, 1)
			token := sign(t, k, "JWT", json.RawMessage(claims))
			accepted(t, token, k)
			signature := unb64(t, token[strings.LastIndexByte(token, '.')+1:])
			seen[new(big.Int).SetBytes(signature[:size]).String()] = true
		}
		if len(seen) != 3 {
			t.Errorf("%s: %d different r in 3 signatures under the same randomness", alg, len(seen))
		}
	}
}

// A header that asks for a billion rounds of key derivation costs nothing: the text has five parts, or no algorithm
// that is known.
//
// Covers Standard_C20, Attack_A22.
func TestNoDecryption_Standard_C20(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	header := `{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA","zip":"DEF"}`
	refused(t, b64(header)+".AAAA.AAAA.AAAA.AAAA", k, jwt.ErrMalformed)
	refused(t, hs256(t, strings.Replace(header, `,"zip":"DEF"`, "", 1), payload), k, jwt.ErrKey)
	refused(t, hs256(t, `{"alg":"HS256","zip":"DEF"}`, payload), k, jwt.ErrMalformed)
}

// One good token whose JSON is written otherwise, by somebody without the key.
func TestJSONSpellings_Attack_B10(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	header, claims := `{"alg":"HS256","kid":"k","typ":"JWT"}`, `{"sub":"x","n":10,"b":true}`
	good := hs256(t, header, claims)
	mac := good[strings.LastIndexByte(good, '.')+1:]
	accepted(t, good, k)
	respell := func(text string) (all []string) {
		for i := range len(text) {
			switch c := text[i]; {
			case strings.IndexByte(`{}:,`, c) >= 0:
				all = append(all, text[:i+1]+" "+text[i+1:], text[:i]+"\n"+text[i:])
			case 'a' <= c && c <= 'z' && text[i+1] != 'u' && !strings.HasPrefix(text[i:], "true") && i < len(text)-5:
				all = append(all, text[:i]+`\u00`+unhexed(c)+text[i+1:])
			}
		}
		return append(all, text+" ", "\t"+text, strings.Replace(text, "10", "1e1", 1), strings.Replace(text, "10", "10.0", 1),
			strings.Replace(text, "HS256", "hs256", 1), strings.Replace(text, "sub", "SUB", 1), text+text, "\ufeff"+text)
	}
	tried := 0
	for _, other := range respell(header) {
		if other != header {
			tried++
			if _, err := jwt.Verify(t.Context(), b64(other)+"."+b64(claims)+"."+mac, k, "JWT"); err == nil {
				t.Errorf("header %q accepted", other)
			}
		}
	}
	for _, other := range respell(claims) {
		if other != claims {
			tried++
			refused(t, b64(header)+"."+b64(other)+"."+mac, k, jwt.ErrSignature)
		}
	}
	if tried < 50 {
		t.Errorf("only %d spellings", tried)
	}
}

func unhexed(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

func TestDetachedPayload_Behaviour_P64(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	parts := strings.Split(hs256(t, `{"alg":"HS256"}`, payload), ".")
	refused(t, parts[0]+".."+parts[2], k, jwt.ErrMalformed)
	refused(t, hs256(t, `{"alg":"HS256","b64":true}`, payload), k, jwt.ErrMalformed)
}

// The numbers of a JWK have one spelling each.
func TestNumbersOfAJWK_Behaviour_P86(t *testing.T) {
	t.Parallel()
	n := private()[jwt.RS256].(*rsa.PrivateKey).N
	for e, text := range map[int]string{255: "_w", 65537: "AQAB", 123456789: "B1vNFQ"} {
		k, err := jwt.NewKey(jwt.RS256, &rsa.PublicKey{N: n, E: e})
		if err != nil {
			t.Fatal(err)
		}
		written, err := k.MarshalPublicJWK()
		if err != nil || !strings.Contains(string(written), `"e":"`+text+`"`) {
			t.Errorf("%d is written in %s, %v, want %q", e, written, err, text)
		}
		if again, err := jwt.ParseJWK(written, ""); err != nil || again.String() != k.String() {
			t.Errorf("%s is read as %v, %v", written, again, err)
		}
		for _, other := range []string{"", "AA", "AQ", "AA" + text, text + "=", "-" + text, "_____w"} {
			changed := strings.Replace(string(written), `"e":"`+text+`"`, `"e":"`+other+`"`, 1)
			if k, err := jwt.ParseJWK([]byte(changed), ""); !errors.Is(err, jwt.ErrKey) {
				t.Errorf("e %q: %v, %v, want ErrKey", other, k, err)
			}
		}
	}
}
