package jwa_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/doorward/doorward/jwt/internal/jwa"
)

// group is a group of Project Wycheproof's cases under one key, or of MACs under one size.
type group struct {
	Sha, MgfSha   string
	SLen, TagSize int
	PublicKey     json.RawMessage
	PublicKeyDer  hexBytes
	Tests         []vector
}

type vector struct {
	TcID          int
	Comment       string
	Flags         []string
	Key, Msg, Sig hexBytes
	Tag           hexBytes
	Result        string
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// each calls check for the groups of every file that matches one of the patterns. No file and no case are failures.
func each(t *testing.T, check func(t *testing.T, file string, g *group), patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := fs.Glob(wycheproof.TestVectors, pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			t.Run(strings.TrimSuffix(file, "_test.json"), func(t *testing.T) {
				t.Parallel()
				data, err := fs.ReadFile(wycheproof.TestVectors, file)
				if err != nil {
					t.Fatal(err)
				}
				var all struct {
					NumberOfTests int
					TestGroups    []*group
				}
				if err := json.Unmarshal(data, &all); err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, g := range all.TestGroups {
					check(t, file, g)
					n += len(g.Tests)
				}
				if n == 0 || n != all.NumberOfTests {
					t.Errorf("%d cases, the file says %d", n, all.NumberOfTests)
				}
				t.Logf("%d cases", n)
			})
		}
	}
}

// bound makes a key of the algorithm.
func bound(t *testing.T, material any, alg string) jwa.Key {
	t.Helper()
	k, err := jwa.New(material)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Bind(jwa.Named(alg)); err != nil {
		t.Fatal(err)
	}
	return k
}

// judge compares the answer to one signature with the one expected, and a refusal with its reason.
func judge(t *testing.T, k jwa.Key, v *vector, signature []byte, good bool) {
	t.Helper()
	err := k.Verify(new(jwa.Workspace), v.Msg, signature)
	if good != (err == nil) || err != nil && !errors.Is(err, jwa.ErrSignature) {
		t.Errorf("case %d (%s, %v, %s): %v", v.TcID, v.Comment, v.Flags, v.Result, err)
	}
}

// P1363 is the form R ‖ S that JWS uses. Under another hash than the curve's own, nothing verifies: the curve
// implies the algorithm (RFC 7518 §3.4).
//
// Covers Attack_A05, Attack_A06, Attack_A03, Standard_A04, Standard_A07.
func TestWycheproofECDSA_Attack_A06(t *testing.T) {
	t.Parallel()
	own := map[string]string{"SHA-256": "ES256", "SHA-384": "ES384", "SHA-512": "ES512"}
	check := func(t *testing.T, _ string, g *group) {
		pub, err := x509.ParsePKIXPublicKey(g.PublicKeyDer)
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwa.New(pub)
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.Tests {
			v := &g.Tests[i]
			judge(t, k, v, v.Sig, v.Result == "valid" && own[g.Sha] == k.Implied().Name)
		}
	}
	each(t, check, "ecdsa_secp256r1_sha???_p1363_test.json", "ecdsa_secp384r1_sha???_p1363_test.json",
		"ecdsa_secp521r1_sha???_p1363_test.json")
}

// The curves that JWS does not use, or not here: the key is refused.
func TestWycheproofOtherCurves_Attack_A09(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, _ string, g *group) {
		pub, err := x509.ParsePKIXPublicKey(g.PublicKeyDer)
		if err != nil {
			return
		}
		if _, err := jwa.New(pub); !errors.Is(err, jwa.ErrKey) {
			t.Errorf("%v, want ErrKey", err)
		}
	}
	each(t, check, "ecdsa_secp256k1_*_p1363_test.json", "ecdsa_secp224r1_*_p1363_test.json", "ecdsa_brainpool*_p1363_test.json")
}

// Covers Attack_A07, Standard_E02.
func TestWycheproofEd25519_Attack_A07(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, _ string, g *group) {
		var pub struct{ PK hexBytes }
		if err := json.Unmarshal(g.PublicKey, &pub); err != nil {
			t.Fatal(err)
		}
		k := bound(t, ed25519.PublicKey(pub.PK), "EdDSA")
		for i := range g.Tests {
			judge(t, k, &g.Tests[i], g.Tests[i].Sig, g.Tests[i].Result == "valid")
		}
	}
	each(t, check, "ed25519_test.json")
}

// Two rules of JWS are stricter than HMAC alone: a tag is never cut (RFC 7518 §3.2), and a secret is not shorter than
// the hash.
//
// Covers Attack_A10, Standard_A01, Standard_A02.
func TestWycheproofHMAC_Attack_A10(t *testing.T) {
	t.Parallel()
	for file, alg := range map[string]string{"hmac_sha256_test.json": "HS256", "hmac_sha384_test.json": "HS384", "hmac_sha512_test.json": "HS512"} {
		size := jwa.Named(alg).Size()
		whole := 0
		check := func(t *testing.T, _ string, g *group) {
			for i := range g.Tests {
				v := &g.Tests[i]
				if k, err := jwa.New([]byte(v.Key)); len(v.Key) < size {
					if err == nil {
						err = k.Bind(jwa.Named(alg))
					}
					if !errors.Is(err, jwa.ErrKey) {
						t.Errorf("case %d: a key of %d bytes: %v", v.TcID, len(v.Key), err)
					}
					continue
				}
				good := v.Result == "valid" && g.TagSize == 8*size
				judge(t, bound(t, []byte(v.Key), alg), v, v.Tag, good)
				if good {
					whole++
				}
			}
			if g.TagSize == 8*size && whole == 0 {
				t.Error("no whole tag was accepted")
			}
		}
		each(t, check, file)
	}
}

// The padding is compared as a whole, so that the one case that the collection calls acceptable, a DigestInfo without
// NULL, is refused too (RFC 8017 §9.2).
//
// Covers Attack_A08.
func TestWycheproofRSA_Attack_A08(t *testing.T) {
	t.Parallel()
	algorithms := map[string]string{"SHA-256": "RS256", "SHA-384": "RS384", "SHA-512": "RS512"}
	check := func(t *testing.T, _ string, g *group) {
		alg, known := algorithms[g.Sha]
		if !known {
			alg = "RS256"
		}
		k := bound(t, rsaPublic(t, g), alg)
		for i := range g.Tests {
			v := &g.Tests[i]
			// Made with SHA-256 by mistake, it is a good RS256 signature.
			good := known && v.Result == "valid" || !known && strings.HasPrefix(v.Comment, "The message is hashed with SHA-256 ")
			judge(t, k, v, v.Sig, good)
		}
	}
	each(t, check, "rsa_signature_2048_*_test.json", "rsa_signature_3072_sha[235]??_test.json",
		"rsa_signature_4096_sha[235]??_test.json", "rsa_signature_8192_*_test.json")
}

// With a salt of another length than the hash's, or a mask of another hash, a signature that is good by RFC 8017 is
// not one of JWS (RFC 7518 §3.5).
//
// Covers Attack_A08, Standard_A09.
func TestWycheproofPSS_Standard_A09(t *testing.T) {
	t.Parallel()
	algorithms := map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}
	names := map[string]string{"SHA-256": "PS256", "SHA-384": "PS384", "SHA-512": "PS512"}
	check := func(t *testing.T, _ string, g *group) {
		hash, known := algorithms[g.Sha]
		alg := "PS256"
		ours := known && g.MgfSha == g.Sha && g.SLen == hash.Size()
		if known {
			alg = names[g.Sha]
		}
		k := bound(t, rsaPublic(t, g), alg)
		for i := range g.Tests {
			v := &g.Tests[i]
			// Made with our salt by mistake, in a file about another, it is a good signature of JWS.
			mistake := known && g.MgfSha == g.Sha && g.SLen != hash.Size() && v.Comment == fmt.Sprintf("s_len changed to %d", hash.Size())
			judge(t, k, v, v.Sig, ours && v.Result == "valid" || mistake)
		}
	}
	each(t, check, "rsa_pss_*_test.json")
}

func rsaPublic(t *testing.T, g *group) *rsa.PublicKey {
	t.Helper()
	var pub struct{ Modulus, PublicExponent hexBytes }
	if err := json.Unmarshal(g.PublicKey, &pub); err != nil {
		t.Fatal(err)
	}
	e := new(big.Int).SetBytes(pub.PublicExponent)
	return &rsa.PublicKey{N: new(big.Int).SetBytes(pub.Modulus), E: int(e.Int64())}
}
