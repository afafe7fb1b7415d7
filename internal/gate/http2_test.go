package gate_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Attack_C15: TestHTTP2Floods resets streams as fast as it can, and sends headers without end. The gate
// gives the connection up, answers others, and keeps no goroutine of it.
func TestHTTP2Floods(t *testing.T) {
	f := newFront(newWorld(t), public, http.HandlerFunc(echo))
	front := httptest.NewUnstartedServer(f.proxy)
	front.EnableHTTP2 = true
	front.Config.MaxHeaderBytes, front.Config.ErrorLog = 32<<10, discard()
	front.StartTLS()
	t.Cleanup(front.Close)
	before := runtime.NumGoroutine()
	for name, flood := range map[string][]byte{"resets": resets(5000), "continuations": continuations(2000)} {
		config := front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.NextProtos = []string{"h2"}
		conn, err := tls.Dial("tcp", front.Listener.Addr().String(), config)
		must(t, err)
		go func() { _, _ = conn.Write(flood) }()
		must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err = io.Copy(io.Discard, conn)
		if err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection is still open", name)
		}
		_ = conn.Close() // The gate has closed it.
		res, err := front.Client().Get(front.URL + "/")
		must(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
			t.Errorf("%s: another client gets %s %d", name, res.Proto, res.StatusCode)
		}
	}
	within(t, 10*time.Second, "the goroutines of the floods are gone", func() bool { return runtime.NumGoroutine() < before+60 })
}

// Attack_C10: TestNoHost says, in HTTP/2 or through a proxy, that its host is also a path. Frameworks that put the URL together
// from scheme, host and path would take /admin from it.
func TestNoHost(t *testing.T) {
	t.Parallel()
	cfg := public
	cfg.TrustedProxies = append(cfg.TrustedProxies, mustPrefix(t, "127.0.0.0/8"))
	f := newFront(newWorld(t), cfg, http.HandlerFunc(echo))
	front := httptest.NewUnstartedServer(f.proxy)
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	for host, want := range map[string]byte{"api.example:8443": 0x88, "x/admin?": 0x8c, "x/admin#": 0x8c, `x\admin`: 0x8c, "x?": 0x8c} { // 200 and 400 (RFC 7541, appendix A)
		config := front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.NextProtos = []string{"h2"}
		conn, err := tls.Dial("tcp", front.Listener.Addr().String(), config)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		question := append([]byte{0x82, 0x87, 0x84, 0x01, byte(len(host))}, host...)
		_, err = conn.Write(append(bytes.Clone(preface), frame(1, 0x5, 1, question)...))
		must(t, err)
		for head := make([]byte, 9); ; {
			_, err = io.ReadFull(conn, head)
			must(t, err)
			payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
			_, err = io.ReadFull(conn, payload)
			must(t, err)
			if head[3] != 1 {
				continue
			}
			if payload[0] != want {
				t.Errorf("%s: status %#x, want %#x", host, payload[0], want)
			}
			break
		}
	}
	for host, want := range map[string]string{"a.example, b.example": "a.example, b.example", "x/admin?": f.address, "a.example, x#": f.address} {
		if _, text := f.call("GET", "/x", nil, "X-Forwarded-Host", host); got(t, text).Header.Get("X-Forwarded-Host") != want {
			t.Errorf("%s: %s", host, text)
		}
	}
}

// frame is one of HTTP/2 (RFC 9113 §4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

var preface = append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, nil)...)

// get is GET https://a/ in HPACK's static table.
var get = append([]byte{0x82, 0x87, 0x84, 0x01, 1}, 'a')

func resets(count uint32) []byte {
	out := bytes.Clone(preface)
	for i := range count {
		out = append(out, frame(1, 0x5, 2*i+1, get)...)
		out = append(out, frame(3, 0, 2*i+1, []byte{0, 0, 0, 8})...)
	}
	return append(out, frame(7, 0, 0, make([]byte, 8))...)
}

func continuations(count int) []byte {
	out := append(bytes.Clone(preface), frame(1, 0, 1, get)...)
	field := append([]byte{0x00, 1, 'b', 100}, bytes.Repeat([]byte("x"), 100)...)
	for range count {
		out = append(out, frame(9, 0, 1, bytes.Repeat(field, 10))...)
	}
	return out
}
