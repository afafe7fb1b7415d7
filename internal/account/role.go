package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var (
	// ErrScopeWord says that a text is not one word of a scope.
	ErrScopeWord = errors.New("account: a scope is 1 to 128 printable ASCII characters without space, quote and backslash (RFC 6749 section 3.3)")
	// ErrRoleAdmin says that the role admin cannot be removed.
	ErrRoleAdmin = errors.New("account: the role admin is a part of Doorward and cannot be removed")
)

// endBatch is how many users lose their sessions in one transaction.
const endBatch = 256

var errNoRoles = errors.New("account: Config.Roles is required to change roles")

// AddRole defines a role. It returns ErrRole, ErrScopeWord, ErrRoleThere or ErrRoleBounds.
func (p *People) AddRole(ctx context.Context, name string, scope []string, ev issuer.Event) (Role, error) {
	if err := p.checkRole(name, scope); err != nil {
		return Role{}, err
	}
	ev.Kind = EventRoleAdd
	r, err := p.roles.CreateRole(ctx, name, scope, ev)
	if err != nil {
		return Role{}, fmt.Errorf("add role: %w", err)
	}
	return r, nil
}

// SetRole changes the scopes of a role. Whoever has the role gets the change at the next
// refresh or, with endSessions set, at once: their sessions end, and ended is how many
// users those were. It returns ErrScopeWord, ErrNoRole, ErrRoleBounds, or
// issuer.ErrConflict if seen is not nil and not what the role is. With any other error the
// role may have been changed without all sessions having ended; the same call again ends
// the rest.
func (p *People) SetRole(ctx context.Context, name string, seen *Role, c Change, endSessions bool, ev issuer.Event) (r Role, ended int, err error) {
	if err := p.checkRole(name, slices.Concat(c.To, c.Add)); err != nil {
		return Role{}, 0, err
	}
	ev.Kind = EventRoleSet
	if r, err = p.roles.ChangeRole(ctx, name, seen, c, ev); err != nil {
		return Role{}, 0, fmt.Errorf("set role: %w", err)
	}
	if endSessions {
		ended, err = p.endMembers(ctx, name, ev)
	}
	return r, ended, err
}

// RoleByName returns a role that is defined or that somebody has, or ErrNoRole.
func (p *People) RoleByName(ctx context.Context, name string) (Role, error) {
	if err := p.checkRole(name, nil); err != nil {
		return Role{}, fmt.Errorf("%w: %w", ErrNoRole, err)
	}
	return p.roles.Role(ctx, name)
}

// ListRoles lists roles by name. A Limit of 0 means [DefaultPage]; more than [MaxPage]
// means MaxPage. The next page begins after the Name of the last.
func (p *People) ListRoles(ctx context.Context, q Query) ([]Role, error) {
	if p.roles == nil {
		return nil, errNoRoles
	}
	q.Limit = pageLimit(q.Limit)
	return p.roles.Roles(ctx, q)
}

// RemoveRole removes a role and takes it from everybody who has it; with endSessions set
// it also ends their sessions. It returns how many users had the role, and ErrNoRole or
// ErrRoleAdmin.
func (p *People) RemoveRole(ctx context.Context, name string, endSessions bool, ev issuer.Event) (int, error) {
	if name == RoleAdmin {
		return 0, ErrRoleAdmin
	}
	if err := p.checkRole(name, nil); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoRole, err)
	}
	ev.Kind = EventRoleRemove
	ids, err := p.roles.RemoveRole(ctx, name, ev)
	if err != nil {
		return 0, err
	}
	if !endSessions {
		return len(ids), nil
	}
	// The role is gone, so nobody can ask for the rest once more: whoever asked may be gone too.
	ctx = context.WithoutCancel(ctx)
	for batch := range slices.Chunk(ids, endBatch) {
		if err := p.endUsers(ctx, batch, name, ev); err != nil {
			return len(ids), err
		}
	}
	return len(ids), nil
}

// SetRoles changes the roles of a user. The change takes effect at the next refresh or, with
// endSessions set, at once: every session of the user ends, and the caller applies the
// Revocation. Who gets RoleAdmin with a password that somebody else chose has to change it
// first: see User.AdminWaits. It returns ErrRole, ErrNotFound, ErrRoleBounds or ErrLastAdmin.
func (p *People) SetRoles(ctx context.Context, id string, c Change, endSessions bool, ev issuer.Event) (User, doorward.Revocation, error) {
	if p.roles == nil {
		return User{}, doorward.Revocation{}, errNoRoles
	}
	if _, err := parseRoles(slices.Concat(c.To, c.Add)); err != nil {
		return User{}, doorward.Revocation{}, err
	}
	ev.Kind, ev.Subject = EventUserRoles, id
	u, cut, err := p.roles.ChangeRoles(ctx, id, c, endSessions, ev)
	if err != nil {
		return User{}, doorward.Revocation{}, fmt.Errorf("set roles: %w", err)
	}
	return u, cut, nil
}

// ScopeOf returns the scopes that a user has by their roles, or ErrNotFound.
func (p *People) ScopeOf(ctx context.Context, id string) (doorward.Scope, error) {
	_, scope, err := p.granted(ctx, id)
	return scope, err
}

// granted returns a user and the scopes of their roles. Without a store of roles nobody has a scope.
func (p *People) granted(ctx context.Context, id string) (u User, scope doorward.Scope, err error) {
	if p.roles == nil {
		u, err = p.store.User(ctx, id)
	} else {
		u, scope, err = p.roles.Granted(ctx, id)
	}
	if err != nil {
		return User{}, nil, err
	}
	return u, scope, nil
}

// endMembers ends the sessions of everybody who has a role.
func (p *People) endMembers(ctx context.Context, name string, ev issuer.Event) (ended int, err error) {
	for after := ""; ; {
		ids, err := p.roles.Members(ctx, name, Query{After: after, Limit: endBatch})
		if err != nil || len(ids) == 0 {
			return ended, err
		}
		if err := p.endUsers(ctx, ids, name, ev); err != nil {
			return ended, err
		}
		ended, after = ended+len(ids), ids[len(ids)-1]
	}
}

func (p *People) endUsers(ctx context.Context, ids []string, role string, ev issuer.Event) error {
	ev.Kind, ev.Reason = EventRoleEnd, "role:"+role
	if err := p.roles.EndUsers(ctx, ids, ev); err != nil {
		return fmt.Errorf("end the sessions of who has the role %s: %w", role, err)
	}
	return nil
}

func (p *People) checkRole(name string, scope []string) error {
	if p.roles == nil {
		return errNoRoles
	}
	if !IsRole(name) {
		return fmt.Errorf("%w: %.80q", ErrRole, name)
	}
	if len(scope) > 2*MaxRoleScopes {
		return fmt.Errorf("%w: a role has at most %d scopes", ErrRoleBounds, MaxRoleScopes)
	}
	for _, word := range scope {
		if _, err := doorward.ParseScope(word); err != nil || word == "" || len(word) > MaxScopeWord || strings.Contains(word, " ") {
			return fmt.Errorf("%w: %.140q", ErrScopeWord, word)
		}
	}
	return nil
}
