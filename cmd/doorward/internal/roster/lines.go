package roster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// linesReader reads a file with one JSON object on each line.
type linesReader struct {
	file    *os.File
	size    int64
	scan    *bufio.Scanner
	line    int
	read    int64
	columns Columns
}

// OpenLines opens a file of JSON lines. Blank lines are passed over.
func OpenLines(path string, c Columns) (Reader, error) {
	file, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, MaxRow)
	return &linesReader{file: file, size: size, scan: scan, columns: c}, nil
}

// Next returns the user of the next line.
func (r *linesReader) Next() (Row, error) {
	for r.scan.Scan() {
		r.line++
		r.read += int64(len(r.scan.Bytes())) + 1
		if len(strings.TrimSpace(r.scan.Text())) > 0 {
			return r.parse(r.scan.Bytes())
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

// Close closes the file.
func (r *linesReader) Close() error { return r.file.Close() }

func (r *linesReader) parse(line []byte) (Row, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(line, &members); err != nil || members == nil || len(members) > MaxColumns {
		return Row{}, &RowError{Place: r.line, Reason: "not one JSON object, in UTF-8, with each name once"}
	}
	if err := r.columns.checkStatus(slices.Collect(maps.Keys(members))); err != nil {
		return Row{}, err
	}
	return r.columns.row(r.line, func(column string) (string, error) {
		value, ok := members[column]
		if !ok {
			return "", fmt.Errorf("no member %q", column)
		}
		return memberText(value, column == r.columns.Roles)
	})
}

// memberText returns a text, or what stands for one; of a list, its texts.
func memberText(value jsontext.Value, list bool) (string, error) {
	switch value.Kind() {
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return text, err
	case 't', 'f', '0':
		return string(value), nil
	case 'n':
		return "", nil
	case '[':
		var texts []string
		if err := json.Unmarshal(value, &texts); err == nil && list {
			return strings.Join(texts, ","), nil
		}
	}
	return "", errors.New("a member of a type that does not fit")
}
