package forward_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzQuestion: whatever a trusted proxy asks, the answer is one that it understands; what passes without a token is a
// path that is open.
func FuzzQuestion(f *testing.F) {
	w := newWorld(f)
	for _, seed := range questions {
		f.Add(strings.ReplaceAll(seed, "\n", "\r\n"))
		f.Add(strings.ReplaceAll(strings.Replace(seed, "/orders/7", "/open/%2e%2e/admin", 1), "\n", "\r\n"))
		f.Add(strings.ReplaceAll(strings.Replace(seed, "/orders/7", "/open/7", 1), "\n", "\r\n"))
	}
	f.Fuzz(func(t *testing.T, wire string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			return
		}
		r.RemoteAddr = trusted
		address, _, _ := strings.Cut(r.RequestURI, "?")
		uri := strings.TrimPrefix(r.RequestURI, path+"envoy")
		for _, name := range []string{"X-Original-Uri", "X-Forwarded-Uri"} {
			if value := r.Header.Get(name); value != "" {
				uri = value
			}
		}
		answer := httptest.NewRecorder()
		w.asked.ServeHTTP(answer, r.WithContext(t.Context()))
		code := answer.Code
		understood := []int{200, 401, 403}
		if address != path+"nginx" {
			understood = append(understood, 302, 400, 404, 405, 429, 500, 503)
		}
		if !slices.Contains(understood, code) {
			t.Errorf("%d for\n%s", code, wire)
		}
		open, _, _ := strings.Cut(uri, "?")
		if open = strings.ToLower(open); code == 200 && open != "/" && open != "/open" && !strings.HasPrefix(open, "/open/") && !strings.Contains(open, "%") {
			t.Errorf("this passes:\n%s", wire)
		}
	})
}
