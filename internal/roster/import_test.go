package roster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/roster"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/sqlite"
)

// rows is a source that is in memory already.
type rows struct {
	list []roster.Row
	read int
	end  error // io.EOF if nil
}

func (r *rows) Next() (roster.Row, error) {
	if r.read == len(r.list) {
		if r.end != nil {
			return roster.Row{}, r.end
		}
		return roster.Row{}, io.EOF
	}
	r.read++
	row := r.list[r.read-1]
	if row.Name == "" {
		return roster.Row{}, &roster.RowError{Place: r.read, Reason: "no name"}
	}
	row.Place = r.read
	return row, nil
}

func (r *rows) Progress() (read, whole int64) { return int64(r.read), int64(len(r.list)) }
func (r *rows) Close() error                  { return nil }

func newPeople(t *testing.T) *account.People {
	t.Helper()
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	db := sqlstoretest.In(file.Store)
	people, err := account.New(account.Config{Store: db, Bulk: db, Throttle: db, Hasher: password.New(password.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	return people
}

// told is an import into people that keeps what it says of rows.
func told(people *account.People, list []roster.Row, dry bool) (i roster.Import, said *[]string) {
	said = new([]string)
	return roster.Import{
		People: people, Source: &rows{list: list}, Dry: dry, Event: issuer.Event{Actor: "test"},
		Tell:     func(e *roster.RowError) error { *said = append(*said, fmt.Sprintf("%s: %v", e.Name, e)); return nil },
		Progress: func(int, int64, int64) {},
	}, said
}

// A dry run says of every row what the run then does, whoever is there already and whatever the rows have in common. Once more the
// run adds nobody, and finds whom it added.
func TestDryRun(t *testing.T) {
	t.Parallel()
	people := newPeople(t)
	hashes := []string{
		"$2b$04$0aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6", "$2b$04$1aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6",
		"sha256$salt$7a37b85c8918eac19a9089c0fa5a2ab4dce3f90528dcdeec108b23ddf3607b99", "none",
	}
	world := 0 // keeps the users of the draws apart
	rapid.Check(t, func(rt *rapid.T) {
		world++
		draw := rapid.Custom(func(rt *rapid.T) roster.Row {
			row := roster.Row{Hash: rapid.SampledFrom(hashes).Draw(rt, "hash"), Disabled: rapid.Bool().Draw(rt, "disabled")}
			if name := rapid.SampledFrom([]string{"ann", "ANN", "bob", "cyd", "dee ", ""}).Draw(rt, "name"); name != "" {
				row.Name = fmt.Sprintf("x%d%s", world, name)
			}
			if id := rapid.SampledFrom([]string{"", "", "1", "2", "3 "}).Draw(rt, "external ID"); id != "" {
				row.ExternalID = fmt.Sprintf("%d-%s", world, id)
			}
			return row
		})
		run := func(list []roster.Row, dry bool) (roster.Sum, []string) {
			i, said := told(people, list, dry)
			sum, err := i.Run(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			return sum, *said
		}
		run(rapid.SliceOfN(draw, 0, 2).Draw(rt, "there"), false)
		list := rapid.SliceOfN(draw, 0, 8).Draw(rt, "rows")
		dry, before := run(list, true)
		if !dry.DryRun || dry.Rows != len(list) {
			rt.Errorf("a dry run of %d rows: %+v", len(list), dry)
		}
		dry.DryRun = false
		sum, after := run(list, false)
		if diff := cmp.Diff(dry, sum) + cmp.Diff(before, after); diff != "" {
			rt.Errorf("-foretold +done:\n%s", diff)
		}
		if sum.Rows != sum.Added+sum.Present+sum.Conflict+sum.Refused || len(after) != sum.Conflict+sum.Refused {
			rt.Errorf("%+v, and %d rows told", sum, len(after))
		}
		again, _ := run(list, false)
		if again.Added != 0 || again.Present != sum.Added+sum.Present || again.Conflict+again.Refused != sum.Conflict+sum.Refused {
			rt.Errorf("at first %+v, and again %+v", sum, again)
		}
	})
}

// failed is what a source, or somebody who watches an import, ends it with.
var errFailed = errors.New("failed")

// An import adds its users by batches, and tells after each how far it is. When the source breaks off, those before that are added; when
// the caller may no longer import, or nobody can be told of a row, it ends there.
func TestImport(t *testing.T) {
	t.Parallel()
	people := newPeople(t)
	const hash = "sha256$salt$7a37b85c8918eac19a9089c0fa5a2ab4dce3f90528dcdeec108b23ddf3607b99"
	var list []roster.Row
	for n := range account.MaxImport + 1 {
		list = append(list, roster.Row{Name: fmt.Sprint("u", n), Hash: hash})
	}
	i, _ := told(people, list, false)
	i.Source = &rows{list: list, end: errFailed}
	var progress, stills []int
	i.Progress = func(done int, read, whole int64) {
		if int(read) != done || int(whole) != len(list) {
			t.Errorf("%d rows done, %d of %d read", done, read, whole)
		}
		progress = append(progress, done)
	}
	i.Still = func(context.Context) error { stills = append(stills, len(progress)); return nil }
	sum, err := i.Run(t.Context())
	if !errors.Is(err, errFailed) || sum.Added != len(list) || sum.Weak() != len(list) {
		t.Errorf("a source that breaks off: %+v, %v", sum, err)
	}
	if diff := cmp.Diff([]int{account.MaxImport, len(list)}, progress) + cmp.Diff([]int{0, 1}, stills); diff != "" {
		t.Error(diff)
	}
	i, _ = told(people, []roster.Row{{Name: "late", Hash: hash}}, false)
	i.Still = func(context.Context) error { return errFailed }
	if sum, err := i.Run(t.Context()); !errors.Is(err, errFailed) || sum.Rows != 0 {
		t.Errorf("who may no longer import: %+v, %v", sum, err)
	}
	for name, row := range map[string]roster.Row{"refused": {Name: "late", Hash: "none"}, "unread": {}, "conflict": {Name: "u1", Hash: hash[:len(hash)-1] + "8"}} {
		i, _ = told(people, []roster.Row{row, {Name: "late", Hash: hash}}, false)
		i.Tell = func(*roster.RowError) error { return errFailed }
		if _, err := i.Run(t.Context()); !errors.Is(err, errFailed) {
			t.Errorf("nobody can be told that a row is %s: %v", name, err)
		}
	}
}

// Roles that every user gets come beside those of the row, and hashes are counted by their scheme.
func TestImportRoles(t *testing.T) {
	t.Parallel()
	people := newPeople(t)
	i, said := told(people, []roster.Row{
		{Name: "ann", Hash: "$2b$04$0aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6", Roles: []string{"admin"}, Email: "ann@example.com", ExternalID: "17"},
		{Name: "bob", Hash: "sha256$salt$7a37b85c8918eac19a9089c0fa5a2ab4dce3f90528dcdeec108b23ddf3607b99", Disabled: true},
		{Name: "cyd", Hash: "5f4dcc3b5aa765d61d8327deb882cf99"},
	}, false)
	i.Roles = []string{"member"}
	sum, err := i.Run(t.Context())
	want := roster.Sum{Rows: 3, Added: 2, Refused: 1, Schemes: map[string]int{"bcrypt": 1, "salted sha256": 1}}
	if diff := cmp.Diff(want, sum); err != nil || diff != "" || sum.Weak() != 1 {
		t.Errorf("%v, %d weak, -want +got:\n%s", err, sum.Weak(), diff)
	}
	if len(*said) != 1 || !strings.Contains((*said)[0], "the hash is not taken: ") || strings.Contains((*said)[0], "account: ") {
		t.Errorf("told %q", *said)
	}
	ann, err := people.ByName(t.Context(), "ann")
	if err != nil || ann.Email != "ann@example.com" || ann.ExternalID != "17" || ann.Disabled || !slices.Equal(ann.Roles, []string{"admin", "member"}) {
		t.Errorf("ann is %+v, %v", ann, err)
	}
	bob, err := people.ByName(t.Context(), "bob")
	if err != nil || !bob.Disabled || !slices.Equal(bob.Roles, []string{"member"}) {
		t.Errorf("bob is %+v, %v", bob, err)
	}
}
