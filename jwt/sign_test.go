package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// Covers Standard_J17, Behaviour_P11, Behaviour_P62.
func TestSignWritesTheHeader_Standard_J17(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, test := range []struct{ kid, typ, want string }{
		{"k", "at+jwt", `{"alg":"HS256","kid":"k","typ":"at+jwt"}`},
		{"k", "JWT", `{"alg":"HS256","kid":"k","typ":"JWT"}`},
		{"k", "", `{"alg":"HS256","kid":"k"}`},
		{"", "JWT", `{"alg":"HS256","typ":"JWT"}`},
		{"", "", `{"alg":"HS256"}`},
		{"k", "application/at+jwt", `{"alg":"HS256","kid":"k","typ":"at+jwt"}`},
		{"k", "text/x", `{"alg":"HS256","kid":"k","typ":"text/x"}`},
		{`"\`, "secevent+jwt", `{"alg":"HS256","kid":"\"\\","typ":"secevent+jwt"}`},
	} {
		named := withID(t, k, test.kid)
		for range 2 {
			header, _, _ := strings.Cut(sign(t, named, test.typ, json.RawMessage(`{}`)), ".")
			if got, _ := base64.RawURLEncoding.DecodeString(header); string(got) != test.want {
				t.Errorf("kid %q, typ %q: header %s, want %s", test.kid, test.typ, got, test.want)
			}
		}
	}
}

func TestSignClaims_Behaviour_P9(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.EdDSA)
	type claims struct {
		Sub string `json:"sub"`
	}
	for _, good := range []any{
		claims{"x"}, &claims{"x"}, map[string]any{"sub": "x"}, map[string]string{"sub": "x"}, json.RawMessage(`{"sub":"x"}`), []byte(`{"sub":"x"}`),
	} {
		if got := accepted(t, sign(t, k, "", good), k); string(got.Claims) != `{"sub":"x"}` {
			t.Errorf("%T gave %s", good, got.Claims)
		}
	}
	for _, bad := range []any{
		nil, "x", `{"sub":"x"}`, 7,
		[]string{"x"},
		[]any{},
		true, math.NaN(),
		map[string]any{"a": math.Inf(1)},
		make(chan int),
		json.RawMessage(nil),
		[]byte{},
		json.RawMessage(`[1]`), json.RawMessage(`{"a":1,"a":2}`), json.RawMessage("{\"a\":\"\xff\"}"), (*claims)(nil),
	} {
		if token, err := jwt.Sign(k, "", bad); !errors.Is(err, jwt.ErrMalformed) || token != "" {
			t.Errorf("%T %v: %q, %v, want ErrMalformed", bad, bad, token, err)
		}
	}
	if _, err := jwt.Sign(nil, "", claims{}); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("nil key: %v, want ErrKey", err)
	}
	if _, err := jwt.Sign(k, "\xff", claims{}); !errors.Is(err, jwt.ErrMalformed) {
		t.Errorf("typ not UTF-8: %v, want ErrMalformed", err)
	}
}

// A thousand signatures all have the width of the curve, leading zeros included.
func TestECDSAWidth_Standard_A05(t *testing.T) {
	t.Parallel()
	for alg, width := range map[jwt.Algorithm]int{jwt.ES256: 86, jwt.ES384: 128, jwt.ES512: 176} {
		k := newKey(t, alg)
		rounds := 1000
		if alg != jwt.ES256 {
			rounds = 100
		}
		for range rounds {
			token := sign(t, k, "", json.RawMessage(`{}`))
			if got := len(token) - strings.LastIndexByte(token, '.') - 1; got != width {
				t.Fatalf("%s: %d letters, want %d", alg, got, width)
			}
		}
	}
}
