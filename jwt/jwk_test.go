package jwt_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/jwt"
)

// Covers Behaviour_P68, Behaviour_P72, Behaviour_P74, Behaviour_P79, Behaviour_P87.
func TestJWKRoundTrip_Behaviour_P68(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		k := newKey(t, alg)
		full, err := k.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jwt.ParseJWK(full, "")
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if !again.Private() || again.ID() != "k" || again.Algorithm() != alg {
			t.Errorf("%s: read %v", alg, again)
		}
		accepted(t, sign(t, again, "JWT", json.RawMessage(payload)), k)
		twice, _ := again.MarshalJWK()
		if diff := cmp.Diff(string(full), string(twice)); diff != "" {
			t.Errorf("%s: %s", alg, diff)
		}
		text, err := k.MarshalPublicJWK()
		marshalled, jsonErr := json.Marshal(k)
		if alg.Symmetric() {
			if !errors.Is(err, jwt.ErrKey) || jsonErr == nil || text != nil {
				t.Errorf("%s: a secret was published: %s, %s", alg, text, marshalled)
			}
			continue
		}
		if err != nil || string(marshalled) != string(text) {
			t.Errorf("%s: published %s, marshalled %s, %v", alg, text, marshalled, err)
		}
		pub, err := jwt.ParseJWK(text, alg)
		if err != nil || pub.Private() || pub.ID() != "k" {
			t.Fatalf("%s: read %v, %v", alg, pub, err)
		}
		accepted(t, sign(t, k, "JWT", json.RawMessage(payload)), pub)
	}
}

// edit returns the JWK of a key with some members replaced; nil takes one away.
func edit(t testing.TB, k *jwt.Key, changes map[string]any) []byte {
	t.Helper()
	text, err := k.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	text, err = json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Covers Standard_K03, Standard_K09, Standard_K10, Standard_K11, Standard_A10, Standard_A11, Standard_A13,
// Standard_E01, Standard_E02, Standard_E04, Standard_P04, Behaviour_P73, Behaviour_P74, Behaviour_P75,
// Behaviour_P79, Behaviour_P88.
func TestParseJWKRefuses_Standard_K03(t *testing.T) {
	t.Parallel()
	type change = map[string]any
	ec, ed, rs, hs := newKey(t, jwt.ES256), newKey(t, jwt.EdDSA), newKey(t, jwt.RS256), newKey(t, jwt.HS256)
	var own map[string]string
	text, _ := ec.MarshalJWK()
	_ = json.Unmarshal(text, &own)
	tests := []struct {
		name   string
		key    *jwt.Key
		change change
	}{
		{"no kty", ec, change{"kty": nil}},
		{"kty is a number", ec, change{"kty": 7}},
		{"unknown kty", ec, change{"kty": "XX"}},
		{"other kty", ec, change{"kty": "RSA"}},
		{"kty in lower case", ec, change{"kty": "ec"}},
		{"no crv", ec, change{"crv": nil}},
		{"unknown crv", ec, change{"crv": "P-192"}},
		{"secp256k1", ec, change{"crv": "secp256k1"}},
		{"other crv", ec, change{"crv": "P-384"}},
		{"Edwards crv", ec, change{"crv": "Ed25519"}},
		{"no x", ec, change{"x": nil}},
		{"no y", ec, change{"y": nil}},
		{"empty y", ec, change{"y": ""}},
		{"y is null in effect", ec, change{"y": 0}},
		{"x one byte longer", ec, change{"x": "AA" + own["x"]}},
		{"x shorter", ec, change{"x": own["x"][:40]}},
		{"x and y cut at another place", ec, change{
			"x": b64(unb64(t, own["x"])[:31]), "y": b64(append(unb64(t, own["x"])[31:], unb64(t, own["y"])...)),
		}},
		{"x = y", ec, change{"y": own["x"]}},
		{"x with padding", ec, change{"x": own["x"] + "="}},
		{"x with a line break", ec, change{"x": own["x"][:10] + "\n" + own["x"][10:]}},
		{"short d", ec, change{"d": own["d"][:40]}},
		{"empty d", ec, change{"d": ""}},
		{"d of another key", ec, change{"d": b64(make([]byte, 31)) + "E"}},
		{"d = 0", ec, change{"d": b64(make([]byte, 32))}},
		{"use enc", ec, change{"use": "enc"}},
		{"use SIG", ec, change{"use": "SIG"}},
		{"use is a list", ec, change{"use": []string{"sig"}}},
		{"key_ops encrypt", ec, change{"use": nil, "key_ops": []string{"encrypt"}}},
		{"key_ops empty", ec, change{"use": nil, "key_ops": []string{}}},
		{"key_ops twice", ec, change{"use": nil, "key_ops": []string{"sign", "sign"}}},
		{"key_ops text", ec, change{"use": nil, "key_ops": "sign"}},
		{"key_ops numbers", ec, change{"use": nil, "key_ops": []int{1}}},
		{"key_ops against use", ec, change{"use": "sig", "key_ops": []string{"sign", "encrypt"}}},
		{"alg of another curve", ec, change{"alg": "ES384"}},
		{"alg unknown", ec, change{"alg": "ES521"}},
		{"alg empty", ec, change{"alg": ""}},
		{"alg a number", ec, change{"alg": 256}},
		{"alg ECDH-ES", ec, change{"alg": "ECDH-ES"}},
		{"kid a number", ec, change{"kid": 7}},
		{"kid too long", ec, change{"kid": strings.Repeat("k", 1000)}},

		{"X25519", ed, change{"crv": "X25519"}},
		{"Ed448", ed, change{"crv": "Ed448"}},
		{"no crv of OKP", ed, change{"crv": nil}},
		{"P-256 of OKP", ed, change{"crv": "P-256"}},
		{"no x of OKP", ed, change{"x": nil}},
		{"short x of OKP", ed, change{"x": b64(make([]byte, 31))}},
		{"bad x of OKP", ed, change{"x": "!"}},
		{"bad d of OKP", ed, change{"d": "AA"}},
		{"d of another OKP", ed, change{"d": b64(make([]byte, 32))}},

		{"no n", rs, change{"n": nil}},
		{"no e", rs, change{"e": nil}},
		{"e with a leading zero", rs, change{"e": "AAEAAQ"}},
		{"e = 1", rs, change{"e": "AQ"}},
		{"e even", rs, change{"e": "AQAA"}},
		{"e zero", rs, change{"e": "AA"}},
		{"e huge", rs, change{"e": "AQAAAAAAAAAB"}},
		{"e of 32 bits", rs, change{"e": "_____w"}},
		{"n with a leading zero", rs, change{"n": b64(append([]byte{0}, private()[jwt.RS256].(*rsa.PrivateKey).N.Bytes()...))}},
		{"oth", rs, change{"oth": []any{}}},
		{"no p", rs, change{"p": nil}},
		{"no dp", rs, change{"dp": nil}},
		{"no qi", rs, change{"qi": nil}},
		{"p alone", rs, change{"q": nil, "dp": nil, "dq": nil, "qi": nil}},
		{"another dp", rs, change{"dp": "AQAB"}},
		{"another qi", rs, change{"qi": "AQAB"}},
		{"another p", rs, change{"p": "AQAB"}},
		{"another d", rs, change{"d": "AQAB"}},
		{"another d alone", rs, change{"d": "AQAB", "p": nil, "q": nil, "dp": nil, "dq": nil, "qi": nil}},
		{"d even, alone", rs, change{"d": "AQAA", "p": nil, "q": nil, "dp": nil, "dq": nil, "qi": nil}},
		{"alg HS256 of RSA", rs, change{"alg": "HS256"}},
		{"alg RSA-OAEP", rs, change{"alg": "RSA-OAEP"}},

		{"no k", hs, change{"k": nil}},
		{"empty k", hs, change{"k": ""}},
		{"short k", hs, change{"k": b64("short")}},
		{"k of one byte", hs, change{"k": b64(make([]byte, 64))}},
		{"k in the other alphabet", hs, change{"k": "++//" + strings.Repeat("Ab1", 30)}},
		{"no alg of a secret", hs, change{"alg": nil}},
		{"alg RS256 of a secret", hs, change{"alg": "RS256"}},
		{"alg A256GCM", hs, change{"alg": "A256GCM"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if k, err := jwt.ParseJWK(edit(t, test.key, test.change), ""); !errors.Is(err, jwt.ErrKey) || k != nil {
				t.Errorf("%v, %v, want ErrKey", k, err)
			}
		})
	}
	for _, text := range []string{
		"", "null", "[]", `"x"`, "not JSON", `{}`, string(text) + "x", "\ufeff" + string(text),
		strings.Replace(string(text), `"crv"`, `"kty":"EC","crv"`, 1), strings.Replace(string(text), `"crv"`, `"\u006bty":"EC","crv"`, 1),
	} {
		if k, err := jwt.ParseJWK([]byte(text), ""); !errors.Is(err, jwt.ErrKey) || k != nil {
			t.Errorf("%.50q: %v, %v, want ErrKey", text, k, err)
		}
	}
}

// Covers Standard_K05, Standard_K12.
func TestParseJWKAccepts_Standard_K05(t *testing.T) {
	t.Parallel()
	rs := newKey(t, jwt.RS256)
	k, err := jwt.ParseJWK(edit(t, rs, map[string]any{
		"x5c": []string{"nonsense"}, "x5t": 7, "new": map[string]any{"a": []int{1}}, "use": nil, "kid": nil, "Kty": "oct",
	}), "")
	if err != nil || k.ID() != "" || k.Algorithm() != jwt.RS256 {
		t.Errorf("%v, %v", k, err)
	}
	// Only n, e and d: the primes are found again (P74).
	text := edit(t, rs, map[string]any{"p": nil, "q": nil, "dp": nil, "dq": nil, "qi": nil})
	k, err = jwt.ParseJWK(text, jwt.RS256)
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, sign(t, k, "", json.RawMessage(payload)), rs)
	// Without alg: the curve's, RS256, or the one asked for (P87).
	for alg, want := range map[jwt.Algorithm]jwt.Algorithm{"": jwt.RS256, jwt.PS384: jwt.PS384} {
		k, err := jwt.ParseJWK(edit(t, rs, map[string]any{"alg": nil}), alg)
		if err != nil || k.Algorithm() != want {
			t.Errorf("RSA without alg, asked for %q: %v, %v", alg, k, err)
		}
	}
	for _, alg := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA} {
		k, err := jwt.ParseJWK(edit(t, newKey(t, alg), map[string]any{"alg": nil}), "")
		if err != nil || k.Algorithm() != alg {
			t.Errorf("%s without alg: %v, %v", alg, k, err)
		}
	}
	k, err = jwt.ParseJWK(edit(t, newKey(t, jwt.EdDSA), map[string]any{"alg": "Ed25519"}), jwt.EdDSA)
	if err != nil || k.Algorithm() != jwt.EdDSA {
		t.Errorf("Ed25519: %v, %v", k, err)
	}
	if _, err := jwt.ParseJWK(edit(t, rs, nil), jwt.PS256); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("alg RS256 read as PS256: %v", err)
	}
}

// Covers Behaviour_B29.
func TestKeyOps_Standard_K09(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.ES256} {
		k := newKey(t, alg)
		token := sign(t, k, "", json.RawMessage(payload))
		for _, test := range []struct {
			ops             []string
			signs, verifies bool
		}{
			{[]string{"sign"}, true, false}, {[]string{"verify"}, false, true}, {[]string{"verify", "sign"}, true, true},
		} {
			for range 2 {
				limited, err := jwt.ParseJWK(edit(t, k, map[string]any{"key_ops": test.ops}), "")
				if err != nil {
					t.Fatal(err)
				}
				text, _ := limited.MarshalJWK() // the limits survive a round trip
				if limited, err = jwt.ParseJWK(text, ""); err != nil {
					t.Fatal(err)
				}
				limited = withID(t, limited, "k")
				if _, err := jwt.Sign(limited, "", json.RawMessage(payload)); (err == nil) != test.signs || err != nil && !errors.Is(err, jwt.ErrKey) {
					t.Errorf("%s, %v: sign: %v", alg, test.ops, err)
				}
				if test.verifies {
					accepted(t, token, limited)
				} else {
					refused(t, token, limited, jwt.ErrKey)
				}
			}
		}
	}
}

// The keys of RFC 7520 §3, and one from the generator of CVE-2017-15361.
func TestKeysOfTheCorpora_Attack_A09(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]error{
		"3_1.ec_public_key.json": nil, "3_2.ec_private_key.json": nil, "3_3.rsa_public_key.json": nil, "3_4.rsa_private_key.json": nil,
		"3_5.symmetric_key_mac_computation.json": nil, "3_6.symmetric_key_encryption.json": jwt.ErrKey,
	} {
		data, err := os.ReadFile(filepath.Join(corpora(t), "rfc7520-cookbook", "jwk", file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwt.ParseJWK(data, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", file, err, want)
		}
	}
	data, err := os.ReadFile(filepath.Join(corpora(t), "wycheproof", "json_web_key_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Comment string
			Private json.RawMessage
			Public  json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"jws_mixedSymmetryKeyset": true, "jws_duplicate_kid": true, "jws_rsa_roca_key": true, "keysize_too_small": true, "exponentOne": true,
		"wrong_algorithm": true, "invalid_algorithm": true, "invalid_use": true, "invalid_point": true, "wrong_curve": true, "wrong_kty": true,
	}
	for _, group := range file.TestGroups {
		if !want[group.Comment] {
			continue
		}
		for _, text := range [][]byte{group.Private, group.Public} {
			if len(text) == 0 {
				continue
			}
			if set, err := jwt.ParseSet(text); !errors.Is(err, jwt.ErrKey) {
				t.Errorf("%s: %v, %v, want ErrKey", group.Comment, set, err)
			}
		}
		delete(want, group.Comment)
	}
	if len(want) != 0 {
		t.Errorf("not in the corpus: %v", want)
	}
}
