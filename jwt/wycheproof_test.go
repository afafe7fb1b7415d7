package jwt_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/doorward/doorward/jwt"
)

// joseCase is one token of Project Wycheproof's JOSE files, and the keys of its group.
type joseCase struct {
	TcID    int
	Comment string
	JWS     json.RawMessage // this or JWE: a string, or an object in the JSON serialization
	JWE     json.RawMessage
	Result  string
	keys    json.RawMessage
}

// token is the text of the case.
func (c *joseCase) token() string {
	raw := append(c.JWS, c.JWE...) // one of them is empty
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}

// joseCases reads a file; it has exactly n cases.
func joseCases(t *testing.T, file string, n int) []joseCase {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		TestGroups []struct {
			Private, Public json.RawMessage
			Tests           []joseCase
		}
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	var cases []joseCase
	for _, group := range all.TestGroups {
		for _, c := range group.Tests {
			if c.keys = group.Public; c.keys == nil {
				c.keys = group.Private
			}
			cases = append(cases, c)
		}
	}
	if len(cases) != n {
		t.Fatalf("%d cases, want %d", len(cases), n)
	}
	return cases
}

// joseKeys reads a key or a set.
func joseKeys(text json.RawMessage) (jwt.KeySet, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err == nil && set.Keys != nil {
		return jwt.ParseSet(text)
	}
	return jwt.ParseJWK(text, "")
}

// deviation is a case whose label is not what a strict verifier does.
type deviation struct {
	why  string
	want error // nil: accepted
}

// goodSignature: most payloads of the collection are no JSON objects, which the package says once the signature was
// found good.
func goodSignature(err error) bool {
	return err == nil || errors.Is(err, jwt.ErrType) || strings.Contains(err.Error(), "malformed token: payload:")
}

// zeroKey is the secret of the cases about base64: 32 zero bytes, which is no secret.
const zeroKey = `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`

func judgeJOSE(t *testing.T, cases []joseCase, deviations map[int]deviation) {
	t.Helper()
	valid := 0
	for _, c := range cases {
		want, deviates := deviations[c.TcID]
		delete(deviations, c.TcID)
		accept := c.Result == "valid" && c.JWE == nil
		if deviates {
			accept = want.want == nil
		}
		if accept {
			valid++
		}
		keys, err := joseKeys(c.keys)
		if strings.Contains(string(c.keys), zeroKey) {
			judgeForm(t, &c, err, accept)
			continue
		}
		if err == nil {
			_, err = jwt.Verify(t.Context(), c.token(), keys, "", "JWT")
		}
		if accept != goodSignature(err) {
			t.Errorf("case %d (%s, %s): %v", c.TcID, c.Comment, c.Result, err)
		}
		if deviates && want.want != nil && !errors.Is(err, want.want) {
			t.Errorf("case %d (%s): %v, want %v: %s", c.TcID, c.Comment, err, want.want, want.why)
		}
	}
	if valid == 0 {
		t.Error("no case was to be accepted")
	}
	if len(deviations) != 0 {
		t.Errorf("deviations of no case: %v", deviations)
	}
	t.Logf("%d cases, of which %d have a good signature", len(cases), valid)
}

// judgeForm judges a case whose key is refused: under a secret of ours, what is well formed has a wrong signature,
// and the rest is malformed.
func judgeForm(t *testing.T, c *joseCase, loading error, wellFormed bool) {
	t.Helper()
	if !errors.Is(loading, jwt.ErrKey) {
		t.Errorf("case %d: 32 zero bytes as a secret: %v, want ErrKey", c.TcID, loading)
	}
	want := jwt.ErrMalformed
	if wellFormed {
		want = jwt.ErrSignature
	}
	refused(t, c.token(), withID(t, newKey(t, jwt.HS256), "hs256-key"), want)
}

// Covers Attack_A01, Attack_A02, Attack_A03, Attack_A04, Attack_A05, Attack_A06, Attack_A08, Attack_A12, Attack_B10,
// Attack_B12, Standard_K11.
func TestWycheproofJWS_Attack_A06(t *testing.T) {
	t.Parallel()
	judgeJOSE(t, joseCases(t, "json_web_signature_test.json", 401), map[int]deviation{
		259: {"an empty payload is no claims", jwt.ErrMalformed},
		264: {"an empty payload is no claims", jwt.ErrMalformed},
		268: {"an empty payload is no claims", jwt.ErrMalformed},
		272: {"an empty payload is no claims", jwt.ErrMalformed},
		320: {"an empty payload is no claims", jwt.ErrMalformed},
		325: {"an empty payload is no claims", jwt.ErrMalformed},
		346: {"the key is for PS256, the token says PS384 (RFC 8725 §3.1)", jwt.ErrKey},
		350: {"the key is for PS256, the token says PS384 (RFC 8725 §3.1)", jwt.ErrKey},
		347: {"the key is for ES521, which is no algorithm", jwt.ErrKey},
		351: {"the key is for ES521, which is no algorithm", jwt.ErrKey},
		367: {"byte for byte the valid case 357", nil},
		370: {"byte for byte the valid case 357", nil},
		372: {"a question mark within the header (RFC 7515 §5.2)", jwt.ErrMalformed},
		373: {"a question mark within the payload (RFC 7515 §5.2)", jwt.ErrMalformed},
	})
}

// Covers Attack_A09, Attack_A10, Standard_K07, Standard_K08.
func TestWycheproofJWK_Attack_A09(t *testing.T) {
	t.Parallel()
	judgeJOSE(t, joseCases(t, "json_web_key_test.json", 26), map[int]deviation{
		1: {"a set that mixes a secret with a public key", jwt.ErrKey},
		4: {"two keys with one kid", jwt.ErrKey},
		7: {"a key of the broken generator of CVE-2017-15361", jwt.ErrKey},
	})
}

// Covers Attack_A09, Attack_A22, Standard_J21: case 17 has a header outside of what is signed.
func TestWycheproofJOSE_Attack_A22(t *testing.T) {
	t.Parallel()
	judgeJOSE(t, joseCases(t, "json_web_crypto_test.json", 83), map[int]deviation{
		46: {"a key of the broken generator of CVE-2017-15361", jwt.ErrKey},
		47: {"a set that mixes a secret with a public key", jwt.ErrKey},
	})
}

// No encrypted token is read, whatever key is there: not those of its group, which are for encryption, and no other.
func TestWycheproofJWE_Attack_A22(t *testing.T) {
	t.Parallel()
	sets := []jwt.KeySet{newKey(t, jwt.HS256), newKey(t, jwt.RS256), newKey(t, jwt.ES256)}
	for _, c := range joseCases(t, "json_web_encryption_test.json", 139) {
		for _, set := range sets {
			refused(t, c.token(), set, jwt.ErrMalformed)
		}
		if keys, err := joseKeys(c.keys); err == nil {
			refused(t, c.token(), keys, jwt.ErrMalformed)
		}
	}
}
