package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// MaxImport is the greatest number of users that one call of [People.Import]
// takes: they share a transaction, for which every other writer waits.
const MaxImport = 256

// ErrPresent says that the user is there already, with the same hash and, if the row has one, the same external ID.
var ErrPresent = errors.New("account: the user is there already with the same password")

var errNoBulk = errors.New("account: Config.Bulk is required to import and export")

// BulkStore moves many users at once, on the database of a [Store].
type BulkStore interface {
	// CreateUsers inserts what it can of rows, in one transaction, and returns one
	// error for each: nil, ErrPresent if the canonical name is taken by a user with the
	// same hash, and with the row's external ID if it has one, ErrNameTaken, ErrExternalIDTaken or ErrRoleBounds. It writes one event for each user that it inserts,
	// which is UserRow.Made. With dry set it looks and writes nothing.
	CreateUsers(ctx context.Context, rows []UserRow, dry bool, ev issuer.Event) ([]error, error)

	// Credentials lists users with their hashes in the byte order of their canonical names.
	Credentials(ctx context.Context, q Query) ([]Credential, error)
}

// Imported is a user of another program.
type Imported struct {
	Name  string
	Email string // empty if there is none
	Roles []string
	// Hash is in one of the forms that password.Recognize reads.
	Hash     string `json:"-"`
	Disabled bool
	// ExternalID is the user's ID in that program; empty if it is not to be kept.
	ExternalID string
}

// String leaves the hash out.
func (i Imported) String() string { return fmt.Sprintf("imported user %q", i.Name) }

// GoString leaves the hash out.
func (i Imported) GoString() string { return i.String() }

// Import adds up to [MaxImport] users with the hashes of their passwords. It
// returns one error for each: nil if the user was added, ErrPresent, ErrNameTaken,
// ErrExternalIDTaken, ErrName, ErrEmail, ErrExternalID, ErrRole, ErrRoleBounds or password.ErrHash. Nothing is done to users who are there
// already. With dry set it says the same and adds nobody; two rows of one name or one external ID in
// one import are then both said to be added. The second result is an error of the
// store, with which nobody was added.
func (p *People) Import(ctx context.Context, users []Imported, dry bool, ev issuer.Event) ([]error, error) {
	if p.bulk == nil {
		return nil, errNoBulk
	}
	if len(users) > MaxImport {
		return nil, fmt.Errorf("import users: %d at once, at most %d", len(users), MaxImport)
	}
	verdicts := make([]error, len(users))
	var rows []UserRow
	var of []int // rows[i] is users[of[i]]
	for i, u := range users {
		row, err := importedRow(u)
		if err != nil {
			verdicts[i] = err
			continue
		}
		rows, of = append(rows, row), append(of, i)
	}
	ev.Kind = EventUserImport
	made, err := p.bulk.CreateUsers(ctx, rows, dry, ev)
	if err != nil {
		return nil, fmt.Errorf("import users: %w", err)
	}
	for i, err := range made {
		verdicts[of[i]] = err
	}
	return verdicts, nil
}

// Export lists users with the hashes of their passwords, as [People.List] does
// without. RecordExport is called once for all pages.
func (p *People) Export(ctx context.Context, q Query) ([]Credential, error) {
	if p.bulk == nil {
		return nil, errNoBulk
	}
	q.Limit = pageLimit(q.Limit)
	list, err := p.bulk.Credentials(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("export users: %w", err)
	}
	return list, nil
}

// RecordExport says in the audit record that the hashes were read by somebody.
func (p *People) RecordExport(ctx context.Context, ev issuer.Event) error {
	ev.Kind = EventUserExport
	return p.throttle.Record(ctx, ev)
}

func importedRow(u Imported) (UserRow, error) {
	name, canonical, err := ParseName(u.Name)
	if err != nil {
		return UserRow{}, err
	}
	email, err := parseEmail(u.Email)
	if err != nil {
		return UserRow{}, err
	}
	if err := checkExternalID(u.ExternalID); err != nil {
		return UserRow{}, err
	}
	roles, err := parseRoles(u.Roles)
	if err != nil {
		return UserRow{}, err
	}
	if _, err := password.Recognize(u.Hash); err != nil {
		return UserRow{}, err
	}
	return UserRow{
		ID: newID(), Name: name, Canonical: canonical, Email: email, Roles: roles, Hash: u.Hash,
		ExternalID: u.ExternalID, Disabled: u.Disabled,
	}, nil
}
