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
