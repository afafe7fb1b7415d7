package roster

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// Import adds the users of a source. All fields but Roles and Still are required.
type Import struct {
	People *account.People
	Source Reader
	Roles  []string // that every user gets beside those of the row
	Dry    bool     // only say what would be done
	Event  issuer.Event
	// Still is called before each batch. It returns an error, which ends the import, if the caller may no longer import.
	Still func(ctx context.Context) error
	// Tell is called for each row that was not added, except for users who are there already.
	Tell func(*RowError) error
	// Progress is called after each batch with the number of rows so far, and with [Reader.Progress].
	Progress func(rows int, read, whole int64)
}

// Sum is what an import has done. Its JSON names are stable.
type Sum struct {
	DryRun   bool           `json:"dry_run"`
	Rows     int            `json:"rows"`
	Added    int            `json:"added"`
	Present  int            `json:"present"`  // there already with the same hash
	Conflict int            `json:"conflict"` // there already with another hash or external ID
	Refused  int            `json:"refused"`
	Schemes  map[string]int `json:"schemes"` // of those added
}

// Weak returns how many of the users added have a hash that is a single, cheap digest.
func (s Sum) Weak() int {
	weak := 0
	for scheme, n := range s.Schemes {
		if strings.HasPrefix(scheme, "salted ") {
			weak += n
		}
	}
	return weak
}

// Run reads the source to its end, in batches of one transaction each. With an error
// the Sum says what was done before it; to go on, run the import again.
func (i Import) Run(ctx context.Context) (Sum, error) {
	r := &run{Import: i, sum: Sum{DryRun: i.Dry, Schemes: map[string]int{}}, would: map[uint64][2]uint64{}, ids: map[uint64]bool{}, seed: maphash.MakeSeed()}
	for {
		batch, stopped := r.batch()
		if r.Still != nil {
			if err := r.Still(ctx); err != nil {
				return r.sum, err
			}
		}
		if err := r.add(ctx, batch); err != nil {
			return r.sum, err
		}
		read, whole := r.Source.Progress()
		r.Progress(r.sum.Rows, read, whole)
		if errors.Is(stopped, io.EOF) {
			return r.sum, nil
		}
		if stopped != nil {
			return r.sum, stopped
		}
	}
}

// run is one run of an Import.
type run struct {
	Import
	sum   Sum
	would map[uint64][2]uint64 // in a dry run: the hash of each name that would be there, and those of its password hash and external ID
	ids   map[uint64]bool      // in a dry run: the hash of each external ID that would be there
	seed  maphash.Seed
}

// batch returns the next rows, and the error that ended the reading after them, which is io.EOF at
// the end of the source.
func (r *run) batch() (rows []Row, stopped error) {
	for len(rows) < account.MaxImport {
		row, err := r.Source.Next()
		if bad, ok := errors.AsType[*RowError](err); ok {
			r.sum.Rows++
			err = r.refuse(bad.Place, bad.Name, bad.Reason)
		} else if err == nil {
			rows = append(rows, row)
		}
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// add imports a batch and counts its rows.
func (r *run) add(ctx context.Context, batch []Row) error {
	users := make([]account.Imported, len(batch))
	for i, row := range batch {
		users[i] = account.Imported{
			Name: row.Name, Email: row.Email, Hash: row.Hash, Roles: slices.Concat(row.Roles, r.Roles),
			ExternalID: row.ExternalID, Disabled: row.Disabled,
		}
	}
	verdicts, err := r.People.Import(ctx, users, r.Dry, r.Event)
	if err != nil {
		return err
	}
	for i, verdict := range verdicts {
		r.sum.Rows++
		if r.Dry {
			verdict = r.foretold(batch[i], verdict)
		}
		if err := r.count(batch[i], verdict); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) count(row Row, verdict error) error {
	switch {
	case verdict == nil:
		r.sum.Added++
		if scheme, err := password.Recognize(row.Hash); err == nil {
			r.sum.Schemes[scheme]++
		}
		return nil
	case errors.Is(verdict, account.ErrPresent):
		r.sum.Present++
		return nil
	case errors.Is(verdict, account.ErrNameTaken):
		r.sum.Conflict++
		return r.Tell(&RowError{Place: row.Place, Name: row.Name, Reason: "a user of this name is here already with another hash or external ID, and stays as they are"})
	}
	return r.refuse(row.Place, row.Name, reasonOf(verdict))
}

// foretold returns the verdict on a row of a dry run with the rows before it added. Those are in no store, so a row may have the
// same name or external ID as one of them. verdict is without them.
func (r *run) foretold(row Row, verdict error) error {
	if verdict != nil && !errors.Is(verdict, account.ErrExternalIDTaken) && !errors.Is(verdict, account.ErrRoleBounds) {
		return verdict // The row is bad in itself, or its name was there before the import.
	}
	_, canonical, err := account.ParseName(row.Name)
	if err != nil {
		return err
	}
	name, hash, id := maphash.String(r.seed, canonical), maphash.String(r.seed, row.Hash), maphash.String(r.seed, row.ExternalID)
	before, there := r.would[name]
	switch {
	case there && before[0] == hash && (row.ExternalID == "" || before[1] == id):
		return account.ErrPresent
	case there:
		return account.ErrNameTaken
	case verdict != nil:
		return verdict
	case r.ids[id]:
		return account.ErrExternalIDTaken
	}
	r.would[name] = [2]uint64{hash, id}
	if row.ExternalID != "" {
		r.ids[id] = true
	}
	return nil
}

func (r *run) refuse(place int, name, reason string) error {
	r.sum.Refused++
	return r.Tell(&RowError{Place: place, Name: name, Reason: reason})
}

// reasonOf says in words why a row is refused.
func reasonOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "account: ")
	if errors.Is(err, password.ErrHash) {
		return "the hash is not taken: " + strings.TrimPrefix(text, password.ErrHash.Error()+": ")
	}
	return text
}
