//go:build !race

package forward_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// nowhere is a ResponseWriter that keeps nothing but the header.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(int)             {}

func TestAllocsAnswer(t *testing.T) {
	w := newWorldAlone(t, time.Minute) // Whoever followed the store would allocate, too.
	for name, header := range map[string]string{
		"nginx": "X-Original-Method: GET\r\nX-Original-URI: /orders/7?x=1\r\nX-Original-Host: api.example.com\r\nX-Original-Proto: https\r\n",
		"caddy": "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /orders/7?x=1\r\nX-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + path + name + " HTTP/1.1\r\nHost: a\r\n" + header + "Authorization: Bearer " + w.alice + "\r\n\r\n")))
		must(t, err)
		r.RemoteAddr = trusted
		answer := &nowhere{http.Header{}}
		got := testing.AllocsPerRun(200, func() {
			clear(answer.header)
			w.asked.ServeHTTP(answer, r)
		})
		if answer.header.Get("Doorward-Subject") != "u_alice" {
			t.Fatalf("%s: %v", name, answer.header)
		}
		if t.Logf("%s: %v allocations", name, got); got > 5 {
			t.Errorf("%s: %v allocations, want at most 5", name, got)
		}
	}
}
