package server_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and reads one answer. It returns ok = false if the
// connection ends without one.
func (w *world) raw(text string) (a answer, ok bool) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.address)
	must(w.t, err)
	defer conn.Close() //nolint:errcheck // nothing is lost
	must(w.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	go func() { _, _ = io.WriteString(conn, text) }() // The server may answer before it has read all.
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.ToUpper(strings.SplitN(text, " ", 2)[0])})
	if err != nil {
		return answer{}, false
	}
	body, err := io.ReadAll(response.Body)
	must(w.t, err)
	a = answer{status: response.StatusCode, header: response.Header, body: body}
	if response.Close { // ReadResponse takes the header out.
		a.header.Set("Connection", "close")
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a.object); err != nil {
			w.t.Errorf("the body of %d is not JSON: %q", a.status, body)
		}
	}
	if a.status >= 400 && len(body) > 0 {
		w.checkRefusal(fmt.Sprintf("%.40q", text), a)
	}
	return a, true
}

// Requests that programs could read in two ways, byte for byte: each is read in one or refused.
func TestWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	login := w.login("alice", aliceWord)
	token, refresh := login.text("access_token"), login.text("refresh_token")
	const host = "Host: auth.example\r\nConnection: close\r\n"
	body := `{"username":"alice","password":"` + aliceWord + `"}`
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n", len(body), body)
	const isJSON = "Content-Type: application/json\r\n"
	for _, c := range []struct {
		name, text string
		status     int
		code       string
	}{
		{"Attack_C01 two Authorization lines", "GET /me HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\nauthorization: Bearer " + token + "\r\n\r\n", 400, "invalid_request"},
		{"Attack_C01 Bearer, then Basic", "GET /me HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\nAuthorization: Basic YTpi\r\n\r\n", 400, "invalid_request"},
		{"folded header line", "GET /me HTTP/1.1\r\n" + host + "Authorization:\r\n Bearer " + token + "\r\n\r\n", 200, ""},
		{"Attack_C05 Authorization in the trailer", "POST /logout HTTP/1.1\r\n" + host + isJSON + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer " + token + "\r\n\r\n", 401, "missing_token"},
		{"Attack_D05 cookie in the trailer", "POST /refresh HTTP/1.1\r\n" + host + isJSON + "Transfer-Encoding: chunked\r\nTrailer: Cookie\r\n\r\n2\r\n{}\r\n0\r\nCookie: " + cookieName + "=" + refresh + "\r\n\r\n", 400, "invalid_request"},
		{"chunked body", "POST /login HTTP/1.1\r\n" + host + isJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked + "\r\n", 200, ""},
		{"length and chunked", "POST /login HTTP/1.1\r\n" + host + isJSON + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + "\r\n", 200, ""},
		{"two lengths", "POST /login HTTP/1.1\r\n" + host + isJSON + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ", 400, "invalid_request"},
		{"negative length", "POST /login HTTP/1.1\r\n" + host + isJSON + "Content-Length: -1\r\n\r\n", 400, "invalid_request"},
		{"unknown coding", "POST /login HTTP/1.1\r\n" + host + isJSON + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"},
		{"body compressed", "POST /login HTTP/1.1\r\n" + host + isJSON + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"},
		{"two media types", "POST /login HTTP/1.1\r\n" + host + isJSON + isJSON + "Content-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"},
		{"bad chunk", "POST /login HTTP/1.1\r\n" + host + isJSON + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request"},
		{"declared too long", "POST /login HTTP/1.1\r\nHost: x\r\n" + isJSON + "Content-Length: 104857600\r\n\r\n{", 413, "too_large"},
		{"chunked too long", "POST /login HTTP/1.1\r\nHost: x\r\n" + isJSON + "Transfer-Encoding: chunked\r\n\r\n4001\r\n" + strings.Repeat(" ", 0x4001) + "\r\n0\r\n\r\n", 413, "too_large"},
		{"Expect", "POST /login HTTP/1.1\r\n" + host + isJSON + "Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}", 417, ""},
		{"Standard_H05 long header", "GET /me HTTP/1.1\r\n" + host + "X-Big: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", 431, "headers_too_large"},
		{"Standard_H05 very long header", "GET /me HTTP/1.1\r\n" + host + "X-Big: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", 431, "headers_too_large"},
		{"Behaviour_B21 10,000 header lines", "GET /me HTTP/1.1\r\n" + host + strings.Repeat("a: b\r\n", 10000) + "\r\n", 431, "headers_too_large"},
		{"no Host", "GET /me HTTP/1.1\r\n\r\n", 400, "invalid_request"},
		{"two Hosts", "GET /me HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", 400, "invalid_request"},
		{"garbage", "\x16\x03\x01\x02\x00\r\n\r\n", 400, "invalid_request"},
		{"space before colon", "GET /me HTTP/1.1\r\n" + host + "Authorization : Bearer " + token + "\r\n\r\n", 400, "invalid_request"},
		{"NUL in a value", "GET /me HTTP/1.1\r\n" + host + "Authorization: Bearer \x00\r\n\r\n", 400, "invalid_request"},
		{"version", "GET /me HTTP/9.9\r\n" + host + "\r\n", 505, "not_implemented"},
		{"star", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
		{"PRI", "PRI * HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
		{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
		{"CONNECT to a path", "CONNECT /login HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
		{"TRACE", "TRACE /login HTTP/1.1\r\n" + host + "X-Secret: " + token + "\r\n\r\n", 405, "method_not_allowed"},
		{"absolute form", "GET http://evil.example/me HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\n\r\n", 200, ""},
		{"HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n", 200, ""},
		{"upgrade", "GET /livez HTTP/1.1\r\n" + host + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, ok := w.raw(c.text)
			if !ok {
				t.Fatal("no answer")
			}
			a.want(t, c.status, c.code)
			if strings.Contains(string(a.body), token) && c.status != 200 {
				t.Error("the token is echoed")
			}
			if c.status == 413 && a.header.Get("Connection") != "close" {
				t.Error("the rest of the body is awaited")
			}
		})
	}
}

// corpora is the folder with the public test material.
func corpora(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DOORWARD_CORPORA")
	if dir == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public corpora are not read")
	}
	return dir
}

// Every request that a strict parser refuses is refused here, or at least reaches
// nothing but the front door.
func TestWireCorpus(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(corpora(t), "llhttp-md", "requests.json"))
	must(t, err)
	var cases []struct {
		Name string `json:"name"`
		Mode string `json:"mode"`
		Raw  string `json:"raw_b64"`
		Kind string `json:"kind"`
	}
	must(t, json.Unmarshal(raw, &cases))
	w := newWorld(t)
	sent := 0
	for _, c := range cases {
		if c.Mode != "request" || c.Kind == "accept" {
			continue
		}
		text, err := base64.StdEncoding.DecodeString(c.Raw)
		must(t, err)
		sent++
		a, ok := w.raw(string(text) + "\r\n\r\n\r\n")
		if ok && a.status < 400 && a.text("name") != "Doorward" { // GET / is open to everybody and reads no body.
			t.Errorf("%s: %d %s", c.Name, a.status, a.body)
		}
	}
	if sent < 50 {
		t.Errorf("only %d requests in the corpus", sent)
	}
	w.do("GET", "/livez", nil).want(t, 200, "")
}
