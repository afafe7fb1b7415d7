package jwt_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// readCorpus decodes a JSON file of public test data.
func readCorpus(t *testing.T, v any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{corpora(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// RFC 7515 A.1 to A.5, RFC 7519 3.1 and 6.1, RFC 8037 A.4, RFC 7797 4.1 and 4.2. Where the payload is no JSON object,
// ErrMalformed says so, after the signature was found good.
//
// Covers Standard_J22, Standard_J23, Standard_B03, Standard_E03, Attack_A23, Behaviour_P16, Behaviour_P49.
func TestVectors_Standard_J22(t *testing.T) {
	t.Parallel()
	var file struct {
		JWS []struct {
			Name, Alg, Compact string
			Key                json.RawMessage
		}
	}
	readCorpus(t, &file, "rfc-vectors", "vectors.json")
	want := map[string]error{
		"RFC 7515 A.1": nil, "RFC 7515 A.2": nil, "RFC 7515 A.3": nil, "RFC 7515 A.4": jwt.ErrMalformed, "RFC 7515 A.5": jwt.ErrKey,
		"RFC 7519 3.1": nil, "RFC 7519 6.1": jwt.ErrKey, "RFC 8037 A.4/A.5": jwt.ErrMalformed, "RFC 7797 4.1": jwt.ErrMalformed,
		"RFC 7797 4.2 b64=false crit": jwt.ErrMalformed,
	}
	for _, vector := range file.JWS {
		k := newKey(t, jwt.HS256)
		if vector.Alg != "none" {
			var err error
			if k, err = jwt.ParseJWK(vector.Key, jwt.Algorithm(vector.Alg)); err != nil {
				t.Fatalf("%s: %v", vector.Name, err)
			}
		}
		expected, known := want[vector.Name]
		if !known {
			t.Errorf("%s is new", vector.Name)
		}
		delete(want, vector.Name)
		_, err := jwt.Verify(t.Context(), vector.Compact, k, "", "JWT")
		if !errors.Is(err, expected) {
			t.Errorf("%s: %v, want %v", vector.Name, err, expected)
		}
		header, rest, _ := strings.Cut(vector.Compact, ".")
		if errors.Is(err, jwt.ErrMalformed) && !strings.Contains(vector.Name, "4.2") && !strings.Contains(err.Error(), "payload") {
			t.Errorf("%s: %v does not speak of the payload, so the signature was not reached", vector.Name, err)
		}
		if vector.Alg == "none" || strings.Contains(vector.Name, "4.2") {
			continue
		}
		claims, signature, _ := strings.Cut(rest, ".")
		refused(t, header+"."+claims[:len(claims)-4]+"AAAA."+signature, k, jwt.ErrSignature)
		refused(t, header+"."+claims+".AAAA"+signature[4:], k, jwt.ErrSignature)
	}
	if len(want) != 0 {
		t.Errorf("not in the corpus: %v", want)
	}
}

// Signing RFC 7515 A.1's claims with A.1's key by way of A.1's header would give A.1; our header is another, so the
// determinism that RFC 8037 A.4 asks for is shown on our own tokens.
func TestEdDSAIsDeterministic_Standard_E03(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.EdDSA)
	if a, b := sign(t, k, "JWT", json.RawMessage(payload)), sign(t, k, "JWT", json.RawMessage(payload)); a != b {
		t.Errorf("%s and %s differ", a, b)
	}
	want := forge(t, jwt.EdDSA, private()[jwt.EdDSA], `{"alg":"EdDSA","kid":"k","typ":"JWT"}`, payload)
	if got := sign(t, k, "JWT", json.RawMessage(payload)); got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
}

// Covers Standard_P01, Standard_P02, Standard_P03, Standard_P04, Standard_P05.
func TestThumbprints_Standard_P01(t *testing.T) {
	t.Parallel()
	var file struct {
		Thumbprints []struct {
			Name, SHA256 string
			JWK          map[string]any
		}
	}
	readCorpus(t, &file, "rfc-vectors", "vectors.json")
	if len(file.Thumbprints) != 3 {
		t.Fatalf("%d vectors, want 3", len(file.Thumbprints))
	}
	for _, vector := range file.Thumbprints {
		for name, value := range map[string]any{"": nil, "kid": "another", "use": "sig", "x5t": "AAAA", "key_ops": []string{"verify"}} {
			members := map[string]any{}
			for n, v := range vector.JWK {
				members[n] = v
			}
			if name != "" {
				members[name] = value
			}
			text, _ := json.Marshal(members)
			k, err := jwt.ParseJWK(text, "")
			if err != nil {
				t.Fatalf("%s, %s: %v", vector.Name, name, err)
			}
			if got, err := k.Thumbprint(); err != nil || got != vector.SHA256 {
				t.Errorf("%s, %s: %q, %v, want %q", vector.Name, name, got, err, vector.SHA256)
			}
		}
	}
	for _, alg := range algorithms {
		k := newKey(t, alg)
		got, err := k.Thumbprint()
		if alg.Symmetric() {
			if got != "" || !errors.Is(err, jwt.ErrKey) {
				t.Errorf("a secret has the thumbprint %q, %v", got, err)
			}
			continue
		}
		if again, err := public(t, k).Thumbprint(); err != nil || got != again {
			t.Errorf("%s: private %q, public %q, %v", alg, got, again, err)
		}
	}
}

// RFC 7520 §4: the signatures are good, the payload is prose.
//
// Covers Attack_A23, Behaviour_P77.
func TestCookbook_Attack_A23(t *testing.T) {
	t.Parallel()
	for file, alg := range map[string]jwt.Algorithm{
		"4_1.rsa_v15_signature.json": jwt.RS256, "4_2.rsa-pss_signature.json": jwt.PS384, "4_3.ecdsa_signature.json": jwt.ES512,
		"4_4.hmac-sha2_integrity_protection.json": jwt.HS256,
	} {
		var vector struct {
			Input  struct{ Key json.RawMessage }
			Output map[string]json.RawMessage
		}
		readCorpus(t, &vector, "rfc7520-cookbook", "jws", file)
		k, err := jwt.ParseJWK(vector.Input.Key, alg)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var compact string
		if err := json.Unmarshal(vector.Output["compact"], &compact); err != nil {
			t.Fatal(err)
		}
		_, err = jwt.Verify(t.Context(), compact, k, "")
		if !errors.Is(err, jwt.ErrMalformed) || !strings.Contains(err.Error(), "payload") {
			t.Errorf("%s: %v, want a good signature and a payload that is no JSON", file, err)
		}
		refused(t, compact[:len(compact)-8]+"AAAAAAAA", k, jwt.ErrSignature)
		for _, form := range []string{"json", "json_flat"} {
			refused(t, string(vector.Output[form]), k, jwt.ErrMalformed)
		}
	}
	for _, file := range []string{
		"4_5.signature_with_detached_content.json", "4_6.protecting_specific_header_fields.json", "4_7.protecting_content_only.json",
		"4_8.multiple_signatures.json",
	} {
		var vector struct{ Output map[string]json.RawMessage }
		readCorpus(t, &vector, "rfc7520-cookbook", "jws", file)
		for name, text := range vector.Output {
			var compact string
			if json.Unmarshal(text, &compact) != nil {
				compact = string(text)
			}
			if _, err := jwt.Verify(t.Context(), compact, newKey(t, jwt.HS256), ""); !errors.Is(err, jwt.ErrMalformed) {
				t.Errorf("%s, %s: %v, want ErrMalformed", file, name, err)
			}
		}
	}
}

// Which public keys of the Ed25519 collection are refused on load: exactly those of small order and those whose
// encoding is not canonical. With the others, what this package accepts has no low-order part in the key alone.
func TestEd25519Collection_Attack_A07(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Number int
		Key    string
		Flags  []string
	}
	readCorpus(t, &vectors, "cctv", "ed25519", "ed25519vectors.json")
	if len(vectors) < 900 {
		t.Fatalf("%d vectors", len(vectors))
	}
	refusals := 0
	for _, vector := range vectors {
		bad := false
		for _, flag := range vector.Flags {
			bad = bad || flag == "low_order_A" || flag == "non_canonical_A"
		}
		text := `{"kty":"OKP","crv":"Ed25519","x":"` + b64(unhex(t, vector.Key)) + `"}`
		_, err := jwt.ParseJWK([]byte(text), "")
		if bad != (err != nil) {
			t.Errorf("%d (%s, %v): %v", vector.Number, vector.Key, vector.Flags, err)
		}
		if err != nil {
			refusals++
		}
	}
	if refusals == 0 {
		t.Error("no key was refused")
	}
}
