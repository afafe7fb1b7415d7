package backend

import (
	"context"
	"errors"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
)

// User returns the user with this name or ID.
func (b *Backend) User(ctx context.Context, name string) (account.User, error) {
	u, err := b.People.Find(ctx, name)
	if errors.Is(err, account.ErrNotFound) {
		return u, failure.Refused("doorward user list", "there is no user %q", name)
	}
	return u, err
}

// Explain turns what account refuses into what a person can act on.
func Explain(err error) error {
	rule, isRule := errors.AsType[*password.RuleError](err)
	switch {
	case err == nil:
		return nil
	case isRule:
		return failure.Refused(rule.Advice, "the password is not accepted: %s", rule.Reason)
	case errors.Is(err, account.ErrNameTaken):
		return failure.Refused("doorward user list", "there is a user of this name already")
	case errors.Is(err, account.ErrExternalIDTaken):
		return failure.Refused("doorward user list --external-id ID", "another user has this external ID")
	case errors.Is(err, account.ErrNotFound):
		return failure.Refused("doorward user list", "there is no such user")
	case errors.Is(err, account.ErrLastAdmin):
		return failure.Refused("doorward user set NAME --add-role admin", "this is the last admin who can log in: make another one first")
	case errors.Is(err, account.ErrRoleBounds):
		return failure.Refused("doorward role list", "too much: there may be %d roles, a user may have %d and a role %d scopes; the scopes of a role or a user may have %d bytes together",
			account.MaxDefined, account.MaxRoles, account.MaxRoleScopes, account.MaxScope)
	case errors.Is(err, account.ErrName), errors.Is(err, account.ErrEmail), errors.Is(err, account.ErrExternalID), errors.Is(err, account.ErrRole):
		return failure.Refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return err
}
