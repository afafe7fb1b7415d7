package roster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// linesReader reads one JSON object on each line.
type linesReader struct {
	source io.Closer
	size   int64
	scan   *bufio.Scanner
	line   int
	read   int64
	// columns says what is read of an object with these members.
	columns func(names []string) (Columns, error)
	exact   bool // each member has the type that it has in an Entry
}

// OpenLines opens a file of JSON lines. Blank lines and the end line of an export are passed over.
func OpenLines(path string, c Columns) (Reader, error) {
	file, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return newLines(file, size, func(names []string) (Columns, error) { return c, c.checkStatus(names) }), nil
}

// ReadEntries reads JSON lines whose members are those of an [Entry]. The name and the hash are required, and the ID is
// ignored. For a line with another member, or with a member of another type, Next returns a [RowError]. Blank lines and
// the end line of an export are passed over. The only error after which it cannot go on is ErrSyntax, for a line that is
// too long.
func ReadEntries(text []byte) Reader {
	r := newLines(io.NopCloser(bytes.NewReader(text)), int64(len(text)), entryColumns)
	r.exact = true
	return r
}

func newLines(from io.ReadCloser, size int64, columns func(names []string) (Columns, error)) *linesReader {
	scan := bufio.NewScanner(from)
	scan.Buffer(nil, MaxRow)
	return &linesReader{source: from, size: size, scan: scan, columns: columns}
}

// entryColumns returns the columns of an Entry that has these members.
func entryColumns(names []string) (Columns, error) {
	c := Columns{Name: Written.Name, Hash: Written.Hash}
	for _, name := range names {
		switch name {
		case Written.Name, Written.Hash, writtenID:
		case Written.Email:
			c.Email = name
		case Written.ExternalID:
			c.ExternalID = name
		case Written.Roles:
			c.Roles = name
		case Written.Disabled:
			c.Disabled = name
		default:
			return c, &RowError{Reason: "a member that is not known; known are username, password_hash, email, roles, disabled, external_id, id"}
		}
	}
	return c, nil
}

// Next returns the user of the next line.
func (r *linesReader) Next() (Row, error) {
	for r.scan.Scan() {
		r.line++
		r.read += int64(len(r.scan.Bytes())) + 1
		line := r.scan.Bytes()
		if r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // as in a CSV file
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if row, err := r.parse(line); !errors.Is(err, errEnd) {
			return row, err
		}
	}
	switch err := r.scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Row{}, fmt.Errorf("%w from line %d on: a row of more than %d bytes", ErrSyntax, r.line+1, MaxRow)
	case err != nil:
		return Row{}, err
	}
	return Row{}, io.EOF
}

// Progress counts bytes.
func (r *linesReader) Progress() (read, whole int64) { return r.read, r.size }

// Close closes what is read.
func (r *linesReader) Close() error { return r.source.Close() }

func (r *linesReader) parse(line []byte) (Row, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(line, &members); err != nil || members == nil || len(members) > MaxColumns {
		return Row{}, &RowError{Place: r.line, Reason: "not one JSON object, in UTF-8, with each name once"}
	}
	if string(members["type"]) == `"end"` && members["users"].Kind() == '0' && len(members) == 2 {
		return Row{}, errEnd
	}
	columns, err := r.columns(slices.Collect(maps.Keys(members)))
	if bad, ok := errors.AsType[*RowError](err); ok {
		bad.Place = r.line
	}
	if err != nil {
		return Row{}, err
	}
	return columns.row(r.line, func(column string) (string, error) {
		value, ok := members[column]
		if !ok {
			return "", fmt.Errorf("no member %q", column)
		}
		text, fits := memberText(value, column == columns.Roles)
		if !fits || r.exact && !columns.fits(column, value.Kind()) {
			return "", fmt.Errorf("the member %q is of a type that does not fit", column)
		}
		return text, nil
	})
}

// errEnd stands for the line after the last user of an export.
var errEnd = errors.New("the end of an export")

// fits reports whether a member of an Entry may be of this kind.
func (c Columns) fits(column string, kind jsontext.Kind) bool {
	switch column {
	case c.Roles:
		return kind == '['
	case c.Disabled:
		return kind == 't' || kind == 'f'
	}
	return kind == '"'
}

// memberText returns a member as text, if it can be one. Only if list is set may it be a list of texts, which are joined with commas.
func memberText(value jsontext.Value, list bool) (text string, fits bool) {
	switch value.Kind() {
	case '"':
		err := json.Unmarshal(value, &text)
		return text, err == nil
	case 't', 'f', '0':
		return string(value), true
	case 'n':
		return "", true
	case '[':
		var texts []string
		if err := json.Unmarshal(value, &texts); err == nil && list {
			return strings.Join(texts, ","), true
		}
	}
	return "", false
}
