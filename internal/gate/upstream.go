package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/origin"
)

// Upstream is the API that is guarded. URL is required.
type Upstream struct {
	// URL has one of the schemes http, https and h2c, which is HTTP/2 without TLS,
	// a host, a port if it is not the scheme's, and no path.
	URL string
	// RootCAs signed its certificate; nil means those of the machine.
	RootCAs *x509.CertPool
	// Connections bounds those open to it at once, WebSockets aside: 512 if zero.
	Connections int
	// Timeout is how long it may take to begin an answer once it has the request, and
	// to go on with one whose length is known: 60 seconds if zero.
	Timeout time.Duration
}

// Times that are nobody's setting.
const (
	dialTimeout   = 5 * time.Second
	healthTimeout = time.Second
	// Less than servers keep a connection that is idle: gunicorn 2 s, Node and uvicorn 5 s. A request that meets their
	// close on its way is lost, and one with a body is not sent again.
	keepIdle = 1500 * time.Millisecond
	// lostTimeout is how long nothing may be acknowledged on a connection of HTTP/2. TCP by itself would try for a quarter of
	// an hour, and all requests would wait on that one connection, although the upstream accepts others. Pings of HTTP/2 would
	// find out as well, but servers of gRPC close connections on which they come more often than every five minutes.
	lostTimeout = 30 * time.Second
)

// upstream is an Upstream made ready.
type upstream struct {
	scheme, host string
	address      string // to dial
	timeout      time.Duration
	usual        *http.Transport
	places       *places         // of requests through usual
	sockets      *http.Transport // for WebSockets, which hold their connection for long
}

func newUpstream(cfg Upstream) (*upstream, error) {
	u, err := parseUpstream(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("gate: Upstream.URL: %w", err)
	}
	if cfg.Connections < 0 || cfg.Timeout < 0 {
		return nil, errors.New("gate: Upstream.Connections and Timeout must not be negative")
	}
	up := &upstream{scheme: u.Scheme, host: u.Host, timeout: cfg.Timeout, places: newPlaces()}
	if up.timeout == 0 {
		up.timeout = time.Minute
	}
	if cfg.Connections == 0 {
		cfg.Connections = 512
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "h2c": "80"}[u.Scheme]
	}
	up.address = net.JoinHostPort(u.Hostname(), port)
	up.usual, up.sockets = transport(cfg), transport(cfg)
	up.usual.DialContext, up.usual.DialTLSContext = dialers(cfg, min(lostTimeout, up.timeout/2))
	if u.Scheme == "h2c" {
		up.scheme = "http"
		up.usual.Protocols = new(http.Protocols)
		up.usual.Protocols.SetUnencryptedHTTP2(true)
	} else {
		up.usual.MaxConnsPerHost = cfg.Connections
		up.places.most = cfg.Connections
	}
	return up, nil
}

// CheckUpstream refuses what is no [Upstream.URL].
func CheckUpstream(text string) error {
	_, err := parseUpstream(text)
	return err
}

func parseUpstream(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("want scheme, host and port alone, such as http://127.0.0.1:5000; schemes are http, https and h2c")
	}
	return u, origin.CheckPort(u)
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// dialers connect to the upstream without TLS and with it, and give up connections of HTTP/2 on which nothing is acknowledged
// for so long. One of HTTP/1.1 goes with the first request that times out, and an API may read slowly from it.
func dialers(cfg Upstream, lost time.Duration) (plain, encrypted dial) {
	d := &tls.Dialer{NetDialer: dialer(), Config: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}}
	plain = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.NetDialer.DialContext(ctx, network, address)
		if err == nil && strings.HasPrefix(cfg.URL, "h2c:") {
			giveUpAfter(conn, lost)
		}
		return conn, err
	}
	encrypted = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if c, ok := conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol == "h2" {
			giveUpAfter(c.NetConn(), lost)
		}
		return conn, err
	}
	return plain, encrypted
}

func dialer() *net.Dialer { return &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second} }

// transport dials the upstream alone, whatever the environment says of proxies.
func transport(cfg Upstream) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialContext: dialer().DialContext, Protocols: protocols,
		TLSClientConfig:     &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTimeout, ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost: cfg.Connections, IdleConnTimeout: keepIdle,
		MaxResponseHeaderBytes: 256 << 10, DisableCompression: true,
	}
}

// healthy dials.
func (u *upstream) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.address)
	if err != nil {
		return fmt.Errorf("gate: the upstream does not answer: %w", err)
	}
	return conn.Close()
}

func (u *upstream) close() {
	u.usual.CloseIdleConnections()
	u.sockets.CloseIdleConnections()
}
