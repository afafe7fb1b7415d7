package jwt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

const payload = `{"sub":"x"}`

// Covers Attack_A01, Standard_J07, Standard_J23, Standard_A08, Standard_C04, Standard_C17, Standard_T21, Standard_Z07,
// Behaviour_P45, Behaviour_P52, Behaviour_P58.
func TestNone_Attack_A01(t *testing.T) {
	t.Parallel()
	names := map[string]error{
		`"none"`: jwt.ErrKey, `"None"`: jwt.ErrKey, `"NONE"`: jwt.ErrKey, `"nOnE"`: jwt.ErrKey, `"noNE"`: jwt.ErrKey,
		`"none "`: jwt.ErrKey, `"none\u0000"`: jwt.ErrKey, `"\u006eone"`: jwt.ErrKey, `"hs256"`: jwt.ErrKey,
		`"HS256 "`: jwt.ErrKey, `"HS257"`: jwt.ErrKey, `"ES256K"`: jwt.ErrKey, `"dir"`: jwt.ErrKey,
		`""`: jwt.ErrMalformed, `null`: jwt.ErrMalformed, `0`: jwt.ErrMalformed, `[]`: jwt.ErrMalformed,
		`{"a":1}`: jwt.ErrMalformed, `true`: jwt.ErrMalformed, `["HS256"]`: jwt.ErrMalformed,
	}
	headers := map[string]error{
		`{}`: jwt.ErrMalformed, `{"typ":"JWT"}`: jwt.ErrMalformed, `{"ALG":"HS256"}`: jwt.ErrMalformed,
		`{"Alg":"HS256","typ":"JWT"}`: jwt.ErrMalformed, `{"alg ":"HS256"}`: jwt.ErrMalformed,
	}
	for name, want := range names {
		headers[`{"alg":`+name+`,"typ":"JWT"}`] = want
	}
	sets := []jwt.KeySet{nil, newSet(t)}
	for _, alg := range algorithms {
		sets = append(sets, newKey(t, alg))
	}
	for header, want := range headers {
		good := hs256(t, header, payload)
		stem := good[:strings.LastIndexByte(good, '.')+1]
		for _, token := range []string{stem, good, stem + b64("random"), stem + b64(make([]byte, 32))} {
			for _, set := range sets {
				refused(t, token, set, want)
			}
		}
	}
}

// A header that names an algorithm is signed with the key's true algorithm, and with the named one where the same
// key can do both: only the diagonal passes.
//
// Covers Attack_A03, Attack_G12, Standard_J08, Standard_J09, Standard_K11, Standard_A06, Standard_C01,
// Standard_C02, Behaviour_P41, Behaviour_P47, Behaviour_P60, Behaviour_P81.
func TestAlgorithmAndKey_Attack_A03(t *testing.T) {
	t.Parallel()
	for _, own := range algorithms {
		k := public2(t, newKey(t, own))
		for _, named := range algorithms {
			header := `{"alg":"` + string(named) + `","kid":"k"}`
			tokens := []string{forge(t, own, private()[own], header, payload)}
			if family(own) == family(named) {
				tokens = append(tokens, forge(t, named, private()[named], header, payload))
			}
			for _, token := range tokens {
				if own == named {
					accepted(t, token, k)
				} else {
					refused(t, token, k, jwt.ErrKey)
				}
			}
		}
	}
}

// public2 is the public half, or the secret itself.
func public2(t *testing.T, k *jwt.Key) *jwt.Key {
	if k.Algorithm().Symmetric() {
		return k
	}
	return public(t, k)
}

// family groups the algorithms whose keys are of one type here.
func family(alg jwt.Algorithm) string {
	switch alg[:2] {
	case "RS", "PS":
		return "RSA"
	case "HS":
		return "HMAC"
	}
	return string(alg)
}

// Standard_Z09.
func TestEd25519IsReadAsEdDSA_Standard_E05(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.EdDSA)
	got := accepted(t, forge(t, jwt.EdDSA, private()[jwt.EdDSA], `{"alg":"Ed25519","kid":"k"}`, payload), public(t, k))
	if got.Header.Algorithm != jwt.EdDSA {
		t.Errorf("Header.Algorithm = %q, want EdDSA", got.Header.Algorithm)
	}
	for _, name := range []string{"ed25519", "ED25519", "Ed448", "eddsa"} {
		refused(t, forge(t, jwt.EdDSA, private()[jwt.EdDSA], `{"alg":"`+name+`"}`, payload), k, jwt.ErrKey)
	}
	again, err := jwt.NewKey("Ed25519", private()[jwt.EdDSA])
	if err != nil || again.Algorithm() != jwt.EdDSA {
		t.Fatalf("NewKey(Ed25519) = %v, %v", again, err)
	}
	if token := sign(t, again, "", map[string]int{}); !strings.HasPrefix(token, b64(`{"alg":"EdDSA",`)) {
		t.Errorf("written %q, want alg EdDSA", token)
	}
}

// The public key in every spelling an attacker can get is tried as an HMAC secret.
//
// Covers Attack_A02, Standard_C03, Behaviour_P85.
func TestPublicKeyAsSecret_Attack_A02(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.PS256, jwt.ES256, jwt.EdDSA} {
		k := public(t, newKey(t, alg))
		secrets := [][]byte{}
		text, err := k.MarshalPublicPEM()
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		secrets = append(secrets, text, bytes.TrimSpace(text), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), block.Bytes,
			[]byte(base64.StdEncoding.EncodeToString(block.Bytes)))
		compact, err := k.MarshalPublicJWK()
		if err != nil {
			t.Fatal(err)
		}
		var spaced bytes.Buffer
		_ = json.Indent(&spaced, compact, "", "  ")
		secrets = append(secrets, compact, spaced.Bytes())
		var members map[string]string
		_ = json.Unmarshal(compact, &members)
		for _, name := range []string{"n", "e", "x", "y"} {
			raw, _ := base64.RawURLEncoding.DecodeString(members[name])
			secrets = append(secrets, []byte(members[name]), raw)
		}
		if key, ok := private()[alg].(*rsa.PrivateKey); ok {
			der := x509.MarshalPKCS1PublicKey(&key.PublicKey)
			secrets = append(secrets, der, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der}))
		}
		for _, secret := range secrets {
			for _, hs := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512} {
				for _, kid := range []string{"", `,"kid":"k"`} {
					token := forge(t, hs, secret, `{"alg":"`+string(hs)+`"`+kid+`}`, payload)
					refused(t, token, k, jwt.ErrKey)
					refused(t, token, newSet(t, k), jwt.ErrKey)
				}
				token := forge(t, hs, secret, `{"alg":"`+string(alg)+`"}`, payload)
				refused(t, token, k, jwt.ErrSignature)
			}
		}
	}
}

func TestNullSignature_Attack_A04(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		k := newKey(t, alg)
		token := sign(t, k, "JWT", json.RawMessage(payload))
		stem := token[:strings.LastIndexByte(token, '.')]
		refused(t, stem+".", k, jwt.ErrSignature)
		refused(t, stem, k, jwt.ErrMalformed)
		refused(t, stem+".AA", k, jwt.ErrSignature)
	}
}

// Covers Attack_A05, Attack_A06, Standard_A04, Standard_A07, Behaviour_P70, Behaviour_P71.
func TestECDSASignatures_Attack_A05(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.ES512} {
		k := newKey(t, alg)
		priv := private()[alg].(*ecdsa.PrivateKey)
		size := (priv.Curve.Params().BitSize + 7) / 8
		order := priv.Curve.Params().N
		stem := b64(`{"alg":"`+string(alg)+`"}`) + "." + b64(payload)
		good := signature(t, alg, priv, stem)
		r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])
		pad := func(n *big.Int) []byte { return n.FillBytes(make([]byte, size)) }
		token := func(signature []byte) string { return stem + "." + b64(signature) }
		accepted(t, token(good), k)
		accepted(t, token(append(pad(r), pad(new(big.Int).Sub(order, s))...)), k) // a second text of one token, as ECDSA has it

		one := big.NewInt(1)
		edges := []*big.Int{
			new(big.Int), one, new(big.Int).Sub(order, one), order, new(big.Int).Add(order, one),
			priv.Curve.Params().P, new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one),
		}
		for _, a := range edges {
			for _, b := range edges {
				refused(t, token(append(pad(a), pad(b)...)), k, jwt.ErrSignature)
			}
			refused(t, token(append(pad(a), pad(s)...)), k, jwt.ErrSignature)
			refused(t, token(append(pad(r), pad(a)...)), k, jwt.ErrSignature)
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string][]byte{
			"DER": der, "short": good[:2*size-1], "long": append(bytes.Clone(good), 0), "leading zero": append([]byte{0}, good...),
			"wide halves": append(append([]byte{0}, good[:size]...), append([]byte{0}, good[size:]...)...),
			"twice":       append(bytes.Clone(good), good...), "one half": good[:size], "swapped": append(bytes.Clone(good[size:]), good[:size]...),
		} {
			t.Run(string(alg)+" "+name, func(t *testing.T) { refused(t, token(bad), k, jwt.ErrSignature) })
		}
	}
}

func TestEdDSASignatures_Attack_A07(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.EdDSA)
	stem := b64(`{"alg":"EdDSA"}`) + "." + b64(payload)
	good := signature(t, jwt.EdDSA, private()[jwt.EdDSA], stem)
	accepted(t, stem+"."+b64(good), k)
	// S + L is the same number to a verifier that does not look at its range.
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	reversed := bytes.Clone(good[32:])
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(reversed), l).FillBytes(make([]byte, 32))
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		sum[i], sum[j] = sum[j], sum[i]
	}
	refused(t, stem+"."+b64(append(bytes.Clone(good[:32]), sum...)), k, jwt.ErrSignature)
	refused(t, stem+"."+b64(make([]byte, 64)), k, jwt.ErrSignature)
	refused(t, stem+"."+b64(good[:63]), k, jwt.ErrSignature)
	refused(t, stem+"."+b64(append(bytes.Clone(good), 0)), k, jwt.ErrSignature)
}

// Covers Attack_A08, Standard_A09.
func TestPSSSalt_Attack_A08(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.PS256)
	priv := private()[jwt.PS256].(*rsa.PrivateKey)
	stem := b64(`{"alg":"PS256"}`) + "." + b64(payload)
	digest := jwtSum(stem)
	for salt, want := range map[int]bool{1: false, 20: false, 31: false, 32: true, 33: false, 64: false, rsa.PSSSaltLengthAuto: false} {
		signed, err := rsa.SignPSS(rand.Reader, priv, hashes["256"], digest, &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if token := stem + "." + b64(signed); want {
			accepted(t, token, k)
		} else {
			refused(t, token, k, jwt.ErrSignature)
		}
	}
	own := sign(t, k, "", json.RawMessage(payload))
	input := own[:strings.LastIndexByte(own, '.')]
	signed, _ := base64.RawURLEncoding.DecodeString(own[len(input)+1:])
	if err := rsa.VerifyPSS(&priv.PublicKey, hashes["256"], jwtSum(input), signed, &rsa.PSSOptions{SaltLength: 32}); err != nil {
		t.Errorf("our own signature has another salt: %v", err)
	}
}

func jwtSum(input string) []byte {
	h := hashes["256"].New()
	h.Write([]byte(input))
	return h.Sum(nil)
}

// Keys and addresses in the header change nothing, and nothing is asked of the network.
//
// Covers Attack_A12, Attack_A13, Attack_A14, Standard_J13, Standard_J14, Standard_K12, Standard_C14, Behaviour_B30a.
func TestKeysInTheHeader_Attack_A12(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 1)
	go func() {
		if _, err := listener.Accept(); err == nil {
			asked <- struct{}{}
		}
	}()
	truth := newKey(t, jwt.EdDSA)
	_, evil, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	evilKey, err := jwt.NewKey(jwt.EdDSA, evil)
	if err != nil {
		t.Fatal(err)
	}
	evilJWK, _ := evilKey.MarshalPublicJWK()
	trueJWK, _ := truth.MarshalPublicJWK()
	address := "http://" + listener.Addr().String()
	extras := []string{
		`"jwk":` + string(evilJWK), `"jwk":` + string(trueJWK), `"jwk":{"kty":"oct","k":"AAAA"}`, `"jwk":7`,
		`"x5c":["` + base64.StdEncoding.EncodeToString(make([]byte, 64)) + `"]`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`,
	}
	for _, at := range []string{
		address, "https://evil@" + listener.Addr().String(), address + "#x", "http://169.254.169.254/", "http://[::1]/",
		"file:///etc/passwd", "gopher://127.0.0.1/",
	} {
		extras = append(extras, `"jku":"`+at+`"`, `"x5u":"`+at+`"`)
	}
	for _, extra := range extras {
		header := `{"alg":"EdDSA","kid":"k",` + extra + `}`
		refused(t, forge(t, jwt.EdDSA, evil, header, payload), truth, jwt.ErrSignature)
		accepted(t, forge(t, jwt.EdDSA, private()[jwt.EdDSA], header, payload), truth)
	}
	_ = listener.Close()
	select {
	case <-asked:
		t.Error("somebody connected to the address in the header")
	default:
	}
}

// Covers Attack_A15, Attack_A16, Attack_A17, Standard_J15, Standard_C13.
func TestKeyIDs_Attack_A15(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	other := withID(t, k, "other")
	sets := []jwt.KeySet{k, newSet(t, k), newSet(t, k, other), keySetFunc(newSet(t, k, other).Key)}
	for _, set := range sets {
		accepted(t, hs256(t, `{"alg":"HS256","kid":"k"}`, payload), set)
		accepted(t, hs256(t, `{"alg":"HS256","kid":"\u006b"}`, payload), set)
		for value, want := range map[string]error{
			`1`: jwt.ErrMalformed, `null`: jwt.ErrMalformed, `true`: jwt.ErrMalformed, `["k"]`: jwt.ErrMalformed,
			`{"k":"k"}`: jwt.ErrMalformed, `""`: jwt.ErrMalformed, `"K"`: jwt.ErrKey, `"k "`: jwt.ErrKey, `"k\u0000"`: jwt.ErrKey,
			`"__proto__"`: jwt.ErrKey, `"constructor"`: jwt.ErrKey, `"` + strings.Repeat("k", 4000) + `"`: jwt.ErrKey,
		} {
			refused(t, hs256(t, `{"alg":"HS256","kid":`+value+`}`, payload), set, want)
		}
	}
	kids := []string{
		"../../../dev/null", "/dev/null", "/proc/sys/kernel/randomize_va_space", `C:\windows\win.ini`, "x' UNION SELECT 'secret';--",
		"|sleep 10", "{{7*7}}", "*)(uid=*))(|(uid=*", `{"$gt":""}`, "http://127.0.0.1/", "k' OR 'a'='a",
	}
	for _, kid := range kids {
		quoted, _ := json.Marshal(kid)
		refused(t, hs256(t, fmt.Sprintf(`{"alg":"HS256","kid":%s}`, quoted), payload), sets[2], jwt.ErrKey)
	}
}

// The lists of injection and traversal strings, each as kid.
//
// Covers Attack_A15, Attack_A16.
func TestKeyIDsOfTheCorpora_Attack_A15(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	files, err := filepath.Glob(filepath.Join(corpora(t), "fuzzdb", "*", "*.txt"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		for i, line := range lines(t, file) {
			if i == 200 {
				break
			}
			if line == "" || len(line) > 1000 {
				continue
			}
			quoted, _ := json.Marshal(line)
			refused(t, hs256(t, `{"alg":"HS256","kid":`+string(quoted)+`}`, payload), k, jwt.ErrKey)
		}
	}
}

func TestNoKeyID_Attack_A18(t *testing.T) {
	t.Parallel()
	token := hs256(t, `{"alg":"HS256"}`, payload)
	k := newKey(t, jwt.HS256)
	for _, set := range []jwt.KeySet{k, newSet(t, k), newSet(t, withID(t, k, ""))} {
		accepted(t, token, set)
	}
	refused(t, token, newSet(t, k, withID(t, k, "other")), jwt.ErrKey)
	refused(t, token, newSet(t), jwt.ErrKey)
}
