package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/proxytest"
)

// TestGRPCBehindNginx speaks as gRPC does through nginx, which ends TLS in earnest, and Doorward: a stream both ways, with
// trailers, HTTP/2 without TLS between all of them.
func TestGRPCBehindNginx(t *testing.T) {
	t.Parallel()
	plain := new(http.Protocols)
	plain.SetUnencryptedHTTP2(true)
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Doorward-Username") != "alice" || strings.Contains(r.Header.Get("X-Forwarded-For"), "192.0.2.7") {
			t.Errorf("the API reads %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_ = http.NewResponseController(w).Flush()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			_, _ = fmt.Fprintln(w, lines.Text())
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	}))
	api.Config.Protocols = plain
	api.Start()
	t.Cleanup(api.Close)
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, "server.h2c: true\nupstream: "+strings.Replace(api.URL, "http", "h2c", 1)+"\ntrusted_proxies: [127.0.0.1]\n")
	s := serve(t, dir, "--config", file, "--issuer", "https://api.example.com")
	command(t, 0, "", "user", "add", "alice", "--data", dir)
	token, _ := command(t, 0, "", "token", "issue", "alice", "--data", dir)
	client := &http.Client{Transport: &http.Transport{Protocols: plain}}
	t.Cleanup(client.CloseIdleConnections)
	front := proxytest.NginxGRPC(t, s.url)
	if status, _ := stream(t, client, front, ""); status != "401 Unauthorized" {
		t.Errorf("without a token: %s", status)
	}
	if status, trailer := stream(t, client, front, strings.TrimSpace(token)); status != "200 OK" || trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%s with the trailers %v", status, trailer)
	}
	if got := must(t, 200, "GET", s.url+"/livez", "", ""); got.body == "" {
		t.Error("HTTP/1.1 beside it gets an empty answer")
	}
}

// stream sends two lines and waits for each to come back before the next. The trailer is nil if the stream is refused.
func stream(t *testing.T, client *http.Client, address, token string) (status string, trailer http.Header) {
	t.Helper()
	body, questions := io.Pipe()
	defer questions.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/pkg.Service/Method", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Te": {"trailers"}, "Content-Type": {"application/grpc"}, "X-Forwarded-For": {"192.0.2.7"}}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.Status, nil
	}
	answers := bufio.NewReader(res.Body)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(questions, line); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.ReadString('\n'); err != nil || got != line {
			t.Fatalf("%q, %v, want %q", got, err, line)
		}
	}
	if err := questions.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Fatalf("after the end %q, %v", rest, err)
	}
	return res.Status, res.Trailer
}
