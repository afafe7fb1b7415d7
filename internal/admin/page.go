package admin

import (
	"encoding/base64"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/endpoint"
)

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxCursor    = 512
)

// page is what a list was asked for: at most limit entries after a position.
type page struct {
	list  string // the end of its path
	limit int
	after string
	// filters are the other parameters of the list.
	filters map[string]string
}

var errCursor = endpoint.InvalidRequest("cursor must be what next said in an answer of this list", nil)

// readPage reads limit, cursor and the filters that a list knows, as readQuery does. An empty filter is refused, since it
// could mean nothing or everything.
func readPage(r *http.Request, filters ...string) (page, error) {
	p := page{list: path.Base(r.URL.Path), limit: defaultLimit, filters: map[string]string{}}
	known := append([]string{"limit", "cursor"}, filters...)
	values, err := readQuery(r, known...)
	if err != nil {
		return p, err
	}
	for _, name := range filters {
		name = strings.TrimSuffix(name, ",")
		if text, ok := values[name]; ok && text == "" {
			return p, endpoint.InvalidRequest(name+" must not be empty; leave it out for all", nil)
		}
	}
	p.filters = values
	if text, ok := values["limit"]; ok {
		if p.limit, err = strconv.Atoi(text); err != nil || p.limit < 1 || p.limit > maxLimit {
			return p, endpoint.InvalidRequest("limit must be a number from 1 to "+strconv.Itoa(maxLimit), nil)
		}
	}
	if text, ok := values["cursor"]; ok {
		if p.after, ok = p.parseCursor(text); !ok {
			return p, errCursor
		}
	}
	return p, nil
}

// readQuery reads the parameters of a request. Each must be known and come once; one whose name in known ends in a comma
// may come several times, and its values are joined with commas.
func readQuery(r *http.Request, known ...string) (map[string]string, error) {
	values, err := endpoint.Query(r)
	if err != nil {
		return nil, err
	}
	read, names := map[string]string{}, make([]string, len(known))
	for i, name := range known {
		name, several := strings.CutSuffix(name, ",")
		if names[i] = name; len(values[name]) > 1 && !several {
			return nil, endpoint.InvalidRequest(name+" comes twice", nil)
		}
		if list, ok := values[name]; ok {
			read[name] = strings.Join(list, ",")
		}
		delete(values, name)
	}
	if len(values) > 0 {
		text := "there are no parameters here"
		if len(known) > 0 {
			text = "known parameters are " + strings.Join(names, ", ")
		}
		return nil, endpoint.InvalidRequest(text, nil)
	}
	return read, nil
}

// flag reads a parameter that is true, false or left out.
func flag(values map[string]string, name string) (bool, error) {
	switch text, ok := values[name]; {
	case !ok, text == "false":
		return false, nil
	case text == "true":
		return true, nil
	}
	return false, endpoint.InvalidRequest(name+" must be true or false", nil)
}

// cut returns the entries of a page, and the cursor of the next page or "". list was asked for one entry more than the
// page holds, so that it tells whether there is a next page.
func cut[T any](p page, list []T, position func(T) string) (entries []T, next string) {
	if len(list) <= p.limit {
		return list, ""
	}
	list = list[:p.limit]
	return list, p.cursorText(position(list[p.limit-1]))
}

// each shows the entries of a list. What is empty is [], not null.
func each[T, E any](list []T, show func(T) E) []E {
	shown := make([]E, len(list))
	for i, entry := range list {
		shown[i] = show(entry)
	}
	return shown
}

// cursorText encodes a position in a list. The name of the list is in it, so that another list refuses it. It is not
// signed: a forged one shows nothing that the list does not show anyway.
func (p page) cursorText(position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.list + " " + position))
}

func (p page) parseCursor(text string) (position string, ok bool) {
	if text == "" || len(text) > maxCursor {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || !utf8.Valid(raw) || strings.ContainsAny(string(raw), "\x00") || strings.ContainsAny(text, "\r\n") {
		return "", false
	}
	position, ok = strings.CutPrefix(string(raw), p.list+" ")
	return position, ok && position != ""
}
