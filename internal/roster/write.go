package roster

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Written are the columns that a [Writer] writes.
var Written = Columns{Name: "username", Hash: "password_hash", Roles: "roles", Disabled: "disabled", Email: "email", ExternalID: "external_id"}

// writtenID is the column of the ID that a [Writer] writes beside them. An import ignores it.
const writtenID = "id"

// Entry is one user who is written, with the ID that tokens carry as sub.
type Entry struct {
	Name       string   `json:"username"`
	Hash       string   `json:"password_hash"`
	Roles      []string `json:"roles"`
	Disabled   bool     `json:"disabled"`
	ID         string   `json:"id"`
	Email      string   `json:"email"`
	ExternalID string   `json:"external_id"`
}

// String leaves the hash out.
func (e Entry) String() string { return "entry " + e.ID }

// GoString leaves the hash out.
func (e Entry) GoString() string { return e.String() }

// Export calls put for each user, in the order of names, and returns how many there were. page reads the next users. The
// hash of an admin's initial password, which was not changed yet, is left out.
func Export(ctx context.Context, page func(context.Context, account.Query) ([]account.Credential, error), put func(Entry) error) (users int, err error) {
	for after := ""; ; {
		list, err := page(ctx, account.Query{After: after, Limit: account.MaxPage})
		if err != nil || len(list) == 0 {
			return users, err
		}
		for _, c := range list {
			if err := put(entryOf(c)); err != nil {
				return users, err
			}
			users++
		}
		after = list[len(list)-1].User.Canonical
	}
}

func entryOf(c account.Credential) Entry {
	e := Entry{
		Name: c.User.Name, Hash: c.Hash, Roles: append([]string{}, c.User.Roles...), Disabled: c.User.Disabled,
		ID: c.User.ID, Email: c.User.Email, ExternalID: c.User.ExternalID,
	}
	if c.User.AdminWaits() {
		e.Hash = ""
	}
	return e
}

// Writer writes users to a new file that only its owner may read.
type Writer struct {
	file *os.File
	text *bufio.Writer
	put  func(Entry) error
	end  func() error
}

// CreateCSV makes a CSV file. It returns fs.ErrExist if the file is there already.
func CreateCSV(path string) (*Writer, error) {
	return create(path, func(to io.Writer) (func(Entry) error, func() error, error) {
		w := csv.NewWriter(to)
		put := func(e Entry) error {
			return w.Write([]string{e.Name, e.Hash, strings.Join(e.Roles, " "), strconv.FormatBool(e.Disabled), e.ID, e.Email, e.ExternalID})
		}
		end := func() error {
			w.Flush()
			return w.Error()
		}
		return put, end, w.Write([]string{Written.Name, Written.Hash, Written.Roles, Written.Disabled, writtenID, Written.Email, Written.ExternalID})
	})
}

// CreateLines makes a file of JSON lines. It returns fs.ErrExist if the file is there already.
func CreateLines(path string) (*Writer, error) {
	return create(path, func(to io.Writer) (func(Entry) error, func() error, error) {
		return NewLines(to).Put, func() error { return nil }, nil
	})
}

// Lines writes users as JSON lines.
type Lines struct{ to *jsontext.Encoder }

// NewLines returns Lines that write to a writer.
func NewLines(to io.Writer) Lines { return Lines{jsontext.NewEncoder(to)} }

// Put writes one user.
func (l Lines) Put(e Entry) error { return json.MarshalEncode(l.to, e) }

// end is the line after the last user. An import passes over it.
type end struct {
	Type  string `json:"type"` // end
	Users int    `json:"users"`
}

// End writes the end line with the number of users, so that nobody takes a part of the list for all of it.
func (l Lines) End(users int) error { return json.MarshalEncode(l.to, end{"end", users}) }

// Put writes one user.
func (w *Writer) Put(e Entry) error { return w.put(e) }

// Close finishes the file. If it returns no error, the file is on the disk.
func (w *Writer) Close() error {
	return errors.Join(w.end(), w.text.Flush(), w.file.Sync(), w.file.Close())
}

// Abandon removes the unfinished file.
func (w *Writer) Abandon() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}

func create(path string, begin func(io.Writer) (func(Entry) error, func() error, error)) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, text: bufio.NewWriter(file)}
	if w.put, w.end, err = begin(w.text); err != nil {
		return nil, errors.Join(err, w.Abandon())
	}
	return w, nil
}
