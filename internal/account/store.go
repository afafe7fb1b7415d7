package account

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Errors of a [Store].
var (
	// ErrNotFound says that there is no such user.
	ErrNotFound = errors.New("account: no such user")
	// ErrNameTaken says that another user has this canonical name.
	ErrNameTaken = errors.New("account: the name is taken")
	// ErrNotEmpty says that the first user was to be made and there is one already.
	ErrNotEmpty = errors.New("account: there are users already")
	// ErrConflict says that the password hash is no longer the one that was to
	// be replaced. Nothing was written.
	ErrConflict = errors.New("account: the password was changed by someone else")
)

// Store keeps people. What touches a person and their sessions together is one
// method here and one transaction, on the same database as the issuer.Store.
// All methods may be called concurrently, from several goroutines and processes.
//
// Each method is one transaction that reads the store's clock first. A method
// that returned without an error survives a crash. After an error nothing of it
// holds. Each changing method writes its event to the audit record in the same
// transaction; it sets the event's Subject to the user's ID if it is empty.
type Store interface {
	// CreateUser inserts a user and returns it as stored. It returns ErrNameTaken
	// if a user has the canonical name, ErrExternalIDTaken if one has the external ID, and ErrNotEmpty if row.First is set and
	// there is any user. Two calls with row.First, from two processes, make one user.
	// The event is row.Made.
	CreateUser(ctx context.Context, row UserRow, ev issuer.Event) (User, error)

	// User returns the user with this ID, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)

	// UserByName returns the user with this canonical name, or ErrNotFound.
	UserByName(ctx context.Context, canonical string) (User, error)

	// Users lists users in the byte order of their canonical names.
	Users(ctx context.Context, q Query) ([]User, error)

	// Credential returns the user and their password hash, both of one moment,
	// or ErrNotFound.
	Credential(ctx context.Context, id string) (Credential, error)

	// SetPassword replaces the password and ends every session of the user, live
	// or in the making: as issuer.SessionStore.EndSubject does, it adds one to the
	// subject's epoch and records one cut-off, which it returns. The reason that
	// the sessions show is the event's kind. It returns ErrConflict if p.Old is
	// not empty and not the stored hash, and ErrNotFound if there is no such user.
	SetPassword(ctx context.Context, id string, p NewPassword, ev issuer.Event) (doorward.Revocation, error)

	// ReplaceHash stores another hash of the same password. No session ends and
	// PasswordChangedAt stays. It returns ErrConflict if the stored hash is not
	// old, and ErrNotFound if there is no such user.
	ReplaceHash(ctx context.Context, id, old, hash string, ev issuer.Event) error

	// SetDisabled disables or enables the user. Disabling, also of a user who
	// already is disabled, ends every session as SetPassword does and returns the
	// cut-off. Enabling ends nothing and returns the zero Revocation. It returns
	// ErrNotFound if there is no such user, and ErrLastAdmin if nobody would be left
	// who has RoleAdmin, is not disabled and has a password that has not expired.
	SetDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) (doorward.Revocation, error)

	// DeleteUser removes the user and ends every session as SetPassword does. The
	// epoch stays, so that a login in flight fails. The name is free again; the ID
	// is not used again. It returns ErrNotFound if there is no such user, and
	// ErrLastAdmin as SetDisabled does.
	DeleteUser(ctx context.Context, id string, ev issuer.Event) (doorward.Revocation, error)
}

// Throttle counts tries. The counters live in the store, so that they survive a
// restart and hold for all nodes together. A counter whose window is over counts
// for nothing and may be deleted at any time.
type Throttle interface {
	// Reserve counts one try of key, unless limit tries are counted in its window
	// already; then it returns how long until the window is over, always more than
	// 0. That is longer than window if who opened it has read a later time: at most
	// by 10 s. If the try was counted, wait is 0, and ends tells its window from
	// others of key. The window begins with the first
	// try that is counted. Concurrent calls are counted exactly. The first refusal in
	// a window writes ev to the audit record, later ones write nothing: a flood of
	// tries does not become a flood of records.
	Reserve(ctx context.Context, key [32]byte, limit int, window time.Duration, ev issuer.Event) (ends time.Time, wait time.Duration, err error)

	// Release gives back one try, counted in the window that ends then, whose password
	// was never looked at. It changes nothing if key has another window by now.
	Release(ctx context.Context, key [32]byte, ends time.Time) error

	// Clear forgets the tries of key.
	Clear(ctx context.Context, key [32]byte) error

	// Record writes ev, about a try that failed, to the audit record.
	Record(ctx context.Context, ev issuer.Event) error
}

// User is one person who can log in. Times are in UTC with millisecond precision.
type User struct {
	ID        string   // "u_" and random text; never used again
	Name      string   // as it is shown, in NFC
	Canonical string   // as it is compared; unique
	Email     string   // empty if none is known; never checked by a message, and not unique
	Roles     []string // sorted, each once
	Disabled  bool
	// ExternalID is the user's ID at the API or in the program that they come from: unique, and empty if there is none.
	ExternalID string
	// MustChange says that somebody else chose the password. Until the user
	// changes it, the role admin does not count, also if they get it later: see AdminWaits.
	MustChange bool
	// PasswordExpiresAt is when a password that was never changed stops
	// working. Zero means never.
	PasswordExpiresAt time.Time
	PasswordChangedAt time.Time
	CreatedAt         time.Time
}

// AdminWaits reports whether the user has the role admin and it does not count yet, since
// somebody else chose the password.
func (u User) AdminWaits() bool { return u.MustChange && slices.Contains(u.Roles, RoleAdmin) }

// UserRow is what [Store.CreateUser] inserts.
type UserRow struct {
	ID        string
	Name      string
	Canonical string
	Email     string
	Roles     []string
	Hash      string `json:"-"` // PHC string; empty when the user cannot log in with a password
	// ExternalID is as in User.
	ExternalID string
	// MustChange and Disabled are as in User.
	MustChange bool
	Disabled   bool
	// Lifetime is how long the password works, from the store's now. 0 means for ever.
	Lifetime time.Duration
	// First inserts the user only into a store without users.
	First bool
}

// Made is the event of a user who is made from the row. After its reason, if there is one, it says with which roles and
// external ID.
func (r UserRow) Made(ev issuer.Event) issuer.Event {
	ev.Subject = cmp.Or(ev.Subject, r.ID)
	roles := strings.Join(slices.Compact(slices.Sorted(slices.Values(r.Roles))), ",")
	if ev.Reason != "" && roles != "" {
		roles = ": " + roles
	}
	ev.Reason += roles
	if r.ExternalID != "" {
		ev.Reason = strings.TrimPrefix(ev.Reason+"; external ID "+r.ExternalID, "; ")
	}
	return ev
}

// String leaves the hash out.
func (r UserRow) String() string { return "user " + r.ID }

// GoString leaves the hash out.
func (r UserRow) GoString() string { return r.String() }

// NewPassword is what [Store.SetPassword] writes.
type NewPassword struct {
	Hash string `json:"-"`
	// Old, if not empty, is the hash that must still be stored.
	Old        string `json:"-"`
	MustChange bool
	// Lifetime is how long the password works, from the store's now, if it must be changed and the user
	// has RoleAdmin when it is written. 0 means for ever, and so it is for all others.
	Lifetime time.Duration
}

// String leaves the hashes out.
func (n NewPassword) String() string { return "new password" }

// GoString leaves the hashes out.
func (n NewPassword) GoString() string { return n.String() }

// Query selects a page of a list: of users, clients, roles or the members of a role.
type Query struct {
	// After continues a listing: only what is greater, by the key in whose order the list is.
	// That is the canonical name of users, the name of clients and roles, the ID of members.
	After string
	// Limit is the greatest number of entries returned; 0 means 100.
	Limit int
}

// Credential is a user together with the hash of their password.
type Credential struct {
	User User
	Hash string `json:"-"`
}

// String leaves the hash out.
func (c Credential) String() string { return "credential of " + c.User.ID }

// GoString leaves the hash out.
func (c Credential) GoString() string { return c.String() }

// The kinds of issuer.Event that this package makes.
const (
	EventLoginFailed    issuer.EventKind = "login_failed"
	EventLoginThrottled issuer.EventKind = "login_throttled"
	EventUserAdd        issuer.EventKind = "user_add"
	EventUserRegister   issuer.EventKind = "user_register" // by the user
	EventUserImport     issuer.EventKind = "user_import"
	EventUserExport     issuer.EventKind = "user_export" // of all users, with their hashes
	EventUserDisable    issuer.EventKind = "user_disable"
	EventUserEnable     issuer.EventKind = "user_enable"
	EventUserEmail      issuer.EventKind = "user_email"
	EventUserExternalID issuer.EventKind = "user_external_id"
	EventUserDelete     issuer.EventKind = "user_delete"
	EventPasswordChange issuer.EventKind = "password_change" // by the user
	EventPasswordSet    issuer.EventKind = "password_set"    // by an operator
	EventPasswordReset  issuer.EventKind = "password_reset"  // by the user, with a link
	EventResetStart     issuer.EventKind = "password_reset_link"
	EventResetFailed    issuer.EventKind = "password_reset_failed" // a link that opens nothing
	EventPasswordRehash issuer.EventKind = "password_rehash"
	EventDeviceNew      issuer.EventKind = "device_new" // somebody logged in on a new device
)
