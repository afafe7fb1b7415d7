package roster

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// csvReader reads a CSV file (RFC 4180) whose first line names the columns.
type csvReader struct {
	file    *os.File
	limit   *limited
	size    int64
	csv     *csv.Reader
	header  []string
	columns Columns
}

// OpenCSV opens a CSV file and reads its header.
func OpenCSV(path string, c Columns) (Reader, error) {
	file, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	r := &csvReader{file: file, size: size, limit: &limited{from: file, left: MaxRow}, columns: c}
	buffered := bufio.NewReader(r.limit)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(len(mark))
	}
	begin, _ := buffered.Peek(buffered.Size())
	r.csv = csv.NewReader(buffered)
	if err := r.readHeader(); err != nil {
		return nil, errors.Join(cmp.Or(otherSeparator(string(begin)), err), file.Close())
	}
	return r, nil
}

// otherSeparator returns ErrSeparator if the first line of a text has no comma, but what spreadsheets write in its place.
func otherSeparator(begin string) error {
	line, _, _ := strings.Cut(begin, "\n")
	switch {
	case strings.Contains(line, ","):
	case strings.Contains(line, ";"):
		return fmt.Errorf("%w, and there seem to be semicolons", ErrSeparator)
	case strings.Contains(line, "\t"):
		return fmt.Errorf("%w, and there seem to be tabs", ErrSeparator)
	}
	return nil
}

// Next returns the user of the next record.
func (r *csvReader) Next() (Row, error) {
	r.limit.left = MaxRow
	fields, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	if errors.Is(err, csv.ErrFieldCount) {
		line, _ := r.csv.FieldPos(0)
		return Row{}, &RowError{Place: line, Reason: fmt.Sprintf("%d fields, the first line has %d", len(fields), len(r.header))}
	}
	if err != nil {
		return Row{}, unreadable(err)
	}
	line, _ := r.csv.FieldPos(0)
	return r.columns.row(line, func(column string) (string, error) {
		return fields[slices.Index(r.header, column)], nil
	})
}

// Progress counts bytes.
func (r *csvReader) Progress() (read, whole int64) { return r.csv.InputOffset(), r.size }

// Close closes the file.
func (r *csvReader) Close() error { return r.file.Close() }

func (r *csvReader) readHeader() error {
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file is empty", ErrSyntax)
	}
	if err != nil {
		return unreadable(err)
	}
	r.header = slices.Clone(header)
	if sorted := slices.Sorted(slices.Values(header)); len(slices.Compact(sorted)) != len(header) {
		return fmt.Errorf("%w: two columns have one name", ErrSyntax)
	}
	return r.columns.check(r.header)
}

// unreadable turns an error of package csv into ErrSyntax with its line and cause.
func unreadable(err error) error {
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("%w from line %d on: %w", ErrSyntax, at.Line, at.Err)
	}
	return err
}

// limited is a reader that fails after left bytes, so that a record without an end
// does not fill the memory.
type limited struct {
	from io.Reader
	left int
}

// Read fails if nothing is left. Otherwise it may read more than is left, since p may have
// room for the beginning of the next record.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: a row of more than %d bytes", ErrSyntax, MaxRow)
	}
	n, err := l.from.Read(p)
	l.left -= n
	return n, err
}

func openFile(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%w: a folder", ErrSyntax)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}
