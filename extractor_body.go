package doorward

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/peek"
	"github.com/doorward/doorward/internal/strict"
)

// maxBody bounds the body in which a token is looked for. A larger one is
// ErrTooLarge, unless the token is elsewhere.
const maxBody = 64 << 10

// FormField finds the token in the named field of a form: POST or PUT with
// application/x-www-form-urlencoded (RFC 6750 §2.2), at most 64 KiB. The
// handler can read the body again.
func FormField(name string) Extractor { return formPlace{name} }

// JSONField finds the token in the named member, a string, of a JSON object
// in the body: application/json, at most 64 KiB, no duplicate names. A body that
// is no object has no token. The handler can read the body again.
func JSONField(name string) Extractor { return jsonPlace{name} }

// Query finds the token in the named parameter of the URL. URLs end up in
// logs and histories, so use it only where a client can do nothing else. This
// package never logs it.
func Query(name string) Extractor { return queryPlace{name} }

type formPlace struct{ name string }

func (p formPlace) Extract(r *http.Request) (string, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut || !peek.MediaType(r, "application/x-www-form-urlencoded") {
		return "", nil
	}
	if r.PostForm != nil { // a handler further out has read the body
		return only(r.PostForm[p.name], "values of", p.name)
	}
	body, err := readBody(r)
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", fmt.Errorf("%w: the form cannot be read", ErrRequest)
	}
	return only(form[p.name], "values of", p.name)
}

func (p formPlace) place() (string, error) { return fieldPlace("form field", p.name) }
func (p formPlace) vary() string           { return "" }

type jsonPlace struct{ name string }

func (p jsonPlace) Extract(r *http.Request) (string, error) {
	if !peek.MediaType(r, "application/json") {
		return "", nil
	}
	body, err := readBody(r)
	if err != nil || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return "", err
	}
	var token string
	err = strict.Object(body, maxDepth, func(name, value []byte) (err error) {
		if string(name) == p.name {
			token, err = strict.String(value)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%w: JSON body: %w", ErrRequest, err)
	}
	return token, nil
}

func (p jsonPlace) place() (string, error) { return fieldPlace("JSON member", p.name) }
func (p jsonPlace) vary() string           { return "" }

type queryPlace struct{ name string }

func (p queryPlace) Extract(r *http.Request) (string, error) {
	if r.URL == nil || r.URL.RawQuery == "" {
		return "", nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil && strings.Contains(r.URL.RawQuery, p.name) {
		return "", fmt.Errorf("%w: the query cannot be read", ErrRequest)
	}
	return only(values[p.name], "values of", p.name)
}

func (p queryPlace) place() (string, error) { return fieldPlace("query parameter", p.name) }
func (p queryPlace) vary() string           { return "" }

func fieldPlace(kind, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("the %s has no name", kind)
	}
	return kind + " " + name, nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := peek.Body(r, maxBody)
	switch {
	case errors.Is(err, peek.ErrTooLarge):
		return nil, fmt.Errorf("%w: more than %d bytes to look for a token in", ErrTooLarge, maxBody)
	case err != nil:
		return nil, fmt.Errorf("%w: the body cannot be read", ErrRequest)
	}
	return body, nil
}
