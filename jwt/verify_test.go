package jwt_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

const hsHeader = `{"alg":"HS256","typ":"JWT"}`

// Covers Behaviour_P1, Behaviour_P65.
func TestVerifyReturnsWhatWasSigned_Behaviour_P1(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		k := newKey(t, alg)
		claims := json.RawMessage(`{"sub":"é😀","n":1e400,"deep":{"a":[null,true]},"":0}`)
		token := sign(t, k, "at+jwt", claims)
		for range 2 { // the second time the header is one seen before
			got := accepted(t, token, public2(t, k))
			if string(got.Claims) != string(claims) || got.Header.Algorithm != alg || got.Header.KeyID != "k" || got.Header.Type != "at+jwt" {
				t.Errorf("%s: got %s, %+v", alg, got.Claims, got.Header)
			}
			if got.Key.ID() != "k" || got.Key.Algorithm() != alg {
				t.Errorf("%s: verified by %v", alg, got.Key)
			}
		}
	}
}

// Covers Attack_B07, Attack_B12, Attack_A22, Attack_A23, Standard_J01, Standard_J18, Standard_T13,
// Behaviour_P42, Behaviour_P43.
func TestParts_Attack_B07(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	good := hs256(t, hsHeader, payload)
	header, rest, _ := strings.Cut(good, ".")
	claims, mac, _ := strings.Cut(rest, ".")
	var flat []byte
	flat, _ = json.Marshal(map[string]string{"protected": header, "payload": claims, "signature": mac})
	general, _ := json.Marshal(map[string]any{"payload": claims, "signatures": []any{map[string]string{"protected": header, "signature": mac}}})
	accepted(t, good, k)
	for _, token := range []string{
		"", ".", "..", "...", "....", ".....", strings.Repeat(".", jwt.MaxSize), strings.Repeat(".", jwt.MaxSize+1), "a", "a.b", "null",
		header, header + "." + claims, header + "." + claims + mac, "." + good, good + ".", good + ".AA", good + ".AA.AA", good + "..",
		"." + claims + "." + mac, header + ".." + mac, header + "." + mac, header + "..", "." + claims + ".", good + "," + good,
		good + " " + good, "Bearer " + good, string(flat), string(general), "[" + good + "]", `"` + good + `"`,
		strings.Repeat("A", jwt.MaxSize+1), good + strings.Repeat("A", jwt.MaxSize),
	} {
		refused(t, token, k, jwt.ErrMalformed)
	}
}

func TestSize_Attack_B06(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	fill := func(n int) json.RawMessage { return json.RawMessage(`{"x":"` + strings.Repeat("a", n) + `"}`) }
	largest := 0
	for n := 5900; ; n++ {
		token, err := jwt.Sign(k, "", fill(n))
		if err != nil {
			if !errors.Is(err, jwt.ErrMalformed) || token != "" {
				t.Errorf("Sign: %q, %v, want ErrMalformed", token, err)
			}
			break
		}
		accepted(t, token, k)
		largest = len(token)
	}
	if largest < jwt.MaxSize-4 || largest > jwt.MaxSize {
		t.Errorf("the largest token has %d bytes, want about %d", largest, jwt.MaxSize)
	}
	for _, size := range []int{6200, 64 << 10, 1 << 20} {
		refused(t, hs256(t, hsHeader, string(fill(size))), k, jwt.ErrMalformed)
	}
}

// One good token in every other spelling that some base64 reader takes for the same.
//
// Covers Attack_B10, Standard_J02, Standard_J03, Standard_C18, Behaviour_P56.
func TestSpellings_Attack_B10(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	good := ""
	for i := 0; !strings.ContainsAny(good, "-") || !strings.Contains(good, "_"); i++ { // letters in which the two alphabets differ
		good = hs256(t, hsHeader, fmt.Sprintf(`{"sub":"x","i":%d,"u":"ÿþ>?"}`, i))
	}
	accepted(t, good, k)
	parts := strings.Split(good, ".")
	var variants []string
	for i, part := range parts {
		with := func(text string) {
			p := slices.Clone(parts)
			p[i] = text
			if joined := strings.Join(p, "."); joined != good {
				variants = append(variants, joined)
			}
		}
		for _, mark := range []string{"=", "==", "===", "\n", "\r", "\r\n", " ", "\t", "?", "+", "/", "%", "A", "\x00", "\u00a0", "é", "~", "{", `"`} {
			for _, at := range []int{0, 1, len(part) / 2, len(part) - 1, len(part)} {
				with(part[:at] + mark + part[at:])
			}
		}
		with(strings.NewReplacer("-", "+", "_", "/").Replace(part))
		with(base64.StdEncoding.EncodeToString(unb64(t, part)))
		for c := byte(0); c < 128; c++ { // last letters that differ only in bits that mean nothing
			text := part[:len(part)-1] + string(c)
			if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && string(b) == string(unb64(t, part)) {
				with(text)
			}
		}
	}
	if len(variants) < 200 {
		t.Fatalf("only %d variants", len(variants))
	}
	for _, token := range variants {
		for _, warm := range []bool{false, true} {
			if warm {
				accepted(t, good, k)
			}
			if got, err := jwt.Verify(t.Context(), token, k, "JWT"); err == nil || got.Claims != nil {
				t.Errorf("%q accepted", token)
			}
		}
	}
}

// No single bit of a token can be turned.
//
// Covers Standard_J22, Standard_C06, Standard_T12.
func TestEveryBitCounts_Standard_J22(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.ES256, jwt.EdDSA} {
		k := newKey(t, alg)
		token := sign(t, k, "JWT", json.RawMessage(payload))
		for i := range len(token) {
			for bit := range 8 {
				text := []byte(token)
				text[i] ^= 1 << bit
				if _, err := jwt.Verify(t.Context(), string(text), k, "JWT"); err == nil {
					t.Fatalf("%s: byte %d, bit %d turned: accepted", alg, i, bit)
				}
			}
		}
	}
}

// Covers Attack_B01, Attack_B08, Attack_B09, Attack_B05, Standard_T09, Standard_T11, Standard_J24,
// Standard_C09, Behaviour_P5, Behaviour_P6.
func TestPayload_Attack_B01(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, claims := range []string{
		"hello world", `[1]`, `"x"`, `7`, `null`, `true`, ` `, "\ufeff{}", "\xff\xfe{\x00}\x00", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}",
		"{\"a\":\"\x00\"}", `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"a":1,"a":2}`, `{"exp":1,"\u0065xp":2}`, `{"x":{"a":1,"a":1}}`,
		`{"x":[{"a":1,"a":1}]}`, `{}{}`, `{} x`, `{}//`, `{"a":1,}`, `{'a':1}`, `{a:1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":01}`, `{"a":+1}`,
		`{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600),
		`{"a":` + strings.Repeat("[", 5000), "{", "}", `{"a"`,
	} {
		refused(t, hs256(t, hsHeader, claims), k, jwt.ErrMalformed)
		if _, err := jwt.Sign(k, "JWT", json.RawMessage(claims)); !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("Sign(%.60q): %v, want ErrMalformed", claims, err)
		}
	}
	for _, claims := range []string{
		`{}`, " {\n} ", `{"a":1,"A":2,"":3}`, `{"exp":"x"}`, `{"a":"\ud83d\ude00\u0000"}`, `{"a":{"b":1},"b":{"b":1}}`,
	} {
		accepted(t, hs256(t, hsHeader, claims), k)
	}
}

// A bad payload is found only after the signature: who cannot sign learns nothing about the reader of JSON.
func TestSignatureBeforePayload_Standard_T19(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	token := hs256(t, hsHeader, "no json")
	refused(t, token[:len(token)-4]+"AAAA", k, jwt.ErrSignature)
	refused(t, token, k, jwt.ErrMalformed)
}

// Covers Attack_B01, Attack_B02, Attack_B05, Attack_B08, Attack_B09, Standard_J04, Standard_J05, Standard_J06,
// Standard_J12, Behaviour_P44, Behaviour_P57.
func TestHeader_Attack_B01(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, header := range []string{
		"alg", `["HS256"]`, `"HS256"`, `null`, `1`, "\ufeff" + hsHeader, hsHeader + "ABCD", hsHeader + hsHeader, `{"alg":"HS256",}`,
		`{'alg':'HS256'}`, `{"alg":"HS256","alg":"HS256"}`, `{"alg":"none","alg":"HS256"}`, `{"\u0061lg":"none","alg":"HS256"}`,
		`{"alg":"HS256","x":{"a":1,"a":2}}`, "{\"alg\":\"HS256\",\"x\":\"\xff\"}", `{"alg":"HS256","x":"\ud800"}`, "{\"alg\":\"HS256\",\"x\":\"\x00\"}",
		`{"alg":"HS256","x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, `{"alg":"HS256","x":` + strings.Repeat("[", 5000),
		"{\x00\"\x00a\x00}\x00", `{"typ":1,"alg":"HS256"}`, `{"typ":null,"alg":"HS256"}`, `{"cty":1,"alg":"HS256"}`,
	} {
		refused(t, hs256(t, header, payload), k, jwt.ErrMalformed)
	}
	for _, header := range []string{
		`{"alg":"HS256"}`, "{\r\n \"alg\" : \"HS256\" }", `{"\u0061lg":"\u0048S256"}`, `{"alg":"HS256","Alg":"none","ALG":"none"}`,
		`{"alg":"HS256","x":{"a":[1,2,{"b":null}]},"iss":"y","exp":1}`, `{"alg":"HS256","cty":"text/plain"}`, `{"alg":"HS256","":""}`,
	} {
		accepted(t, hs256(t, header, payload), k)
	}
}

// Covers Attack_A21, Standard_J10, Standard_J11, Standard_B01, Standard_B02, Standard_B03, Behaviour_P35,
// Behaviour_P65, Behaviour_B30c.
func TestCritical_Attack_A21(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, extra := range []string{
		`"crit":["x"]`, `"crit":["x"],"x":1`, `"crit":[]`, `"crit":"x"`, `"crit":null`, `"crit":[1]`, `"crit":["exp","exp"],"exp":1`,
		`"crit":["alg"]`, `"crit":["b64"],"b64":false`, `"crit":["b64"],"b64":true`, `"b64":false`, `"b64":true`, `"\u0063rit":["x"]`,
	} {
		refused(t, hs256(t, `{"alg":"HS256",`+extra+`}`, payload), k, jwt.ErrMalformed)
	}
}

// Covers Attack_A22, Standard_T14.
func TestOtherKindsOfContent_Attack_A22(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	inner := hs256(t, hsHeader, payload)
	for _, extra := range []string{`"cty":"JWT"`, `"cty":"jwt"`, `"cty":"application/jwt"`, `"zip":"DEF"`, `"zip":"none"`, `"zip":1`} {
		refused(t, hs256(t, `{"alg":"HS256",`+extra+`}`, payload), k, jwt.ErrMalformed)
		refused(t, hs256(t, `{"alg":"HS256",`+extra+`}`, inner), k, jwt.ErrMalformed)
	}
	jwe := b64(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647}`)
	refused(t, jwe+".AAAA.AAAA.AAAA.AAAA", k, jwt.ErrMalformed)
	refused(t, jwe+"..AAAA.AAAA.AAAA", k, jwt.ErrMalformed)
	refused(t, jwe+"....", k, jwt.ErrMalformed)
}

// Encrypted tokens of every kind are refused before anything is decrypted.
func TestEncryptedTokens_Attack_A22(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(corpora(t), "wycheproof", "json_web_encryption_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct{ Tests []struct{ Jwe string } }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range file.TestGroups {
		for _, test := range group.Tests {
			refused(t, test.Jwe, newKey(t, jwt.HS256), jwt.ErrMalformed)
			n++
		}
	}
	if n < 100 {
		t.Fatalf("%d tokens", n)
	}
}

// Covers Standard_J16, Behaviour_P11.
func TestType_Standard_J16(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	tests := []struct {
		header  string
		types   []string
		wantErr error
	}{
		{`{"alg":"HS256","typ":"at+jwt"}`, []string{"at+jwt"}, nil},
		{`{"alg":"HS256","typ":"AT+JWT"}`, []string{"at+jwt"}, nil},
		{`{"alg":"HS256","typ":"application/at+jwt"}`, []string{"at+jwt"}, nil},
		{`{"alg":"HS256","typ":"Application/At+Jwt"}`, []string{"at+jwt"}, nil},
		{`{"alg":"HS256","typ":"at+jwt"}`, []string{"application/at+jwt"}, nil},
		{`{"alg":"HS256","typ":"at+jwt"}`, []string{"JWT", "at+jwt"}, nil},
		{`{"alg":"HS256"}`, []string{""}, nil},
		{`{"alg":"HS256"}`, []string{"JWT", ""}, nil},
		{`{"alg":"HS256","typ":"JWT"}`, []string{"at+jwt"}, jwt.ErrType},
		{`{"alg":"HS256","typ":"JWT"}`, []string{""}, jwt.ErrType},
		{`{"alg":"HS256","typ":"at+jwt "}`, []string{"at+jwt"}, jwt.ErrType},
		{`{"alg":"HS256","typ":"text/at+jwt"}`, []string{"at+jwt"}, jwt.ErrType},
		{`{"alg":"HS256","typ":"application/application/at+jwt"}`, []string{"at+jwt"}, jwt.ErrType},
		{`{"alg":"HS256","typ":"application/"}`, []string{""}, jwt.ErrType},
		{`{"alg":"HS256"}`, []string{"at+jwt"}, jwt.ErrType},
		{`{"alg":"HS256","typ":"at+jwt"}`, nil, jwt.ErrType},
		{`{"alg":"HS256"}`, nil, jwt.ErrType},
	}
	for _, test := range tests {
		_, err := jwt.Verify(t.Context(), hs256(t, test.header, payload), k, test.types...)
		if !errors.Is(err, test.wantErr) {
			t.Errorf("%s, accepting %q: %v, want %v", test.header, test.types, err, test.wantErr)
		}
	}
}

// Each fault hides those that come after it.
func TestOrderOfReasons(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, test := range []struct {
		header, payload string
		spoil           bool
		want            error
	}{
		{`{"alg":"HS384","kid":"z","typ":"x","crit":[]}`, `no json`, true, jwt.ErrMalformed},
		{`{"alg":"HS384","kid":"z","typ":"x"}`, `no json`, true, jwt.ErrKey},
		{`{"alg":"HS384","typ":"x"}`, `no json`, true, jwt.ErrKey},
		{`{"alg":"HS256","typ":"x"}`, `no json`, true, jwt.ErrSignature},
		{`{"alg":"HS256","typ":"x"}`, `no json`, false, jwt.ErrMalformed},
		{`{"alg":"HS256","typ":"x"}`, `{}`, false, jwt.ErrType},
	} {
		token := hs256(t, test.header, test.payload)
		if test.spoil {
			token = token[:len(token)-4] + "AAAA"
		}
		refused(t, token, k, test.want)
	}
}

// The errors of other people's key sets keep their own text and gain ErrKey; a kid they keep stays what it was.
func TestOtherKeySets(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	broken := errors.New("the network is down")
	set := keySetFunc(func(context.Context, string) (*jwt.Key, error) { return nil, broken })
	token := hs256(t, `{"alg":"HS256","kid":"k"}`, payload)
	if _, err := jwt.Verify(t.Context(), token, set, ""); !errors.Is(err, jwt.ErrKey) || !errors.Is(err, broken) {
		t.Errorf("got %v, want ErrKey and the key set's own", err)
	}
	refused(t, token, keySetFunc(func(context.Context, string) (*jwt.Key, error) { return nil, nil }), jwt.ErrKey)

	var kids []string
	keeper := keySetFunc(func(_ context.Context, kid string) (*jwt.Key, error) {
		kids = append(kids, kid)
		return k, nil
	})
	for _, kid := range []string{"first", "second", "third"} {
		accepted(t, hs256(t, `{"alg":"HS256","kid":"`+kid+`"}`, payload), keeper)
	}
	if !slices.Equal(kids, []string{"first", "second", "third"}) {
		t.Errorf("kids kept by a key set became %q", kids)
	}
}

// Tokens do not share memory with one another or with what Verify keeps.
func TestTokensAreTheirOwn(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	token := hs256(t, `{"alg":"HS256","typ":"JWT","x":"1"}`, `{"sub":"aaaa"}`)
	first := accepted(t, token, k)
	second := accepted(t, hs256(t, `{"alg":"HS256","typ":"JWT","x":"2"}`, `{"sub":"bbbb"}`), k)
	for range 100 { // whichever memory of the pool the first token was read in
		accepted(t, hs256(t, hsHeader, `{"sub":"cccc"}`), k)
	}
	if string(first.Claims) != `{"sub":"aaaa"}` || string(second.Claims) != `{"sub":"bbbb"}` {
		t.Errorf("claims became %s, %s", first.Claims, second.Claims)
	}
	copy(first.Claims, "XXXXXXXXXXXXXX")
	if third := accepted(t, token, k); string(third.Claims) != `{"sub":"aaaa"}` {
		t.Errorf("claims became %s", third.Claims)
	}
	var x string
	if ok, err := first.Header.Extra("x", &x); !ok || err != nil || x != "1" {
		t.Errorf("Extra = %q, %v, %v, want 1", x, ok, err)
	}
}

func TestHeaderExtra(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	header := accepted(t, hs256(t, `{"alg":"HS256","n":7,"\u0065":{"a":[1]},"z":null}`, payload), k).Header
	var n int
	if ok, err := header.Extra("n", &n); !ok || err != nil || n != 7 {
		t.Errorf("Extra(n) = %d, %v, %v", n, ok, err)
	}
	var e struct{ A []int }
	if ok, err := header.Extra("e", &e); !ok || err != nil {
		t.Errorf("Extra(e) = %v, %v, %v", e, ok, err)
	}
	if ok, err := header.Extra("N", &n); ok || err != nil {
		t.Errorf("Extra(N) = %v, %v, want none", ok, err)
	}
	var text string
	if ok, err := header.Extra("n", &text); !ok || err == nil {
		t.Errorf("Extra(n) into a string = %v, %v, want an error", ok, err)
	}
	var object struct{ Exp int }
	if ok, err := header.Extra("n", &object); !ok || err == nil {
		t.Errorf("Extra(n) into an object = %v, %v, want an error", ok, err)
	}
	if ok, err := (jwt.Header{}).Extra("n", &n); ok || err != nil {
		t.Errorf("Extra of no header = %v, %v", ok, err)
	}
}

func TestDecodeMatchesNamesExactly_Attack_B02(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	type embedded struct {
		Sub string `json:"sub"`
	}
	var claims struct {
		embedded
		Exp   int `json:"exp,omitempty"`
		Plain string
	}
	token := accepted(t, hs256(t, hsHeader, `{"Exp":99,"exp":1,"eXp":98,"SUB":"evil","sub":"x","Plain":"good","plain":"evil"}`), k)
	if err := token.Decode(&claims); err != nil || claims.Exp != 1 || claims.Sub != "x" || claims.Plain != "good" {
		t.Errorf("decoded %+v, %v", claims, err)
	}
	var all map[string]any
	if err := token.Decode(&all); err != nil || len(all) != 7 {
		t.Errorf("decoded %v, %v, want all seven", all, err)
	}
	var raw json.RawMessage
	if err := token.Decode(&raw); err != nil || string(raw) != string(token.Claims) {
		t.Errorf("decoded %s, %v", raw, err)
	}
	var own ownDecoder
	if err := token.Decode(&own); err != nil || string(own.seen) != string(token.Claims) {
		t.Errorf("a type with an UnmarshalJSON of its own read %s, %v, want everything", own.seen, err)
	}
	if err := token.Decode(nil); err == nil {
		t.Error("Decode(nil) succeeded")
	}
}

// ownDecoder keeps what it is given, and has a field whose name resembles a claim.
type ownDecoder struct {
	Exp  int `json:"exp"`
	seen []byte
}

func (d *ownDecoder) UnmarshalJSON(data []byte) error {
	d.seen = bytes.Clone(data)
	return nil
}

func TestReasonsOfTypes(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	for _, c := range []struct {
		header, want string
		types        []string
	}{
		{`{"alg":"HS256"}`, "it has no typ", []string{"JWT"}},
		{`{"alg":"HS256","typ":"JOSE"}`, "its typ is not one of those accepted", []string{"JWT"}},
		{`{"alg":"HS256","typ":"JWT"}`, "the caller accepts no type", nil},
	} {
		_, err := jwt.Verify(t.Context(), hs256(t, c.header, `{}`), k, c.types...)
		if !errors.Is(err, jwt.ErrType) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want jwt.ErrType because %q", c.header, err, c.want)
		}
	}
}
