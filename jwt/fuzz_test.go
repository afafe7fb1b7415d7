package jwt_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// FuzzVerify feeds headers and payloads behind a good signature, and tokens as they are. What is accepted must read
// the same to encoding/json, and a refusal must have one reason.
func FuzzVerify(f *testing.F) {
	for _, seed := range [][2]string{
		{hsHeader, payload},
		{`{"alg":"HS256","kid":"k"}`, `{}`},
		{`{"alg":"none"}`, payload},
		{`{"alg":"HS256","crit":["x"]}`, payload},
		{`{"alg":"HS256","\u0061lg":"none"}`, payload},
		{hsHeader, `{"a":1,"a":2}`},
		{hsHeader, `{"a":"\ud800"}`},
		{hsHeader, "{\"a\":\"\xff\"}"},
		{"a.b", "c"},
		{"", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	k := newKey(f, jwt.HS256)
	f.Fuzz(func(t *testing.T, header, claims string) {
		token, err := jwt.Verify(t.Context(), hs256(t, header, claims), k, "JWT", "")
		one(t, err, jwt.ErrMalformed, jwt.ErrKey, jwt.ErrType)
		if err == nil {
			var h, c map[string]any
			if json.Unmarshal([]byte(header), &h) != nil || h["alg"] != "HS256" || h["crit"] != nil {
				t.Errorf("header %q accepted", header)
			}
			if json.Unmarshal([]byte(claims), &c) != nil && !strings.ContainsAny(claims, "eE") { // 1e999 is JSON
				t.Errorf("payload %q accepted", claims)
			}
			if string(token.Claims) != claims {
				t.Errorf("claims %q became %q", claims, token.Claims)
			}
			again, err := jwt.Sign(k, "JWT", token.Claims)
			if err != nil {
				t.Fatalf("Sign refuses the claims of a verified token: %v", err)
			}
			if read, err := jwt.Verify(t.Context(), again, k, "JWT"); err != nil || string(read.Claims) != claims {
				t.Errorf("verify(sign(%q)) = %q, %v", claims, read.Claims, err)
			}
		}
		_, err = jwt.Verify(t.Context(), header+"."+claims, k, "JWT", "")
		one(t, err, jwt.ErrMalformed, jwt.ErrKey, jwt.ErrSignature)
		if err == nil {
			t.Errorf("%q verified without the secret", header+"."+claims)
		}
	})
}

// one checks that err, if there is one, has exactly one of these reasons.
func one(t *testing.T, err error, reasons ...error) {
	t.Helper()
	n := 0
	for _, reason := range reasons {
		if errors.Is(err, reason) {
			n++
		}
	}
	if err != nil && n != 1 {
		t.Errorf("%v has %d reasons", err, n)
	}
}

func FuzzParseJWK(f *testing.F) {
	for _, alg := range algorithms {
		text, err := newKey(f, alg).MarshalJWK()
		if err != nil || len(text) == 0 {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := jwt.ParseJWK(data, "")
		one(t, err, jwt.ErrKey)
		if err != nil {
			return
		}
		text, err := k.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jwt.ParseJWK(text, k.Algorithm())
		if err != nil || again.String() != k.String() {
			t.Errorf("%v read again: %v, %v", k, again, err)
		}
	})
}

func FuzzParseSet(f *testing.F) {
	var keys []*jwt.Key
	for i, alg := range []jwt.Algorithm{jwt.ES256, jwt.EdDSA, jwt.RS256} {
		keys = append(keys, withID(f, newKey(f, alg), string(rune('a'+i))))
	}
	text, err := json.Marshal(newSet(f, keys...))
	if err != nil || len(text) < 100 {
		f.Fatal(err)
	}
	for _, seed := range []string{string(text), `{"keys":[]}`, `{"keys":[{},7,null]}`, `{"keys":{}}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := jwt.ParseSet(data)
		one(t, err, jwt.ErrKey)
		if err == nil && len(set.Keys()) == 0 {
			t.Error("an empty set")
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.ES512, jwt.EdDSA} {
		k := newKey(f, alg)
		text, err := k.MarshalPEM()
		publicText, publicErr := k.MarshalPublicPEM()
		if err != nil || publicErr != nil || len(text) == 0 {
			f.Fatal(err, publicErr)
		}
		f.Add(text)
		f.Add(publicText)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, alg := range []jwt.Algorithm{"", jwt.RS256} {
			k, err := jwt.ParsePEM(alg, data)
			one(t, err, jwt.ErrKey)
			if err == nil {
				if _, err := k.MarshalPublicPEM(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
