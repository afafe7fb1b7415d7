package server

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/go-json-experiment/json"
)

// plainConn gives the refusals that net/http writes by itself, before there is
// a request to handle, the shape of all others. They are a status line and then
// exactly wireHeaders, which no answer of a handler is: that has a Date. Over
// TLS they stay as they are, since net/http then holds the connection itself.
type plainConn struct{ *limitedConn }

const wireHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write passes p on, or what stands for it.
func (c *plainConn) Write(p []byte) (int, error) {
	status, ok := bareRefusal(p)
	if !ok {
		return c.limitedConn.Write(p)
	}
	code, description := "invalid_request", "the request is not HTTP as it should be"
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		code, description = "headers_too_large", textHeaders
	case http.StatusNotImplemented:
		code, description = "not_implemented", "the transfer encoding is not known here"
	case http.StatusHTTPVersionNotSupported:
		code, description = "not_implemented", "the version of HTTP is not known here"
	}
	id := rand.Text()
	c.limit.log.Info("refused", slog.String("request_id", id), slog.Int("status", status), slog.String("error", code),
		slog.String("reason", "refused by net/http before it was a request"), slog.String("remote", c.RemoteAddr().String()))
	if _, err := c.limitedConn.Write(wireRefusal(status, endpoint.ErrorBody{Error: code, Description: description, RequestID: id}, "")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bareRefusal reports whether p is a refusal of net/http itself, and its status.
func bareRefusal(p []byte) (int, bool) {
	line, rest, ok := bytes.Cut(p, []byte("\r\n"))
	if !ok || !bytes.HasPrefix(rest, []byte(wireHeaders[2:])) || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < 12 {
		return 0, false
	}
	status, err := strconv.Atoi(string(line[9:12]))
	return status, err == nil && status >= http.StatusBadRequest
}

// wireRefusal is a whole answer for a connection that ends with it. Extra is
// header lines, each with its line end.
func wireRefusal(status int, refusal endpoint.ErrorBody, extra string) []byte {
	body, err := json.Marshal(refusal)
	if err != nil {
		panic("server: an answer is not JSON: " + err.Error())
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(body), extra, body)
}
