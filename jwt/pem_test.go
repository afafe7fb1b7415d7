package jwt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Covers Behaviour_P60, Behaviour_P69, Behaviour_P76, Behaviour_P78.
func TestPEMRoundTrip_Behaviour_P60(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		k := newKey(t, alg)
		text, err := k.MarshalPEM()
		publicText, publicErr := k.MarshalPublicPEM()
		if alg.Symmetric() {
			if !errors.Is(err, jwt.ErrKey) || !errors.Is(publicErr, jwt.ErrKey) {
				t.Errorf("%s: %v, %v, want ErrKey", alg, err, publicErr)
			}
			continue
		}
		if err != nil || publicErr != nil {
			t.Fatal(err, publicErr)
		}
		again, err := jwt.ParsePEM(alg, text)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		thumbprint, _ := k.Thumbprint()
		if !again.Private() || again.ID() != thumbprint {
			t.Errorf("%s: read %v, thumbprint %s", alg, again, thumbprint)
		}
		pub, err := jwt.ParsePEM(alg, publicText)
		if err != nil || pub.Private() || pub.ID() != thumbprint {
			t.Fatalf("%s: read %v, %v", alg, pub, err)
		}
		accepted(t, sign(t, again, "JWT", json.RawMessage(payload)), pub)
		accepted(t, sign(t, withID(t, again, "k"), "JWT", json.RawMessage(payload)), k)
		if _, err := pub.MarshalPEM(); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: a public key was written as private: %v", alg, err)
		}
	}
}

func TestOlderPEMForms(t *testing.T) {
	t.Parallel()
	rsaKey := private()[jwt.RS256].(*rsa.PrivateKey)
	ecKey := private()[jwt.ES256].(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	parameters := encodePEM("EC PARAMETERS", []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07})
	for name, test := range map[string]struct {
		alg  jwt.Algorithm
		text []byte
	}{
		"PKCS#1":                {jwt.PS256, encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		"PKCS#1 public":         {jwt.PS256, encodePEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey))},
		"SEC 1":                 {jwt.ES256, encodePEM("EC PRIVATE KEY", sec1)},
		"SEC 1, implied":        {"", encodePEM("EC PRIVATE KEY", sec1)},
		"SEC 1 with parameters": {"", append(parameters, encodePEM("EC PRIVATE KEY", sec1)...)},
		"CRLF":                  {"", bytes.ReplaceAll(encodePEM("EC PRIVATE KEY", sec1), []byte("\n"), []byte("\r\n"))},
		"text before":           {"", append([]byte("subject=x\n"), encodePEM("EC PRIVATE KEY", sec1)...)},
		"blank after":           {"", append(encodePEM("EC PRIVATE KEY", sec1), " \n\n"...)},
	} {
		k, err := jwt.ParsePEM(test.alg, test.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := newKey(t, k.Algorithm())
		thumbprint, _ := want.Thumbprint()
		if k.ID() != thumbprint {
			t.Errorf("%s: read another key", name)
		}
	}
}

// Covers Attack_A09, Attack_A11, Behaviour_P69, Behaviour_P76, Behaviour_P83.
func TestPEMRefused_Attack_A09(t *testing.T) {
	t.Parallel()
	good, err := newKey(t, jwt.EdDSA).MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	p224DER, _ := x509.MarshalPKCS8PrivateKey(p224)
	rsaPEM, _ := newKey(t, jwt.RS256).MarshalPEM()
	for name, test := range map[string]struct {
		alg  jwt.Algorithm
		text []byte
	}{
		"nothing":             {"", nil},
		"a line break":        {"", []byte("\n")},
		"no PEM":              {"", []byte("hello")},
		"DER":                 {"", block.Bytes},
		"garbage inside":      {"", encodePEM("PRIVATE KEY", []byte("garbage"))},
		"empty inside":        {"", encodePEM("PUBLIC KEY", nil)},
		"another label":       {"", encodePEM("PUBLIC KEY", block.Bytes)},
		"unknown label":       {"", encodePEM("KEY", block.Bytes)},
		"certificate":         {"", encodePEM("CERTIFICATE", block.Bytes)},
		"SSH":                 {"", encodePEM("OPENSSH PRIVATE KEY", block.Bytes)},
		"encrypted":           {"", encodePEM("ENCRYPTED PRIVATE KEY", block.Bytes)},
		"encrypted, old":      {"", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: block.Bytes})},
		"two keys":            {"", append(bytes.Clone(good), good...)},
		"text after":          {"", append(bytes.Clone(good), "x"...)},
		"parameters alone":    {"", encodePEM("EC PARAMETERS", []byte{6, 0})},
		"too long":            {"", append([]byte(strings.Repeat("#", 16<<10)), good...)},
		"another algorithm":   {jwt.ES256, good},
		"an HMAC algorithm":   {jwt.HS256, good},
		"no such algorithm":   {"none", good},
		"RSA without a name":  {"", rsaPEM},
		"RSA of 1024 bits":    {jwt.RS256, encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small))},
		"RSA of 1024, public": {jwt.RS256, encodePEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey))},
		"P-224":               {"", encodePEM("PRIVATE KEY", p224DER)},
	} {
		if k, err := jwt.ParsePEM(test.alg, test.text); !errors.Is(err, jwt.ErrKey) || k != nil {
			t.Errorf("%s: %v, %v, want ErrKey", name, k, err)
		}
	}
}
