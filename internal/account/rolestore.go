package account

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Bounds of roles. Together they keep access tokens far below the 8 KiB that verifiers read.
const (
	// MaxDefined is how many roles there may be.
	MaxDefined = 1000
	// MaxRoleScopes is how many scopes a role may have, of at most MaxScopeWord bytes each.
	MaxRoleScopes = 64
	MaxScopeWord  = 128
	// MaxScope is the greatest number of bytes of all scopes of one role, and of all scopes
	// of one user, each once and with a space after it.
	MaxScope = 2048
)

// Errors of a [RoleStore].
var (
	// ErrNoRole says that there is no such role.
	ErrNoRole = errors.New("account: no such role")
	// ErrRoleThere says that there is a role of this name already.
	ErrRoleThere = errors.New("account: there is a role of this name already")
	// ErrRoleBounds says that a change would go beyond a bound, which the text names.
	ErrRoleBounds = errors.New("account: too many roles or scopes")
	// ErrLastAdmin says that nobody would be left who is an admin and can log in.
	ErrLastAdmin = errors.New("account: this is the last active admin")
)

// RoleStore keeps roles: named sets of scopes. Its methods are as those of [Store]: one
// transaction each, durable when they return, with their event in the audit record.
// The Subject of an event about a role is "role:" and its name, unless it is set.
//
// A user may have a role that is not defined here. It is a word in the token and has no scope.
type RoleStore interface {
	// CreateRole defines a role, or returns ErrRoleThere or ErrRoleBounds. Who has the
	// word already has its scopes from now on.
	CreateRole(ctx context.Context, name string, scope []string, ev issuer.Event) (Role, error)

	// ChangeRole changes the scopes of a role. It returns ErrNoRole for one that is not
	// defined, ErrRoleBounds, or issuer.ErrConflict if seen is not nil and not what the
	// role is.
	ChangeRole(ctx context.Context, name string, seen *Role, c Change, ev issuer.Event) (Role, error)

	// Role returns a role that is defined or that somebody has, or ErrNoRole.
	Role(ctx context.Context, name string) (Role, error)

	// Roles lists those roles in the byte order of their names.
	Roles(ctx context.Context, q Query) ([]Role, error)

	// RemoveRole takes a role from everybody who has it and defines it no more. It
	// returns the IDs of the users who had it, or ErrNoRole. It does not ask whether
	// the role is RoleAdmin.
	RemoveRole(ctx context.Context, name string, ev issuer.Event) ([]string, error)

	// Members lists the IDs of the users who have a role, in byte order. Query.After is an ID.
	Members(ctx context.Context, name string, q Query) ([]string, error)

	// ChangeRoles changes the roles of a user. With endSessions set it also ends every session,
	// as [Store].SetPassword does, and returns the cut-off. While User.MustChange holds, whoever
	// gets RoleAdmin has a password that works for InitialLifetime at most from now on, and
	// whoever loses RoleAdmin before the password expired has one that goes on working. It
	// returns ErrNotFound, ErrRoleBounds or ErrLastAdmin.
	ChangeRoles(ctx context.Context, id string, c Change, endSessions bool, ev issuer.Event) (User, doorward.Revocation, error)

	// EndUsers ends every session of the users, as issuer.SessionStore.EndSubject does,
	// with one event for each.
	EndUsers(ctx context.Context, ids []string, ev issuer.Event) error

	// Granted returns a user and the scopes of their roles, each once, both of one moment,
	// or ErrNotFound. Those of RoleAdmin are left out while User.MustChange holds.
	Granted(ctx context.Context, id string) (User, doorward.Scope, error)
}

// Role is a named set of scopes.
type Role struct {
	Name  string
	Scope doorward.Scope // sorted, each once
	Users int            // how many have it
	// CreatedAt is zero for a role that is not defined and that somebody has.
	CreatedAt time.Time
}

// Change says what a set of words becomes: To if Replace is set, else what it was,
// and then with Add and without Remove.
type Change struct {
	Replace         bool
	To, Add, Remove []string
}

// Of returns what was becomes, sorted and each once.
func (c Change) Of(was []string) []string {
	if c.Replace {
		was = c.To
	}
	words := slices.Concat(was, c.Add)
	words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(c.Remove, w) })
	slices.Sort(words)
	return slices.Compact(words)
}

// The kinds of issuer.Event about roles.
const (
	EventRoleAdd    issuer.EventKind = "role_add"
	EventRoleSet    issuer.EventKind = "role_set"
	EventRoleRemove issuer.EventKind = "role_remove"
	EventRoleEnd    issuer.EventKind = "role_sessions_end" // of a user whose role was changed
	EventUserRoles  issuer.EventKind = "user_roles"
)
