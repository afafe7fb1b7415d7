// Package peek looks at what passes through a handler without consuming it: the body of a
// request, its cookies, and whether an answer was written.
package peek

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
)

// ErrTooLarge says that a body is longer than the limit, or than a limit that somebody
// else has set by http.MaxBytesReader.
var ErrTooLarge = errors.New("peek: the body is too large")

// Body returns the body, or nil if there is none, and puts it back into r, so that it can be
// read again. It does so with an error too: ErrTooLarge, or one of reading.
func Body(r *http.Request, limit int) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	read, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	r.Body = restored{io.MultiReader(bytes.NewReader(read), r.Body), r.Body}
	_, limited := errors.AsType[*http.MaxBytesError](err)
	switch {
	case limited || len(read) > limit:
		return nil, ErrTooLarge
	case err != nil:
		return nil, err
	}
	return read, nil
}

// MediaType reports whether the body is declared as being of that type.
func MediaType(r *http.Request, want string) bool {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && got == want
}

type restored struct {
	io.Reader
	io.Closer
}

// Writer notices whether anything was written.
type Writer struct {
	http.ResponseWriter
	Wrote bool
}

// WriteHeader notices the header of an answer, not that of an interim one.
func (w *Writer) WriteHeader(status int) {
	w.Wrote = w.Wrote || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write notices a body.
func (w *Writer) Write(p []byte) (int, error) {
	w.Wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap returns the ResponseWriter below, for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
