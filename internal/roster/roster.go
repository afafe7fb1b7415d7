// Package roster reads, imports and writes lists of users with the hashes of their
// passwords: CSV, JSON lines, and a table of an SQLite database.
//
// A list may have been written by any program, so that its parts are bounded before they are
// parsed: no row is larger than [MaxRow], and memory does not grow with the number of rows.
package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxRow is the greatest size of one row in bytes.
const MaxRow = 64 << 10

// MaxColumns is the greatest number of columns or members of a row.
const MaxColumns = 256

// Errors with which a Reader is not opened, or cannot go on.
var (
	// ErrColumn says that a column that was asked for is not there.
	ErrColumn = errors.New("roster: no such column")
	// ErrStatus says that a column seems to tell who may log in, but is neither read nor left
	// out on purpose.
	ErrStatus = errors.New("roster: a column that says who may log in is left out")
	// ErrSyntax says that the source cannot be read from some place on.
	ErrSyntax = errors.New("roster: not readable")
	// ErrSeparator says that the fields of a CSV file are separated by something else than commas.
	ErrSeparator = errors.New("roster: commas are wanted between the fields")
	// ErrTable says that a database has no such table.
	ErrTable = errors.New("roster: no such table")
)

// Columns are the names of columns. All but Name and Hash may be empty.
type Columns struct {
	Name, Email, Hash, Roles string
	// ExternalID is the user's ID in the program that the list comes from.
	ExternalID string
	// Disabled is true for users who may not log in, Active for those who may.
	Disabled, Active string
	// AllEnabled says that a column which looks like one of these is left out on purpose.
	AllEnabled bool
}

// Row is one user.
type Row struct {
	Place             int // line of a file, or number of the row of a table; from 1
	Name, Email, Hash string
	ExternalID        string
	Roles             []string
	Disabled          bool
}

// String leaves the hash out.
func (r Row) String() string { return fmt.Sprintf("row %d: %q", r.Place, r.Name) }

// GoString leaves the hash out.
func (r Row) GoString() string { return r.String() }

// RowError is a row that cannot be used. The next one may be.
type RowError struct {
	Place  int
	Name   string // as far as it is known
	Reason string
}

// Error says where and why.
func (e *RowError) Error() string { return fmt.Sprintf("roster: row %d: %s", e.Place, e.Reason) }

// Reader reads users one after the other.
type Reader interface {
	// Next returns the next user, io.EOF after the last, a *RowError for a row that cannot
	// be used, and any other error if it cannot go on.
	Next() (Row, error)
	// Progress returns how much was read and how much there is, both in bytes or in rows.
	Progress() (read, whole int64)
	// Close ends the reading.
	Close() error
}

// asked lists the columns that are read, each once.
func (c Columns) asked() []string {
	var asked []string
	for _, column := range []string{c.Name, c.Email, c.Hash, c.ExternalID, c.Roles, c.Disabled, c.Active} {
		if column != "" && !slices.Contains(asked, column) {
			asked = append(asked, column)
		}
	}
	return asked
}

// check returns ErrColumn if a column is missing in a source whose columns are names.
func (c Columns) check(names []string) error {
	if len(names) > MaxColumns {
		return fmt.Errorf("%w: more than %d columns", ErrSyntax, MaxColumns)
	}
	for _, want := range c.asked() {
		if !slices.Contains(names, want) {
			return fmt.Errorf("%w: %q", ErrColumn, want)
		}
	}
	return c.checkStatus(names)
}

// checkStatus returns ErrStatus if a column that says who may log in would be ignored: users who
// were disabled would be enabled because somebody has forgotten a flag.
func (c Columns) checkStatus(names []string) error {
	if c.Disabled != "" || c.Active != "" || c.AllEnabled {
		return nil
	}
	for _, name := range names {
		switch strings.ToLower(name) {
		case "disabled", "is_disabled", "active", "is_active", "enabled", "is_enabled":
			return fmt.Errorf("%w: %q", ErrStatus, name)
		}
	}
	return nil
}

// row makes a Row from what get returns for each column.
func (c Columns) row(place int, get func(column string) (string, error)) (Row, error) {
	r := Row{Place: place}
	refuse := func(reason string) (Row, error) {
		return Row{}, &RowError{Place: place, Name: r.Name, Reason: reason}
	}
	values := map[string]string{}
	for _, column := range c.asked() {
		text, err := get(column)
		if err != nil {
			return refuse(err.Error())
		}
		values[column] = text
		r.Name = values[c.Name]
	}
	r.Email, r.Hash, r.ExternalID = values[c.Email], values[c.Hash], values[c.ExternalID]
	if c.Roles != "" {
		r.Roles = strings.FieldsFunc(values[c.Roles], func(char rune) bool { return strings.ContainsRune(", ;", char) })
	}
	for column, disables := range map[string]bool{c.Disabled: true, c.Active: false} {
		if column == "" {
			continue
		}
		is, ok := truth(values[column])
		if !ok {
			return refuse(fmt.Sprintf("%s is neither true nor false", column))
		}
		r.Disabled = r.Disabled || is == disables
	}
	return r, nil
}

// truth reads what databases and their exports write for true and false.
func truth(text string) (is, ok bool) {
	switch strings.ToLower(text) {
	case "1", "true", "t", "yes", "y":
		return true, true
	case "0", "false", "f", "no", "n":
		return false, true
	}
	return false, false
}
