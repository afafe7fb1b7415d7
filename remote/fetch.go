package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	timeout    = 5 * time.Second // of a fetch, discovery included
	maxBody    = 1 << 20         // bytes
	maxHeaders = 64 << 10        // bytes
)

// failure is the error of a fetch.
type failure struct {
	reason string // the word for Outcome.Reason
	err    error
	status int           // of the answer, if that is what was wrong
	wait   time.Duration // the answer's Retry-After; 0 if it has none
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failed(reason, format string, args ...any) error {
	return &failure{reason: reason, err: fmt.Errorf(format, args...)}
}

// document is an answer with status 200, or with 304 if the request had an ETag.
type document struct {
	body      []byte
	header    http.Header
	unchanged bool
}

// client fetches JSON documents within the limits of this package.
type client struct {
	http     http.Client
	insecure bool
}

func newClient(transport http.RoundTripper, insecure bool) *client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true, // the next fetch is minutes away
			DisableCompression:     true, // what is read is what was sent
			MaxResponseHeaderBytes: maxHeaders,
		}
	}
	return &client{insecure: insecure, http: http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get fetches the document at address. tag is the ETag of the document at hand, or "".
func (c *client) get(ctx context.Context, address, tag string) (document, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return document{}, failed("network", "%w", err)
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	return c.fetch(r, tag)
}

// fetch sends the request, whose ETag is tag, and reads the document.
func (c *client) fetch(r *http.Request, tag string) (document, error) {
	resp, err := c.send(r)
	if err != nil {
		return document{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode == http.StatusNotModified && tag != "" {
		return document{header: resp.Header, unchanged: true}, nil
	}
	if err := checkHead(resp); err != nil {
		return document{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return document{}, failed("network", "%w", err)
	case len(body) > maxBody:
		return document{}, failed("size", "the answer is longer than %d bytes", maxBody)
	}
	return document{body: body, header: resp.Header}, nil
}

// send returns the response, whatever its status.
func (c *client) send(r *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err == nil {
		return resp, nil
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, whose query may be a secret
	}
	return nil, failed("network", "%w", err)
}

// isJSON reports whether a content type is application/json or has the suffix +json (RFC 6839 §3.1).
func isJSON(contentType string) bool {
	typ, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return typ == "application/json" || strings.HasPrefix(typ, "application/") && strings.HasSuffix(typ, "+json")
}

// checkHead checks the status and the header of a response that should be a JSON document.
func checkHead(resp *http.Response) error {
	if err := checkStatus(resp); err != nil {
		return err
	}
	if typ := resp.Header.Get("Content-Type"); !isJSON(typ) {
		return failed("type", "the answer's Content-Type is %.80q, want application/json or application/jwk-set+json", typ)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return failed("type", "the answer is compressed, which nobody asked for")
	}
	return nil
}

// checkStatus returns an error unless the status is 200.
func checkStatus(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &failure{
		reason: "status", status: resp.StatusCode, wait: seconds(resp.Header.Get("Retry-After")),
		err: fmt.Errorf("the answer is status %d, want 200; redirects are not followed", resp.StatusCode),
	}
}

// checkURL parses an absolute URL without credentials and fragment. It must be https, or http to
// this machine itself, unless the client allows http to others too. The error completes a sentence
// that begins with the name of the setting.
func (c *client) checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Hostname() == "":
		return nil, errors.New("is not an absolute URL with a host")
	case u.User != nil:
		return nil, errors.New("has a user name or a password")
	case strings.Contains(text, "#"):
		return nil, errors.New("has a fragment")
	case u.Scheme == "https", u.Scheme == "http" && (c.insecure || loopback(u.Hostname())):
		return u, nil
	}
	return nil, errors.New("is not https (http is for loopback, or for InsecureAllowHTTP)")
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
