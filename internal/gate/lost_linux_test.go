package gate_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"golang.org/x/sys/unix"
)

// listened keeps the connections that it accepts.
type listened struct {
	net.Listener
	mu    sync.Mutex // guards conns
	conns []*net.TCPConn
}

func (l *listened) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn.(*net.TCPConn))
	return conn, nil
}

// lose lets the kernel drop all that comes on the connections so far, as a network does that has forgotten them. It returns how many there are.
func (l *listened) lose(t *testing.T) int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		raw, err := conn.SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			none := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}} // takes no byte of any packet
			must(t, unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &none))
		}))
	}
	return len(l.conns)
}

// TestLostConnection loses the one connection of HTTP/2 that all requests share, without a word of its end. Others can be
// opened, and soon one is.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"h2c", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 2 {
					w.WriteHeader(http.StatusHTTPVersionNotSupported)
				}
			}))
			conns := &listened{Listener: api.Listener}
			api.Listener = conns
			up := gate.Upstream{Timeout: 500 * time.Millisecond}
			if scheme == "h2c" {
				api.Config.Protocols = new(http.Protocols)
				api.Config.Protocols.SetUnencryptedHTTP2(true)
				api.Start()
				up.URL = strings.Replace(api.URL, "http", "h2c", 1)
			} else {
				api.EnableHTTP2 = true
				api.StartTLS()
				up.URL, up.RootCAs = api.URL, api.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			t.Cleanup(api.CloseClientConnections) // Close would wait for what is lost.
			f := newFront(newWorld(t), public, nil, func(c *gate.ProxyConfig) { c.Upstream = up })
			if res, text := f.call("GET", "/", nil); res.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", res.Status, text)
			}
			if n := conns.lose(t); n != 1 {
				t.Fatalf("%d connections", n)
			}
			if res, _ := f.call("GET", "/", nil); res.StatusCode < http.StatusBadGateway {
				t.Fatalf("nothing is lost: %s", res.Status)
			}
			within(t, 10*time.Second, "another connection is used", func() bool {
				res, _ := f.call("GET", "/", nil)
				return res.StatusCode == http.StatusOK
			})
		})
	}
}
