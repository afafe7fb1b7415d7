package diagnosis_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/postgres"
)

// Each way of not reaching a database is one line with its last cause, one hint, and no password.
func TestOfConnection(t *testing.T) {
	t.Parallel()
	real := postgrestest.URL(t)
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	refuses := answer('N', nil, "28P01", "password authentication failed for user \"u\"")
	tests := []struct{ name, url, text, hint string }{
		{"refused", "postgres://u:hunter2@127.0.0.1:1/d", "dial tcp 127.0.0.1:1: connect: connection refused", "whether PostgreSQL runs"},
		{"no socket", "postgres://u:hunter2@/d?host=/nowhere", "no such file or directory", "whether PostgreSQL runs"},
		{"unknown host", "postgres://u:hunter2@nowhere.invalid/d", "lookup nowhere.invalid", "name of the host"},
		{"no answer", "postgres://u:hunter2@" + serve(t, silence) + "/d?connect_timeout=1", "does not answer in time", "firewalls"},
		{"wrong password", "postgres://u:hunter2@" + serve(t, refuses) + "/d", "password authentication failed for user \"u\" (SQLSTATE 28P01)", "PGPASSFILE"},
		{"no entry", "postgres://u:hunter2@" + serve(t, answer('N', nil, "28000", "no \x1b[31m\npg_hba.conf entry")) + "/d", "no [31m pg_hba.conf entry (SQLSTATE 28000)", "who may connect"},
		{"no such database", strings.Replace(real, postgrestest.Name(real), "nothing_here", 1), "database \"nothing_here\" does not exist", "CREATE DATABASE"},
		{"not the owner", strings.Replace(real, postgrestest.Name(real), "postgres", 1), "permission denied for database postgres", "OWNER TO"},
		{"read-only", real + "&default_transaction_read_only=on", "the server is read-only", "several hosts"},
		{"TLS refused", "postgres://u:hunter2@" + serve(t, refuses) + "/d?sslmode=require", "the server refuses TLS", "sslmode=disable"},
		{"untrusted", "postgres://u:hunter2@" + serve(t, answer('S', certificate.TLS, "", "")) + "/d?sslmode=verify-full", "x509: certificate signed by unknown authority", "sslrootcert=FILE"},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := postgres.Open(ctx, postgres.Config{URL: "postgres://u@" + serve(t, silence) + "/d"})
	if text, hint := diagnosis.OfConnection(err); hint != "" || !strings.Contains(text, "context canceled") {
		t.Errorf("cancelled: %q, hint %q", text, hint)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := postgres.Open(t.Context(), postgres.Config{URL: tt.url})
			if err == nil {
				_ = s.Close()
				t.Fatal("it connects")
			}
			text, hint := diagnosis.OfConnection(err)
			if !strings.Contains(text, tt.text) || !strings.Contains(hint, tt.hint) {
				t.Errorf("%q, hint %q; the driver says %v", text, hint, err)
			}
			if strings.Contains(text+hint, "hunter2") || strings.Contains(text, "\n") || strings.Count(text, tt.text) != 1 {
				t.Errorf("it says %q", text)
			}
		})
	}
}

func TestOfURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hu#nter2@h/d", "postgres://u:hu/nter2@h/d", "postgres://u:hu%nter2@h/d"} {
		if hint := diagnosis.OfURL(url); !strings.Contains(hint, "percent-encoded") || strings.Contains(hint, "nter2") {
			t.Errorf("%s: %s", url, hint)
		}
	}
	if hint := diagnosis.OfURL("postgres://u:hunter2@h/d?sslmode=no"); !strings.HasPrefix(hint, "postgres://user@host") {
		t.Errorf("a parameter: %s", hint)
	}
}

// serve answers connections until the test ends, and returns the address.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return ln.Addr().String()
}

// silence reads and says nothing.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// answer is a server that answers the question for TLS with one byte, and whoever goes on without with an error
// (PostgreSQL documentation, "Message Formats").
func answer(ssl byte, config *tls.Config, state, message string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			var head [8]byte
			if _, err := io.ReadFull(conn, head[:]); err != nil {
				return
			}
			if binary.BigEndian.Uint32(head[4:]) == 80877103 { // SSLRequest
				_, _ = conn.Write([]byte{ssl})
				if ssl == 'S' {
					_ = tls.Server(conn, config).HandshakeContext(context.Background())
					return
				}
				continue
			}
			fields := "SFATAL\x00VFATAL\x00C" + state + "\x00M" + message + "\x00\x00"
			_, _ = conn.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(fields))), fields...))
			silence(conn)
			return
		}
	}
}
