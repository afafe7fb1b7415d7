package gate

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/doorward/doorward"
)

// upgrades reports whether r asks for a WebSocket, and refuses it where the rule allows none or a page of another
// origin asks. Every other wish for another protocol is taken out of r: an h2c tunnel, for one, would lead past the gate.
func (g *Guard) upgrades(r *http.Request, v *Verdict) (bool, *doorward.Refusal) {
	wished := r.Header["Upgrade"]
	delete(r.Header, "Http2-Settings")
	if len(wished) == 0 {
		return false, nil
	}
	delete(r.Header, "Upgrade")
	if v.Preflight || len(wished) != 1 || !strings.EqualFold(wished[0], "websocket") ||
		r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.ContentLength != 0 || !nominates(r.Header, "upgrade") {
		return false, nil
	}
	if !v.Route.WebSocket {
		return false, noSocket()
	}
	r.Header.Set("Upgrade", "websocket")
	return true, g.foreignOrigin(v, r)
}

func noSocket() *doorward.Refusal {
	return NewRefusal(http.StatusForbidden, "websocket_refused", "no WebSocket may begin at this address", errSocket)
}

// nominates reports whether Connection names a header.
func nominates(h http.Header, name string) bool {
	return slices.ContainsFunc(h["Connection"], func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(word string) bool {
			return strings.EqualFold(strings.TrimSpace(word), name)
		})
	})
}

// foreignOrigin refuses a WebSocket that a page of another origin asks for, which
// no CORS stands in the way of (RFC 6455 §10.2).
func (g *Guard) foreignOrigin(v *Verdict, r *http.Request) *doorward.Refusal {
	unsafe := *r
	unsafe.Method = http.MethodPost // A WebSocket begins with GET, and does more than read.
	err := g.origins.Check(&unsafe)
	if err == nil || v.rule.cors != nil && slices.Contains(v.rule.cors.Origins, r.Header.Get("Origin")) {
		return nil
	}
	return NewRefusal(http.StatusForbidden, "cross_origin", "a page of another origin may not open this WebSocket", err)
}

// Hijack gives the connection of a client away, for a WebSocket.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.transit.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	t := &tunnel{Conn: conn}
	if n := buffered.Reader.Buffered(); n > 0 {
		early, err := buffered.Peek(n)
		if err != nil {
			return nil, nil, err
		}
		t.early = bytes.NewReader(bytes.Clone(early))
	}
	context.AfterFunc(w.transit, func() { _ = conn.Close() }) // ReverseProxy closes the upstream's end alone, and may wait for the client.
	return t, buffered, nil
}

// tunnel is the client's end of a WebSocket. It copies with small buffers, since most
// sockets are idle and there may be many.
type tunnel struct {
	net.Conn
	early io.Reader // what the client has sent already; nil if nothing
}

// ReadFrom copies to the client.
func (t *tunnel) ReadFrom(r io.Reader) (int64, error) { return copySmall(t.Conn, r) }

// WriteTo copies from the client.
func (t *tunnel) WriteTo(w io.Writer) (int64, error) {
	if t.early != nil {
		if n, err := copySmall(w, t.early); err != nil {
			return n, err
		}
	}
	return copySmall(w, t.Conn)
}

func copySmall(dst io.Writer, src io.Reader) (int64, error) {
	buffer := make([]byte, 2<<10)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buffer)
}
