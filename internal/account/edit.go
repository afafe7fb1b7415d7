package account

import (
	"context"
	"errors"
	"slices"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// EventClientSet is the kind of issuer.Event about what a client is granted.
const EventClientSet issuer.EventKind = "client_set"

var errNoEdits = errors.New("account: Config.Edits is required to edit users, and to find them by external ID")

// EditStore changes a user who is still as an operator saw them, and finds the one who has what an operator gives,
// on the database of a [Store].
type EditStore interface {
	// UserByExternalID returns the user with this external ID, which is not empty, or ErrNotFound.
	UserByExternalID(ctx context.Context, id string) (User, error)

	// EditUser changes a user and returns them as they are then. It returns issuer.ErrConflict,
	// and writes nothing, if e.Seen is not what the user is. Disabling, and e.End, end
	// every session as Store.SetPassword does, and return the cut-off. It writes an event for each part
	// that changes something: EventUserEmail, EventUserExternalID, EventUserRoles, EventUserDisable or EventUserEnable, and for
	// e.End issuer.EventSubjectEnd. It returns ErrNotFound, ErrExternalIDTaken, ErrRoleBounds or ErrLastAdmin.
	EditUser(ctx context.Context, id string, e UserEdit, ev issuer.Event) (User, doorward.Revocation, error)
}

// UserEdit is what an operator changes of a user in one step. Nil leaves a part as it is.
type UserEdit struct {
	// Seen is what the user must still be; nil is whatever they are.
	Seen  *User
	Email *string // empty removes it
	// ExternalID is in the tokens from their next refresh on; empty removes it.
	ExternalID *string
	Disabled   *bool
	Roles      *[]string
	// End ends every session of the user.
	End bool
}

// Edit changes a user; the caller applies the Revocation. It returns
// issuer.ErrConflict if the user is not as e.Seen says any more, ErrEmail, ErrExternalID, ErrExternalIDTaken, ErrRole,
// ErrNotFound, ErrRoleBounds or ErrLastAdmin.
func (p *People) Edit(ctx context.Context, id string, e UserEdit, ev issuer.Event) (User, doorward.Revocation, error) {
	if p.edits == nil {
		return User{}, doorward.Revocation{}, errNoEdits
	}
	if e.Roles != nil {
		if _, err := parseRoles(*e.Roles); err != nil {
			return User{}, doorward.Revocation{}, err
		}
	}
	if e.Email != nil {
		email, err := parseEmail(*e.Email)
		if err != nil {
			return User{}, doorward.Revocation{}, err
		}
		e.Email = &email
	}
	if e.ExternalID != nil {
		if err := checkExternalID(*e.ExternalID); err != nil {
			return User{}, doorward.Revocation{}, err
		}
	}
	return p.edits.EditUser(ctx, id, e, ev)
}

// ClientEdit is what an operator changes of a client in one step. Nil leaves a part as it is.
type ClientEdit struct {
	// Seen is what the client must still be, its secrets apart; nil is whatever it is.
	Seen      *Client
	Disabled  *bool
	Scope     *doorward.Scope
	Audiences *[]string
}

// Edit changes a client. A client that is disabled is let in no more, from now on at every
// node, and its tokens end; the caller applies the Revocations. What it is granted counts for its
// next token. It returns issuer.ErrConflict if the
// client is not as e.Seen says any more, ErrClientGrant or ErrNoClient.
func (c *Clients) Edit(ctx context.Context, id string, e ClientEdit, ev issuer.Event) (Client, []doorward.Revocation, error) {
	if e.Scope != nil && !validScope(*e.Scope) || e.Audiences != nil && !validAudiences(*e.Audiences) {
		return Client{}, nil, ErrClientGrant
	}
	return c.store.EditClient(ctx, id, e, ev)
}

// validScope reports whether each entry is one scope, and not a text of two, and all together fit into a token.
func validScope(s doorward.Scope) bool {
	return len(s) <= MaxClientWords && len(s.String()) <= MaxScope && !slices.ContainsFunc(s, func(word string) bool {
		scope, err := doorward.ParseScope(word)
		return err != nil || len(scope) != 1
	})
}
