package jwt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

func weakList(t *testing.T) []string {
	return lines(t, filepath.Join(corpora(t), "weak-jwt-secrets", "jwt.secrets.list"))
}

// Covers Attack_A10, Standard_C08, Behaviour_B30.
func TestEveryKnownSecretIsRefused_Attack_A10(t *testing.T) {
	t.Parallel()
	list := weakList(t)
	if len(list) < 100_000 {
		t.Fatalf("%d lines", len(list))
	}
	for _, line := range list {
		secret := strings.TrimRight(line, "\r")
		for _, text := range []string{secret, line, secret + "\n"} {
			if _, err := jwt.NewKey(jwt.HS256, []byte(text)); !errors.Is(err, jwt.ErrKey) {
				t.Errorf("%q: %v, want ErrKey", text, err)
			}
		}
	}
}

// Covers Standard_A01, Behaviour_P82, Behaviour_B30, Behaviour_F6.
func TestSecretLength_Standard_A01(t *testing.T) {
	t.Parallel()
	random := make([]byte, 80)
	_, _ = rand.Read(random)
	for alg, least := range map[jwt.Algorithm]int{jwt.HS256: 32, jwt.HS384: 48, jwt.HS512: 64} {
		for n, want := range map[int]error{0: jwt.ErrKey, 16: jwt.ErrKey, least - 1: jwt.ErrKey, least: nil, least + 16: nil} {
			if _, err := jwt.NewKey(alg, random[:n]); !errors.Is(err, want) {
				t.Errorf("%s, %d bytes: %v, want %v", alg, n, err, want)
			}
		}
	}
}

// Covers Attack_A10, Attack_A11, Standard_C03, Behaviour_P67, Behaviour_P85, Behaviour_B30.
func TestWeakSecrets_Attack_A10(t *testing.T) {
	t.Parallel()
	rsaKey := private()[jwt.RS256].(*rsa.PrivateKey)
	spki, _ := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	k := withID(t, newKey(t, jwt.RS256), "")
	publicPEM, _ := k.MarshalPublicPEM()
	publicJWK, _ := k.MarshalPublicJWK()
	pkcs1 := x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)
	tests := map[string][]byte{
		"nil":                      nil,
		"empty":                    {},
		"a line break":             []byte("\n"),
		"blanks":                   bytes.Repeat([]byte(" "), 64),
		"zeros":                    make([]byte, 64),
		"one letter":               bytes.Repeat([]byte("a"), 64),
		"two letters":              bytes.Repeat([]byte("ab"), 32),
		"seven bytes in disorder":  []byte("abcdefgbadcfegabcdefggfedcbaabcdefgabcdefgdd"),
		"a word repeated":          bytes.Repeat([]byte("correct horse "), 5),
		"a word repeated, cut":     bytes.Repeat([]byte("correct horse battery"), 3)[:50],
		"PEM":                      publicPEM,
		"PEM without last newline": bytes.TrimSpace(publicPEM),
		"PEM with CRLF":            bytes.ReplaceAll(publicPEM, []byte("\n"), []byte("\r\n")),
		"PKCS#1 PEM":               pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"certificate PEM":          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: make([]byte, 100)}),
		"SPKI":                     spki,
		"PKCS#1":                   pkcs1,
		"PKCS#1 private":           x509.MarshalPKCS1PrivateKey(rsaKey),
		"JWK":                      publicJWK,
		"JWK with white space":     append([]byte("\n "), publicJWK...),
		"SSH RSA":                  []byte("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDJ1bq0hZ"),
		"SSH Ed25519":              []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPL1I9oiq+B8crkmuV4YViiUnhdLjCp3hvy1bNGuGfNL"),
		"SSH ECDSA":                []byte("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY="),
		"longer than 8 KiB":        bytes.Repeat(publicJWK, 30),
	}
	for name, secret := range tests {
		for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512} {
			if k, err := jwt.NewKey(alg, secret); !errors.Is(err, jwt.ErrKey) || k != nil {
				t.Errorf("%s, %s: %v, %v, want ErrKey", name, alg, k, err)
			}
		}
	}
}

// Secrets of any bytes work: text in any script, and bytes that are no text.
//
// Covers Behaviour_P54, Behaviour_P66.
func TestSecretsThatWork_Behaviour_P54(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"Пусть всегда будет солнце, пусть всегда будет небо", "\xff\xfe\xfd\x00\x01\x02\x80\x81\x90\x91\xa0\xa1\xb0\xb1\xc0\xc1\xd0\xd1\xe0\xe1\xf0\xf1\x10\x11\x20\x21\x30\x31\x40\x41\x50\x51",
		"a quite ordinary sentence of 40 letters!", "0" + "\x81 begins like DER but is not, so it is taken",
	} {
		k, err := jwt.NewKey(jwt.HS256, []byte(secret))
		if err != nil {
			t.Errorf("%q: %v", secret, err)
			continue
		}
		accepted(t, sign(t, k, "JWT", map[string]any{"sub": "x"}), k)
	}
}

// DER whose last byte happens to be a line break is DER all the same.
func TestDERThatEndsInABlank_Attack_A02(t *testing.T) {
	t.Parallel()
	for {
		priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(&priv.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if spki[len(spki)-1] != '\n' {
			continue
		}
		if k, err := jwt.NewKey(jwt.HS256, spki); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%v, %v, want ErrKey", k, err)
		}
		return
	}
}
