// Package referencetest holds answers against openapi.yaml: which statuses an endpoint may answer, with which headers
// and which members.
package referencetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/doorward/doorward/internal/reference"
	"github.com/getkin/kin-openapi/openapi3"
)

// everywhere are the headers that any answer may have, beside those that the file names for it.
var everywhere = []string{
	"Cache-Control", "Connection", "Content-Length", "Content-Security-Policy", "Content-Type", "Cross-Origin-Resource-Policy", "Date",
	"Referrer-Policy", "Retry-After", "Strict-Transport-Security", "Vary", "Www-Authenticate", "X-Content-Type-Options",
}

// anywhere are the statuses that stand behind "default" in the file, of any endpoint.
var anywhere = []int{
	http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge, http.StatusInternalServerError,
	http.StatusNotImplemented, http.StatusServiceUnavailable,
}

// Answer is one request and what came back.
type Answer struct {
	Method, Path string // as they were sent, without the query
	Sent         []byte // the body of the request
	Status       int
	Header       http.Header
	Body         []byte
}

// load reads the file once.
var load = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(reference.File)
	if err == nil {
		err = doc.Validate(context.Background())
	}
	return doc, err
})

// Operations lists every operation of the file as "METHOD path", sorted.
func Operations() ([]string, error) {
	doc, err := load()
	if err != nil {
		return nil, err
	}
	var list []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			list = append(list, method+" "+path)
		}
	}
	slices.Sort(list)
	return list, nil
}

// Check says in what an answer is not what the file promises. It may be called concurrently.
func Check(a Answer) error {
	doc, err := load()
	if err != nil {
		return err
	}
	if a.Method == http.MethodOptions {
		return nil // A preflight's answer is CORS's.
	}
	op, err := operation(doc, a)
	if err != nil {
		return fmt.Errorf("%s %s: %w", a.Method, a.Path, err)
	}
	if op == nil { // There is no such endpoint, or it does not know the method.
		return object(a, doc.Components.Schemas["Error"])
	}
	if err := errors.Join(answer(op, a), request(op, a)); err != nil {
		return fmt.Errorf("%s %s: %d: %w", a.Method, a.Path, a.Status, err)
	}
	return nil
}

// operation finds what the request asked for, nil if that is nothing here.
func operation(doc *openapi3.T, a Answer) (*openapi3.Operation, error) {
	method := a.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	asked := a.Path
	if asked == "//" && a.Status < http.StatusBadRequest {
		asked = "/" // which some listeners take it for: none of them redirects
	}
	for path, item := range doc.Paths.Map() {
		if !matches(path, asked) || path != asked && doc.Paths.Value(asked) != nil { // A path without a template goes first.
			continue
		}
		if op := item.GetOperation(method); op != nil {
			return op, nil
		}
		if a.Status != http.StatusMethodNotAllowed && a.Status != http.StatusNotFound && !slices.Contains(anywhere, a.Status) {
			return nil, fmt.Errorf("%d of a method that the file does not have", a.Status)
		}
		return nil, nil
	}
	if a.Status < http.StatusBadRequest {
		return nil, fmt.Errorf("%d of a path that the file does not have", a.Status)
	}
	return nil, nil
}

// matches reports whether a path is one of a template.
func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (!strings.HasPrefix(want[i], "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// answer holds status, headers and body against an operation.
func answer(op *openapi3.Operation, a Answer) error {
	ref := op.Responses.Value(strconv.Itoa(a.Status))
	if ref == nil && slices.Contains(anywhere, a.Status) {
		ref = op.Responses.Default()
	}
	if ref == nil {
		return errors.New("the file does not have this status")
	}
	for name, h := range ref.Value.Headers {
		if h.Value.Required && a.Header.Get(name) == "" {
			return fmt.Errorf("no header %s", name)
		}
	}
	for name := range a.Header {
		named := slices.Contains(everywhere, name) || strings.HasPrefix(name, "Access-Control-")
		for known := range ref.Value.Headers {
			named = named || http.CanonicalHeaderKey(known) == name
		}
		if !named {
			return fmt.Errorf("a header %s, which the file does not have", name)
		}
	}
	if a.Method == http.MethodHead {
		return nil
	}
	if len(ref.Value.Content) == 0 {
		if len(a.Body) > 0 {
			return errors.New("a body, and the file has none")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	content := ref.Value.Content[media]
	if content == nil {
		return fmt.Errorf("the file does not have %s", media)
	}
	if media != "application/json" {
		return nil
	}
	return object(a, content.Schema)
}

// request holds what was sent, and was good, against an operation.
func request(op *openapi3.Operation, a Answer) error {
	if a.Status >= http.StatusBadRequest || len(a.Sent) == 0 {
		return nil
	}
	if op.RequestBody == nil {
		return nil
	}
	content := op.RequestBody.Value.Content["application/json"]
	if content == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.Sent, &value); err != nil {
		return err
	}
	if err := content.Schema.Value.VisitJSON(value, openapi3.VisitAsRequest()); err != nil {
		return fmt.Errorf("a request that the file does not have: %w", err)
	}
	return nil
}

func object(a Answer, schema *openapi3.SchemaRef) error {
	if a.Method == http.MethodHead {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.Body, &value); err != nil {
		return err
	}
	return schema.Value.VisitJSON(value, openapi3.VisitAsResponse())
}
