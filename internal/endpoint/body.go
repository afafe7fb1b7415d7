package endpoint

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// bodyLimit is the greatest request body in bytes, except for those of [ReadLines].
const bodyLimit = 16 << 10

// linesLimit is the greatest body of [ReadLines] in bytes.
const linesLimit = 1 << 20

const jsonMedia = "application/json"

// linesMedia are the names of JSON lines. None is registered; the first is what OpenAPI's registry calls them.
var linesMedia = []string{"application/jsonl", "application/x-ndjson"}

var (
	errTooBig   = tooBig("the body is longer than 16 KiB")
	errTooLong  = tooBig("the body is longer than 1 MiB; send it in parts")
	errNotLines = &Failure{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Description: "the body must be JSON lines: send Content-Type: application/jsonl",
	}
	// ErrNotJSON is 415 for a body that does not say that it is JSON, or none where one is needed.
	ErrNotJSON = &Failure{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Description: "the body must be JSON: send Content-Type: application/json",
	}
)

// tooBig ends the connection, so that the rest of the body is not awaited.
func tooBig(description string) *Failure {
	return &Failure{
		Status: http.StatusRequestEntityTooLarge, Code: "too_large", Description: description,
		Header: http.Header{"Connection": {"close"}},
	}
}

// ReadLines reads the body, JSON lines of at most 1 MiB. What is on the lines is not looked at.
func ReadLines(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > linesLimit {
		return nil, errTooLong
	}
	if !hasMedia(r.Header, linesMedia...) {
		return nil, errNotLines
	}
	return readBody(w, r, linesLimit, errTooLong)
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64, tooLong error) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLong
	}
	if late, ok := errors.AsType[*Failure](err); ok { // r.Body is a reader that refuses with a Failure of its own.
		return nil, late
	}
	if err != nil {
		return nil, InvalidRequest("the body could not be read to its end", err)
	}
	return body, nil
}

// hasMedia reports whether the body says that it is of one of the media types, with charset=utf-8 or without.
func hasMedia(h http.Header, media ...string) bool {
	value, ok := SingleHeader(h, "Content-Type")
	if !ok || h.Get("Content-Encoding") != "" {
		return false
	}
	name, params, err := mime.ParseMediaType(value)
	if err != nil || !slices.Contains(media, name) {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}
