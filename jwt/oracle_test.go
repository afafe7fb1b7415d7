package jwt_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	golangjwt "github.com/golang-jwt/jwt/v5"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt"
)

// reading is a token as a lenient reader sees it.
type reading struct {
	token           string
	parts           []string
	header, payload []byte
	names           map[string]any // of the header
}

func read(token string) *reading {
	r := &reading{token: token, parts: strings.Split(token, ".")}
	if len(r.parts) > 1 {
		r.header, r.payload = lenient(r.parts[0]), lenient(r.parts[1])
		_ = json.Unmarshal(r.header, &r.names)
	}
	return r
}

// lenient decodes base64url with white space in it and anything in the bits that mean nothing.
func lenient(part string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "").Replace(part))
	return b
}

func (r *reading) has(name string) bool { _, ok := r.names[name]; return ok }

// class is a kind of token that we refuse and others accept. What we say has to hold text, and is has to find the
// reason in the token by another way than ours.
type class struct {
	name, text string
	is         func(r *reading) bool
}

var classes = []class{
	{"size", "longer than 8 KiB", func(r *reading) bool { return len(r.token) > jwt.MaxSize }},
	{"JSON serialization", "", func(r *reading) bool { return strings.HasPrefix(strings.TrimSpace(r.token), "{") }},
	{"base64 with line ends, blanks, padding or a tail", "not strict base64url", func(r *reading) bool {
		return slices.ContainsFunc(r.parts, func(part string) bool {
			b, err := base64.RawURLEncoding.Strict().DecodeString(part)
			return err != nil || base64.RawURLEncoding.EncodeToString(b) != part
		})
	}},
	{"no payload", "a part is empty", func(r *reading) bool { return r.parts[1] == "" }},
	{"crit", "crit is not supported", func(r *reading) bool { return r.has("crit") }},
	{"b64", "b64 is not supported", func(r *reading) bool { return r.has("b64") }},
	{"zip", "compressed", func(r *reading) bool { return r.has("zip") }},
	{"cty JWT", "nested", func(r *reading) bool {
		cty, _ := r.names["cty"].(string)
		return strings.Contains(strings.ToUpper(cty), "JWT")
	}},
	{"header parameters of another type", "not a string", func(r *reading) bool {
		return slices.ContainsFunc([]string{"kid", "typ", "cty"}, func(name string) bool {
			_, text := r.names[name].(string)
			return r.has(name) && !text
		})
	}},
	{"another kid", "no key has the token's kid", func(r *reading) bool { return r.names["kid"] != "k" }},
	{"an empty kid", "the kid is empty", func(r *reading) bool { return r.names["kid"] == "" }},
	{"another typ", "its typ is not one", func(r *reading) bool { return r.names["typ"] != "JWT" }},
	{"duplicate names in the header", "header: strict: two members", func(r *reading) bool { return duplicates(r.header) }},
	{"duplicate names in the payload", "payload: strict: two members", func(r *reading) bool { return duplicates(r.payload) }},
	{"bytes that are not UTF-8", "not UTF-8", func(r *reading) bool { return !utf8.Valid(r.header) || !utf8.Valid(r.payload) }},
	{"lone surrogates", "lone surrogate", func(r *reading) bool { return surrogates(r.header) || surrogates(r.payload) }},
	{"depth", "too deep", func(r *reading) bool { return depth(r.header) > 32 || depth(r.payload) > 32 }},
	{"many members", "too many members", func(r *reading) bool {
		return bytes.Count(r.header, []byte(":"))+bytes.Count(r.payload, []byte(":")) > strict.MaxMembers
	}},
	{"trailing data", "something follows", func(r *reading) bool { return !json.Valid(r.payload) && numbers(r.payload) != nil }},
	{"a payload that is no JSON object", "payload: strict:", func(r *reading) bool {
		var object map[string]json.RawMessage
		return json.Unmarshal(r.payload, &object) != nil || object == nil
	}},
}

// exception reports a token that we accept and the oracle need not.
func exception(r *reading, oracle string) bool {
	var wide *json.UnmarshalTypeError
	switch err := json.Unmarshal(r.header, new(any)); {
	case r.names["alg"] == "Ed25519": // RFC 9864, newer than both
		return true
	case errors.As(err, &wide): // a number above what a float64 holds, in a parameter that is ignored
		return true
	}
	// go-jose reads keys and certificates in the header, which we ignore, and refuses bad ones; nonce too.
	return oracle == "go-jose" && (r.has("jwk") || r.has("x5c") || r.has("nonce"))
}

func duplicates(text []byte) bool {
	type object struct {
		names map[string]bool
		key   bool // the next string is a name
	}
	var open []*object
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 && open[len(open)-1].names != nil {
			o := open[len(open)-1]
			if o.key {
				if o.names[token.(string)] {
					return true
				}
				o.names[token.(string)] = true
				o.key = false
				continue
			}
			o.key = true
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &object{map[string]bool{}, true})
		case json.Delim('['):
			open = append(open, &object{})
		}
	}
}

var (
	pair = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	half = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)
)

func surrogates(text []byte) bool { return half.Match(pair.ReplaceAll(text, nil)) }

func depth(text []byte) int {
	deepest, now := 0, 0
	for _, c := range text {
		switch c {
		case '{', '[':
			now++
		case '}', ']':
			now--
		}
		deepest = max(deepest, now)
	}
	return deepest
}

// oracle is somebody else's verifier: it returns the claims, numbers as they are written.
type oracle struct {
	name   string
	verify func(alg jwt.Algorithm, token string) (any, error)
}

// keyFor is the key of the standard library to verify with.
func keyFor(alg jwt.Algorithm) any {
	if k, ok := private()[alg].(crypto.Signer); ok {
		return k.Public()
	}
	return private()[alg]
}

var golangJWT = oracle{"golang-jwt", func(alg jwt.Algorithm, token string) (any, error) {
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{string(alg)}), golangjwt.WithJSONNumber(),
		golangjwt.WithoutClaimsValidation())
	claims := golangjwt.MapClaims{}
	_, err := parser.ParseWithClaims(token, &claims, func(*golangjwt.Token) (any, error) { return keyFor(alg), nil })
	return map[string]any(claims), err
}}

var goJose = oracle{"go-jose", func(alg jwt.Algorithm, token string) (any, error) {
	parse := jose.ParseSignedCompact
	if strings.HasPrefix(strings.TrimSpace(token), "{") {
		parse = jose.ParseSignedJSON
	}
	signed, err := parse(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify(keyFor(alg))
	if err != nil {
		return nil, err
	}
	return numbers(payload), nil
}}

// numbers decodes JSON with numbers as they are written.
func numbers(text []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// compare asks us and the oracle. It returns the name of the class, "accepted", "refused", or "exception".
func compare(t *testing.T, o oracle, alg jwt.Algorithm, token string) string {
	t.Helper()
	k := newKey(t, alg)
	got, err := jwt.Verify(t.Context(), token, k, "JWT", "")
	claims, theirs := o.verify(alg, token)
	switch r := read(token); {
	case err == nil && theirs == nil:
		if !reflect.DeepEqual(claims, numbers(got.Claims)) {
			t.Errorf("%s reads %v where we read %s", o.name, claims, got.Claims)
		}
		return "accepted"
	case err == nil && exception(r, o.name):
		return "exception"
	case err == nil:
		t.Errorf("we accept %q (%s, %s), %s says %v", token, r.header, r.payload, o.name, theirs)
	case theirs == nil:
		for _, c := range classes {
			if strings.Contains(err.Error(), c.text) && c.is(r) {
				return c.name
			}
		}
		t.Errorf("no class holds %q (%s, %s), which %s accepts; we say %v", token, r.header, r.payload, o.name, err)
	}
	if err != nil && got.Claims != nil {
		t.Errorf("claims came with %v", err)
	}
	return "refused"
}

// Headers and payloads to start from.
var (
	headers = []string{
		`{"alg":"HS256"}`, `{"alg":"HS256","kid":"k","typ":"JWT"}`, `{"alg":"HS256","typ":"jwt","x":[1,{"a":null}]}`, `{"typ":"application/JWT","alg":"HS256"}`,
		`{"alg":"HS256","kid":"other"}`, `{"alg":"HS256","kid":""}`, `{"alg":"HS256","kid":7}`, `{"alg":"HS256","typ":"at+jwt2"}`, `{"alg":"HS256","typ":null}`,
		`{"alg":"HS256","crit":["b64"],"b64":true}`, `{"alg":"HS256","b64":true}`, `{"alg":"HS256","zip":"DEF"}`, `{"alg":"HS256","cty":"JWT"}`, `{"alg":"HS256","cty":1}`,
		`{"alg":"HS256","alg":"HS256"}`, `{"alg":"none","\u0061lg":"HS256"}`, `{"alg":"HS256","x":{"a":1,"a":2}}`, `{"alg":"HS256","x":"\ud800"}`, "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
		`{"alg":"HS256","x":1e999}`, `{"alg":"HS256","jwk":{"kty":"oct"}}`, `{"alg":"HS256","x5c":7}`, `{"ALG":"HS256"}`, `{"alg":"HS256","nonce":7}`,
		`{"alg":"HS256","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, ` { "alg" : "HS256" } `, `{"alg":"HS256"} {}`, `{"alg":"Ed25519"}`, `{"alg":"none"}`,
	}
	payloads = []string{
		`{}`, `{"sub":"x","exp":1e3,"aud":["a","b"],"n":-0.5E-3,"big":9007199254740993}`, `{"a":1,"A":2,"":{"a":[]}}`, `{"sub":"\u0078\ud83d\ude00\u0000é"}`,
		`{"exp":"text","iat":null,"nbf":1e999}`, `{"sub":"a","sub":"b"}`, `{"sub":"a","\u0073ub":"b"}`, `{"x":[{"a":1,"a":1}]}`, `{"sub":"\udc00"}`, "{\"sub\":\"\xc0\xaf\"}",
		`[1]`, `null`, `"x"`, `7`, ``, `no json`, `{"a":1} {"b":2}`, `{"a":1}x`, `{"a":01}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		`{"long":"` + strings.Repeat("a", 8000) + `"}`, "\ufeff{}", " {}\n", manyMembers(),
	}
	marks = []string{"=", "==", "\n", "\r\n", " ", "\t", ".", "+", "/", "A", "\x00", "?", "é", "{", `"`, "\\u", ",", ":", "}", "0", "e", "-"}
)

func manyMembers() string {
	var b strings.Builder
	for i := range strict.MaxMembers + 1 {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// mutation makes a token whose signature was good before the last step. choose returns a number below n.
func mutation(t testing.TB, alg jwt.Algorithm, header, payload string, choose func(n int) int) string {
	t.Helper()
	dent := func(text string) string {
		if choose(4) > 0 || text == "" {
			return text
		}
		at := choose(len(text))
		switch choose(4) {
		case 0:
			return text[:at] + marks[choose(len(marks))] + text[at:]
		case 1:
			return text[:at] + text[at+1:]
		case 2:
			return text[:at] + string(rune(choose(256))) + text[at+1:]
		}
		end := at + choose(len(text)-at)
		return text[:end] + text[at:]
	}
	encode := func(text string) string {
		part := b64(text)
		switch choose(10) {
		case 0:
			return base64.URLEncoding.EncodeToString([]byte(text))
		case 1:
			return base64.RawStdEncoding.EncodeToString([]byte(text))
		case 2:
			at := choose(len(part) + 1)
			return part[:at] + marks[choose(6)] + part[at:]
		case 3:
			if part != "" { // a tail in which the last bits may mean nothing
				return part[:len(part)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[choose(64)])
			}
		}
		return part
	}
	header, payload = encode(dent(header)), encode(dent(payload))
	mac := signature(t, alg, private()[alg], header+"."+payload)
	if choose(40) == 0 {
		text, _ := json.Marshal(map[string]string{"protected": header, "payload": payload, "signature": b64(mac)})
		return strings.Repeat(" ", choose(2)) + string(text)
	}
	return dent(header + "." + payload + "." + encode(string(mac)))
}

var oracles = []oracle{golangJWT, goJose}

// The same few thousand mutations each time. Every class and the exceptions must have been met, or they say nothing.
//
// Covers Attack_B15, Attack_B10, Attack_B01, Attack_A21.
func TestAgainstOracles_Attack_B15(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7519, 8725)) //nolint:gosec // 2026-11-22: the same mutations each time
	met := map[string]int{}
	for i := range 4000 {
		alg := jwt.HS256
		if i%25 == 0 {
			alg = []jwt.Algorithm{jwt.ES256, jwt.EdDSA}[i/25%2]
		}
		header, payload := headers[r.IntN(len(headers))], payloads[r.IntN(len(payloads))]
		if r.IntN(2) == 0 {
			header = headers[r.IntN(4)]
		}
		if r.IntN(2) == 0 {
			payload = payloads[r.IntN(5)]
		}
		token := mutation(t, alg, strings.ReplaceAll(header, "HS256", string(alg)), payload, r.IntN)
		for _, o := range oracles {
			met[compare(t, o, alg, token)]++
		}
	}
	for _, c := range classes {
		if met[c.name] == 0 {
			t.Errorf("no token of the class %q was met", c.name)
		}
	}
	for _, answer := range []string{"accepted", "refused", "exception"} {
		if met[answer] == 0 {
			t.Errorf("no token was %s", answer)
		}
	}
	t.Log(met)
}

func fuzzAgainst(f *testing.F, o oracle) {
	for i, header := range headers {
		f.Add(byte(i), header, payloads[i%len(payloads)], []byte{3, 9, 3, 9, 1, 3, 9})
	}
	f.Add(byte(1), `{"alg":"ES256"}`, payloads[1], []byte{1, 2, 3})
	f.Add(byte(2), `{"alg":"EdDSA","kid":"k"}`, payloads[2], []byte{0, 5, 2, 7, 0, 1, 3, 9})
	f.Fuzz(func(t *testing.T, which byte, header, payload string, choices []byte) {
		alg := []jwt.Algorithm{jwt.HS256, jwt.ES256, jwt.EdDSA}[which%3]
		choose := func(n int) int {
			if len(choices) == 0 {
				return n - 1
			}
			c := int(choices[0])
			choices = choices[1:]
			return c * 37 % n
		}
		compare(t, o, alg, mutation(t, alg, header, payload, choose))
	})
}

// FuzzAgainstGolangJWT: what we accept, golang-jwt accepts with the same claims, and what it alone accepts is of a
// class that is written down.
func FuzzAgainstGolangJWT(f *testing.F) { fuzzAgainst(f, golangJWT) }

// FuzzAgainstGoJose is the same with go-jose.
func FuzzAgainstGoJose(f *testing.F) { fuzzAgainst(f, goJose) }
