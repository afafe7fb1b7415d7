package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/durable"
)

// writePair writes a certificate for 127.0.0.1 and for hosts with this serial number, and its key.
func writePair(t *testing.T, certFile, keyFile string, serial int64, hosts ...string) {
	t.Helper()
	writePairUntil(t, certFile, keyFile, serial, time.Now().Add(time.Hour), hosts...)
}

func writePairUntil(t *testing.T, certFile, keyFile string, serial int64, end time.Time, hosts ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "doorward test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: hosts,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := durable.Replace(path, string(pem.EncodeToMemory(block))); err != nil {
			t.Fatal(err)
		}
	}
}

// handshake returns the serial number that the server presents.
func handshake(addr string, cfg *tls.Config) (int64, error) {
	cfg.InsecureSkipVerify = true // The serial number is what is looked at.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: cfg}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// TLS before 1.2 and weak suites get no connection; a certificate that changes is read again, and one that cannot be read
// leaves the old one.
func TestAttack_H15(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, certFile, keyFile, 1)
	s := serve(t, filepath.Join(dir, "data"), "--tls-cert", certFile, "--tls-key", keyFile)
	addr, ok := strings.CutPrefix(s.url, "https://")
	if !ok {
		t.Fatalf("url %s", s.url)
	}
	versions := []struct {
		name    string
		cfg     *tls.Config
		refused bool
	}{
		{"TLS 1.0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, true},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{"TLS 1.3", &tls.Config{MinVersion: tls.VersionTLS13}, false},
		{"RC4", suite12(tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA), true},
		{"3DES", suite12(tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA), true},
		{"no forward secrecy", suite12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), true},
		{"AEAD", suite12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), false},
		{"another name", &tls.Config{ServerName: "elsewhere.example"}, false},
	}
	for _, tt := range versions {
		if _, err := handshake(addr, tt.cfg); (err != nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	presents := func(serial int64) func() bool {
		return func() bool {
			got, err := handshake(addr, &tls.Config{})
			return err == nil && got == serial
		}
	}
	writePair(t, certFile, keyFile, 2)
	if err := eventually(presents(2)); err != nil {
		t.Fatalf("the new certificate: %v", err)
	}
	if err := durable.Replace(certFile, "no certificate\n"); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool {
		return presents(2)() && strings.Contains(s.logs.text(), "the old one stays")
	}); err != nil {
		t.Fatalf("a certificate that cannot be read: %v\n%s", err, s.logs.text())
	}
	writePair(t, certFile, keyFile, 3)
	if err := eventually(presents(3)); err != nil {
		t.Errorf("the next certificate: %v", err)
	}
	if strings.Contains(s.logs.text(), "PRIVATE") {
		t.Error("the log holds a key")
	}
}

// A certificate that has expired is told once, at the start as later.
func TestCertificateExpires(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePairUntil(t, certFile, keyFile, 1, time.Now().Add(-time.Minute))
	s := serve(t, filepath.Join(dir, "data"), "--tls-cert", certFile, "--tls-key", keyFile)
	presents := func(serial int64) func() bool {
		return func() bool {
			got, err := handshake(strings.TrimPrefix(s.url, "https://"), &tls.Config{})
			return err == nil && got == serial
		}
	}
	told := func() int { return strings.Count(s.logs.text(), "the certificate has expired, and clients refuse it") }
	if told() != 1 {
		t.Fatalf("at the start it is told %d times:\n%s", told(), s.logs.text())
	}
	writePairUntil(t, certFile, keyFile, 2, time.Now().Add(time.Second))
	if err := eventually(presents(2)); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool { return presents(2)() && told() == 2 }); err != nil {
		t.Fatalf("%v\n%s", err, s.logs.text())
	}
	writePair(t, certFile, keyFile, 3)
	if err := eventually(presents(3)); err != nil || told() != 2 {
		t.Errorf("%v\n%s", err, s.logs.text())
	}
}

func suite12(id uint16) *tls.Config {
	return &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{id}}
}

// TestPlainHTTPOverTLS checks that a password sent in the clear gets no answer from an endpoint.
func TestPlainHTTPOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, certFile, keyFile, 1)
	s := serve(t, filepath.Join(dir, "data"), "--tls-cert", certFile, "--tls-key", keyFile)
	got, err := call("GET", "http"+strings.TrimPrefix(s.url, "https")+"/livez", "", "")
	if err != nil || got.status != 400 {
		t.Errorf("%+v, %v", got, err)
	}
	// Anybody can make such lines: they are no warnings.
	if err := eventually(func() bool {
		return strings.Contains(s.logs.text(), `"level":"INFO","msg":"http: TLS handshake error from `)
	}); err != nil {
		t.Errorf("%v\n%s", err, s.logs.text())
	}
	if out, _ := os.ReadFile(filepath.Join(s.dir, "serving.yaml")); !strings.Contains(string(out), `issuer: "https://127.0.0.1:`) {
		t.Errorf("the issuer is not https:\n%s", out)
	}
}
