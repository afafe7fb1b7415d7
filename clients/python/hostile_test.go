// Package python_test compares doorward.py with the verifier of this module.
package python_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

const (
	python   = "/usr/bin/python3"
	issuer   = "https://auth.example.com"
	audience = "orders"
)

// signer is a key as its issuer has it.
type signer struct {
	alg jwt.Algorithm
	key crypto.Signer
}

func (s signer) kid() string { return "the " + string(s.alg) }

// Hostile tokens are refused by both, and an outsider reads the same of them; good ones are accepted by both.
//
// Attack_A01, Attack_A02, Attack_A03, Attack_A04, Attack_A05, Attack_A12, Attack_A15, Attack_A18, Attack_A21,
// Attack_A22, Attack_A26, Attack_A27, Attack_A28, Attack_A29, Attack_B01, Attack_B02, Attack_B04, Attack_B07, Attack_B10.
func TestHostileTokens_Attack_A02(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	signers := newSigners(t)
	published, verifier := publish(t, signers)
	var tokens []string
	for _, s := range signers {
		tokens = append(tokens, s.tokens(t, signers)...)
	}
	verdicts := judge(t, published, tokens, false)
	counts := map[string]int{}
	for i, token := range tokens {
		_, err := verifier.Verify(t.Context(), token)
		want := outsiders(err)
		counts[want]++
		if got := verdicts[i]; got.text != want {
			t.Errorf("%s\n  Python: %d %q (%s)\n  Go: %q (%v)", shown(token), got.status, got.text, got.reason, want, err)
		} else if both := named(err); !strings.Contains(got.reason, both) {
			t.Errorf("%s\n  Python: %s\n  want the reason %s", shown(token), got.reason, both)
		}
	}
	t.Logf("of %d tokens: %v", len(tokens), counts)
	if len(tokens) < 3000 || counts[""] < 4*len(signers) || counts["token expired"] == 0 || counts["token not valid"] < 2500 {
		t.Errorf("too few of a kind: %v", counts)
	}
}

// named is what the log has to say to those who have to find out which name they wrote wrong.
func named(err error) string {
	switch {
	case errors.Is(err, doorward.ErrIssuer):
		return "want '" + issuer + "'"
	case errors.Is(err, doorward.ErrAudience):
		return "want '" + audience + "'"
	}
	return ""
}

// An access token is no assertion, and what else makes a token bad makes an assertion bad.
func TestAssertions(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	s := newSigners(t)[0]
	published, _ := publish(t, []signer{s})
	header := s.header(`"typ":"doorward-assertion+jwt"`)
	now := time.Now().Unix()
	verdicts := judge(t, published, []string{
		s.forge(t, header, claims("")),
		s.forge(t, s.header(""), claims("")),
		s.forge(t, s.header(`"typ":"JWT"`), claims("")),
		s.forge(t, header, claims(`"aud":"reports"`)),
		s.forge(t, header, claims(`"iss":"https://evil.example.com"`)),
		newSigners(t)[0].forge(t, header, claims("")),
		s.forge(t, header, claims(fmt.Sprintf(`"iat":%d,"exp":%d`, now-65, now-5))),
	}, true)
	for i, v := range verdicts {
		want := map[int]string{0: "", len(verdicts) - 1: "token expired"}
		if text, ok := want[i]; ok && v.text != text || !ok && v.text != "token not valid" {
			t.Errorf("%d: %d %q (%s)", i, v.status, v.text, v.reason)
		}
	}
}

func newSigners(t *testing.T) []signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all := []signer{{jwt.EdDSA, ed}}
	for alg, curve := range map[jwt.Algorithm]elliptic.Curve{jwt.ES256: elliptic.P256(), jwt.ES384: elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, signer{alg, key})
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, signer{jwt.RS256, key}, signer{jwt.PS512, key})
}

// publish serves the public keys and returns where, and a verifier that has them.
func publish(t *testing.T, signers []signer) (string, *doorward.Verifier) {
	t.Helper()
	var members []string
	for _, s := range signers {
		members = append(members, string(s.jwk(t)))
	}
	text := []byte(`{"keys":[` + strings.Join(members, ",") + `]}`)
	set, err := jwt.ParseSet(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuer, Audience: audience, Keys: set, Revocations: doorward.NoRevocations})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }))
	t.Cleanup(server.Close)
	return server.URL, v
}

func (s signer) jwk(t *testing.T) []byte {
	t.Helper()
	key, err := jwt.NewKey(s.alg, s.key)
	if err == nil {
		key, err = key.WithID(s.kid())
	}
	if err == nil {
		key, err = key.Public()
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// outsiders is the text that somebody with this error reads.
func outsiders(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, doorward.ErrExpired):
		return "token expired"
	}
	return "token not valid"
}

type verdict struct {
	status       int
	text, reason string
}

// UnmarshalJSON reads [status, text, reason].
func (v *verdict) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&v.status, &v.text, &v.reason})
}

// judge asks doorward.py.
func judge(t *testing.T, keys string, tokens []string, assertions bool) []verdict {
	t.Helper()
	asked, err := json.Marshal(map[string]any{
		"issuer": issuer, "audience": audience, "keys": keys, "tokens": tokens, "assertions": assertions,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/judge.py")
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(asked), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var verdicts []verdict
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(tokens) {
		t.Fatalf("%d verdicts on %d tokens: %v", len(verdicts), len(tokens), err)
	}
	return verdicts
}

// tokens is what one key's tokens can be, good and bad.
func (s signer) tokens(t *testing.T, all []signer) []string {
	t.Helper()
	header, payload := s.header(""), claims("")
	good := s.forge(t, header, payload)
	tokens := slices.Concat([]string{good}, respelled(good), rewritten(good, header, payload), s.forged(t, all, good))
	for _, h := range headers {
		tokens = append(tokens, s.forge(t, strings.NewReplacer("$ALG", string(s.alg), "$KID", s.kid()).Replace(h), payload))
	}
	for _, extra := range headerMembers {
		tokens = append(tokens, s.forge(t, s.header(extra), payload))
	}
	for _, p := range payloads {
		tokens = append(tokens, s.forge(t, header, p))
	}
	for _, extra := range claimMembers() {
		tokens = append(tokens, s.forge(t, header, claims(extra)))
	}
	return tokens
}

// header is the usual one with members put in the place of its own.
func (s signer) header(members string) string {
	return object([][2]string{{"alg", quote(string(s.alg))}, {"kid", quote(s.kid())}, {"typ", `"at+jwt"`}}, members)
}

// claims is a good set with members put in the place of its own.
func claims(members string) string {
	now := time.Now().Unix()
	return object([][2]string{
		{"iss", quote(issuer)},
		{"aud", quote(audience)},
		{"sub", `"u_1"`},
		{"jti", `"j"`},
		{"sid", `"s"`},
		{"scope", `"a b"`},
		{"roles", `["x"]`},
		{"client_id", `"doorward"`},
		{"iat", fmt.Sprint(now)},
		{"exp", fmt.Sprint(now + 600)},
		{"n", "10"},
		{"b", "true"},
	}, members)
}

// object writes members, except those whose name is in more, and then more; "-name" in it leaves one out.
func object(members [][2]string, more string) string {
	var parts []string
	for _, m := range members {
		if !strings.Contains(more, quote(m[0])+":") && more != "-"+m[0] {
			parts = append(parts, quote(m[0])+":"+m[1])
		}
	}
	if more != "" && more[0] != '-' {
		parts = append(parts, more)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func quote(text string) string { return `"` + text + `"` }

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs whatever it is given.
func (s signer) forge(t *testing.T, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(s.sign(t, input)))
}

func (s signer) sign(t *testing.T, input string) []byte {
	t.Helper()
	if s.alg == jwt.EdDSA {
		signed, err := s.key.Sign(nil, []byte(input), crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(s.alg[2:])]
	state := hash.New()
	state.Write([]byte(input))
	var options crypto.SignerOpts = hash
	if s.alg[:2] == "PS" {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		r, v, err := ecdsa.Sign(rand.Reader, key, state.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		return pair(key, r, v)
	}
	signed, err := s.key.Sign(rand.Reader, state.Sum(nil), options)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// pair writes an ECDSA signature in the width of its curve.
func pair(key *ecdsa.PrivateKey, r, s *big.Int) []byte {
	size := (key.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// respelled is a good token in other letters.
func respelled(good string) (all []string) {
	parts := strings.Split(good, ".")
	for i, part := range parts {
		with := func(text string) {
			p := slices.Clone(parts)
			p[i] = text
			all = append(all, strings.Join(p, "."))
		}
		for _, mark := range []string{"=", "==", "\n", "\r\n", " ", "\t", "+", "/", "%", "A", "AAAA", "\x00", "\u00a0", "é", "٣", "~", `"`, "."} {
			for _, at := range []int{0, len(part) / 2, len(part)} {
				with(part[:at] + mark + part[at:])
			}
		}
		for c := byte('0'); c < 'z'; c++ {
			if c != part[len(part)-1] {
				with(part[:len(part)-1] + string(c))
			}
		}
		with("")
		with(part[1:])
		with(strings.ToUpper(part))
	}
	return append(all, "", ".", "..", "...", "a.b.c", "Bearer "+good, good+good, strings.Join(parts[:2], "."),
		parts[0]+".."+parts[2], strings.Repeat("A", 9000), good+"."+strings.Repeat("A", 9000))
}

// rewritten is a good token whose JSON somebody without the key has written otherwise.
func rewritten(good, header, payload string) (all []string) {
	signature := good[strings.LastIndexByte(good, '.')+1:]
	for i := range len(payload) {
		all = append(all, b64(header)+"."+b64(payload[:i]+" "+payload[i:])+"."+signature)
	}
	for i := range len(header) {
		all = append(all, b64(header[:i]+"\n"+header[i:])+"."+b64(payload)+"."+signature)
	}
	return all
}

// forged is what somebody without the key can sign, or leaves unsigned.
func (s signer) forged(t *testing.T, all []signer, good string) (tokens []string) {
	t.Helper()
	parts := strings.Split(good, ".")
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "hs256", "ES256 ", "RS256\x00"} {
		head := b64(s.header(`"alg":` + quote(strings.ReplaceAll(alg, "\x00", `\u0000`))))
		tokens = append(tokens, head+"."+parts[1]+".", head+"."+parts[1]+"."+parts[2])
	}
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for _, secret := range [][]byte{der, text, bytes.TrimSpace(text), s.jwk(t), {}} {
		for alg, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
			input := b64(s.header(`"alg":`+quote(alg))) + "." + parts[1]
			mac := hmac.New(hash.New, secret)
			mac.Write([]byte(input))
			tokens = append(tokens, input+"."+b64(string(mac.Sum(nil))))
		}
	}
	for _, other := range all { // Their signature, their algorithm, their name.
		tokens = append(tokens, other.forge(t, s.header(""), claims("")), other.forge(t, s.header(`"alg":`+quote(string(other.alg))), claims("")),
			s.forge(t, other.header(""), claims("")), s.forge(t, s.header(`"kid":`+quote(other.kid())), claims("")))
	}
	stranger := newSigners(t)[0]
	tokens = append(tokens, stranger.forge(t, s.header(`"jwk":`+string(stranger.jwk(t))), claims("")))
	return append(tokens, s.signatures(t, parts)...)
}

// signatures is what else can stand in the place of one.
func (s signer) signatures(t *testing.T, parts []string) (tokens []string) {
	t.Helper()
	signed, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	with := func(signature []byte) {
		tokens = append(tokens, parts[0]+"."+parts[1]+"."+b64(string(signature)))
	}
	for i := 0; i < len(signed); i += 3 {
		turned := slices.Clone(signed)
		turned[i] ^= 1 << (i % 8)
		with(turned)
	}
	with(make([]byte, len(signed)))
	with(append([]byte{0}, signed...))
	with(signed[:len(signed)-1])
	with(append(slices.Clone(signed), 0))
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		n := key.Curve.Params().N
		r, v := new(big.Int).SetBytes(signed[:len(signed)/2]), new(big.Int).SetBytes(signed[len(signed)/2:])
		with(pair(key, r, new(big.Int).Sub(n, v))) // Good: a second spelling that the mathematics allows.
		with(pair(key, n, n))
		with(pair(key, new(big.Int), v))
		der, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		with(der)
	}
	return tokens
}

// headers are whole headers; $ALG and $KID stand for the key's.
var headers = []string{
	"alg", `["$ALG"]`, `null`, `{}`, "\ufeff" + `{"alg":"$ALG","kid":"$KID","typ":"at+jwt"}`, `{"alg":"$ALG","kid":"$KID","typ":"at+jwt"}x`,
	`{"alg":"$ALG","alg":"$ALG","kid":"$KID","typ":"at+jwt"}`, `{"alg":"none","alg":"$ALG","kid":"$KID","typ":"at+jwt"}`,
	`{"\u0061lg":"none","alg":"$ALG","kid":"$KID","typ":"at+jwt"}`, `{"Alg":"none","alg":"$ALG","kid":"$KID","typ":"at+jwt"}`,
	`{"kid":"$KID","typ":"at+jwt"}`, `{"alg":"$ALG","typ":"at+jwt"}`, `{"alg":"$ALG","kid":"$KID"}`, `{'alg':'$ALG'}`,
	`{"alg":"$ALG","kid":"$KID","typ":"at+jwt",}`, "{\r\n \"alg\" : \"$ALG\",\"kid\":\"$KID\",\"typ\":\"at+jwt\" }",
	`{"alg":"$ALG","kid":"$KID","typ":"at+jwt","x":{"a":1,"a":2}}`, "{\"alg\":\"$ALG\",\"kid\":\"$KID\",\"typ\":\"at+jwt\",\"x\":\"\xff\"}",
	`{"alg":"$ALG","kid":"$KID","typ":"at+jwt","x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`,
	`{"alg":"$ALG","kid":"$KID","typ":"at+jwt","x":` + strings.Repeat("[", 3000),
}

// headerMembers are put into a good header.
var headerMembers = []string{
	`"typ":"JWT"`, `"typ":"jwt"`, `"typ":""`, `"typ":null`, `"typ":1`, `"typ":"AT+JWT"`, `"typ":"application/at+jwt"`, `"typ":"application/x/at+jwt"`,
	`"typ":"at+jwt "`, `"typ":"dpop+jwt"`, `"typ":"doorward-assertion+jwt"`, `"kid":""`, `"kid":1`, `"kid":null`, `"kid":"unknown"`, `"kid":"../../etc/passwd"`,
	`"kid":"' OR 1=1 --"`, `"kid":["x"]`, `"crit":["x"]`, `"crit":[]`, `"crit":null`, `"crit":["b64"],"b64":false`, `"b64":false`, `"b64":true`,
	`"zip":"DEF"`, `"zip":1`, `"cty":"JWT"`, `"cty":"application/jwt"`, `"cty":1`, `"cty":"text/plain"`, `"jku":"https://evil.example/keys"`, `"x5u":"x","x5c":[]`,
	`"x":"\ud800"`, `"x":"\ud83d\ude00"`, `"":""`, `"alg":1`, `"alg":null`, `"alg":["EdDSA"]`, `"alg":"Ed25519"`, `"exp":1`,
}

// payloads are whole payloads.
var payloads = []string{
	"hello", `[1]`, `"x"`, `null`, ``, ` `, `{}`, `{}{}`, `{"a":1,}`, `{a:1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":01}`, "{\"a\":\"\xff\"}",
	`{"a":"\ud800"}`, `{"a":1,"a":2}`, `{"x":[{"a":1,"a":1}]}`, `{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, `{"a":` + strings.Repeat("[", 3000),
}

// claimMembers are put into good claims; "-name" takes one out.
func claimMembers() []string {
	now := time.Now().Unix()
	members := []string{
		"-iss", "-aud", "-sub", "-jti", "-iat", "-exp", "-sid", "-scope", "-roles", "-client_id",
		`"aud":"order"`, `"aud":"orders/"`, `"aud":"Orders"`, `"aud":1`, `"aud":["orders","x"]`, `"aud":["orders",1]`, `"aud":[["orders"]]`, `"aud":[]`, `"aud":null`, `"aud":{"orders":1}`,
		`"iss":"https://auth.example.com/"`, `"iss":"https://auth.example.co"`, `"iss":["https://auth.example.com"]`, `"iss":null`, `"iss":"HTTPS://AUTH.EXAMPLE.COM"`,
		`"sub":""`, `"sub":1`, `"sub":null`, `"sub":false`, `"sub":{}`, `"jti":""`, `"jti":1`, `"sid":1`, `"sid":null`, `"sid":""`, `"client_id":["x"]`,
		`"roles":"admin"`, `"roles":[["admin"]]`, `"roles":["a",1]`, `"roles":true`, `"roles":null`, `"roles":[]`, `"scope":["a"]`, `"scope":"a\tb"`, `"scope":"a  b"`, `"scope":" a"`,
		`"scope":""`, `"scope":1`, `"scope":null`, `"scope":"é"`, `"exp":"x"`, `"exp":null`, `"exp":true`, `"exp":[1]`, `"exp":1e300`, `"exp":-1`, `"exp":0`, `"exp":0.5`, `"exp":99999999999999`,
		`"iat":"1"`, `"iat":-1`, `"iat":true`, `"iat":0`, `"nbf":"x"`, `"nbf":-1`, `"nbf":null`, `"nbf":0`, `"auth_time":"now"`, `"auth_time":-1`, `"auth_time":true`, `"auth_time":0`,
		`"Exp":99999999999`, `"sub":"a","SUB":"b"`, `"sub":"a","\u0073ub":"b"`, `"x":"\u0000"`,
		`"x":NaN`, `"x":-Infinity`, `"x":"` + strings.Repeat("x", 6000) + `"`, `"x":"` + strings.Repeat("x", 2000) + `"`,
		`"x":{"y":[1,2,{"z":null}]}`, `"x":1.5e3`, `"admin":true`,
	}
	at := func(name string, ahead int64) string { return fmt.Sprintf(`"%s":%d`, name, now+ahead) }
	return append(members,
		at("exp", -1), at("exp", 0)+`,"iat":1`, at("exp", -100)+","+at("iat", -200), at("exp", -1)+`,"Exp":99999999999,`+at("iat", -9), at("exp", 100)+".5",
		fmt.Sprintf(`"exp":%de-2`, (now+600)*100), at("iat", 20), at("iat", 90), at("iat", 700), at("nbf", 20), at("nbf", 90), at("nbf", 700),
		at("exp", 24*3600)+","+at("iat", 0), at("exp", 24*3600+5)+","+at("iat", 0), at("exp", 1<<31))
}

// shown is a token that a person can read.
func shown(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 3000 {
		return fmt.Sprintf("%.200q", token)
	}
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return fmt.Sprintf("%.300q %.400q (%q)", header, payload, token)
}
