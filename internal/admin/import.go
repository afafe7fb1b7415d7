package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/roster"
)

// maxImport is how many users a request may bring, so that it is answered before a client gives up.
const maxImport = 5000

var (
	errManyRows = &endpoint.Failure{
		Status: http.StatusRequestEntityTooLarge, Code: "too_large", Description: "more than 5000 users at once; send them in parts",
	}
	errLongRow = &endpoint.Failure{
		Status: http.StatusRequestEntityTooLarge, Code: "too_large", Description: "a line is longer than 64 KiB; nobody was added",
	}
)

// importAnswer says what an import has done. The hashes are not in it.
type importAnswer struct {
	roster.Sum

	NotAdded []notAdded `json:"not_added"` // users who are there already are not among them
}

type notAdded struct {
	Line     int    `json:"line"`
	Username string `json:"username"` // its beginning, as far as it is known
	Reason   string `json:"reason"`
}

// usersImport adds users of another program with the hashes of their passwords. Each row is added or not by itself, so
// that after a failure the same lines can be sent again. It stops if the caller loses the role meanwhile.
func (a *Admin) usersImport(w http.ResponseWriter, r *http.Request) error {
	values, err := readQuery(r, "dry_run")
	if err != nil {
		return err
	}
	dry, err := flag(values, "dry_run")
	if err != nil {
		return err
	}
	lines, err := endpoint.ReadLines(w, r)
	if err != nil {
		return err
	}
	if err := checkLines(lines); err != nil {
		return err
	}
	l, claims := longAnswer(w), endpoint.Claims(r)
	answer := importAnswer{NotAdded: []notAdded{}}
	answer.Sum, err = roster.Import{
		People: a.People, Source: roster.ReadEntries(lines), Dry: dry, Event: event(r),
		Tell: func(row *roster.RowError) error {
			answer.NotAdded = append(answer.NotAdded, notAdded{row.Place, fmt.Sprintf("%.80s", row.Name), row.Reason})
			return nil
		},
		Still:    func(ctx context.Context) error { return a.checkStill(ctx, claims) },
		Progress: func(int, int64, int64) { l.hold() },
	}.Run(r.Context())
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// checkLines refuses lines that could not be read to their end, before any user is added.
func checkLines(lines []byte) error {
	source := roster.ReadEntries(lines)
	for rows := 0; ; rows++ {
		_, err := source.Next()
		_, passed := errors.AsType[*roster.RowError](err)
		switch {
		case errors.Is(err, io.EOF) && rows == 0:
			return endpoint.InvalidRequest("the body has no line with a user", nil)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !passed:
			return errLongRow
		case rows == maxImport:
			return errManyRows
		}
	}
}
