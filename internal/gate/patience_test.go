package gate_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// patience wraps the writer of one request, with a hundredth of the time for reading.
type patience struct {
	http.ResponseWriter
	write   time.Time // the deadline for writing
	endless bool      // an interim answer had none
	shared  bool      // net/http reads the header of an interim answer over HTTP/2 from the map that the gate goes on writing to
}

func (p *patience) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patience) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(time.Until(at) / 100)
	}
	return http.NewResponseController(p.ResponseWriter).SetReadDeadline(at)
}

func (p *patience) SetWriteDeadline(at time.Time) error {
	p.write = at
	return http.NewResponseController(p.ResponseWriter).SetWriteDeadline(at)
}

func (p *patience) WriteHeader(status int) {
	if status < http.StatusOK {
		_, copied := p.Header()["Content-Length"]
		p.endless, p.shared = p.write.IsZero(), !copied
	}
	p.ResponseWriter.WriteHeader(status)
}

// TestSilentAfterAnswer closes the connection of a client that has its answer, and neither sends the rest of its request nor leaves.
func TestSilentAfterAnswer(t *testing.T) {
	t.Parallel()
	f, _ := newHTTP2(newWorld(t), public, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.proxy.ServeHTTP(&patience{ResponseWriter: w}, r)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345")
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res.Status)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the answer: %v", err)
	}
}

// TestAnswersHaveTheirTime sets a deadline also for the two parts of an answer that no Write sends: early hints, and the header of an
// answer without a body. Else a client that reads nothing would keep its connection for as long as it likes.
func TestAnswersHaveTheirTime(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hints" {
			w.Header().Set("Link", "</app.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	seen := make(chan *patience, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &patience{ResponseWriter: w}
		f.proxy.ServeHTTP(p, r)
		seen <- p
	}))
	t.Cleanup(server.Close)
	for _, path := range []string{"/", "/hints"} {
		res, err := f.client.Get(server.URL + path)
		must(t, err)
		must(t, res.Body.Close())
		if p := <-seen; res.StatusCode != http.StatusNoContent || p.endless || p.shared || p.write.IsZero() {
			t.Errorf("%s: %s, early hints without a deadline: %t, in a shared map: %t, deadline at the end: %v", path, res.Status, p.endless, p.shared, p.write)
		}
	}
}
