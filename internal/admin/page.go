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
	list  string // which one, by its path
	limit int
	after string
	// filters are the other parameters of the list.
	filters map[string]string
}

var errCursor = endpoint.InvalidRequest("cursor must be what next said in an answer of this list", nil)

// readPage reads limit, cursor and the filters that a list knows, as readQuery does. A filter without a value is refused: it
// would select nothing, or be taken for one that is left out.
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

// readQuery reads the parameters of a request, each of which is known and comes once. Of one whose known name ends with a
// comma there may be several, which are joined by it.
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

// cut returns the entries of a page of a list that was asked for one more, and the cursor of the
// next one.
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

// cursorText writes a position in a list: another list, whose positions are others, does not take it. Whoever changes it
// reaches nothing that the list does not show anyway.
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
