package accounts

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.EditStore = (*Store)(nil)

// EditUser changes a user who is still as an operator saw them.
func (s *Store) EditUser(ctx context.Context, id string, e account.UserEdit, ev issuer.Event) (account.User, doorward.Revocation, error) {
	words := []string{id}
	if e.Email != nil {
		words = append(words, *e.Email)
	}
	if e.ExternalID != nil {
		words = append(words, *e.ExternalID)
	}
	if e.Roles != nil {
		words = append(words, *e.Roles...)
	}
	if err := sqlstore.CheckText(words...); err != nil {
		return account.User{}, doorward.Revocation{}, err
	}
	var user account.User
	var cut doorward.Revocation
	err := s.writeNews(ctx, "edit user", func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		was, err := lockUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if e.Seen != nil && !reflect.DeepEqual(was, *e.Seen) {
			return issuer.ErrConflict
		}
		if user, err = editUser(ctx, tx, now, was, e, ev); err != nil {
			return err
		}
		if user.Email != was.Email || user.Disabled && !was.Disabled {
			if err := dropReset(ctx, tx, id); err != nil { // whoever reads the mail of the old address may have it
				return err
			}
		}
		if !e.End && (was.Disabled || !user.Disabled) {
			cut = doorward.Revocation{}
			return nil
		}
		cut, err = sqlstore.EndSubject(ctx, tx, now, id, issuer.ReasonAdmin)
		if err != nil || !e.End {
			return err
		}
		ev.Kind, ev.Reason = issuer.EventSubjectEnd, issuer.ReasonAdmin
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
	if err != nil {
		return account.User{}, doorward.Revocation{}, err
	}
	return user, cut, nil
}

// lockUser reads a user whom nobody else changes until the transaction ends.
func lockUser(ctx context.Context, tx sqlstore.Tx, id string) (account.User, error) {
	if err := lockPeople(ctx, tx); err != nil {
		return account.User{}, err
	}
	// A change of the password waits for the row, not for the lock of who makes users.
	if _, err := tx.ExecContext(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, id); err != nil {
		return account.User{}, err
	}
	c, err := oneUser(ctx, tx, `u.id = $1`, id)
	return c.User, err
}

// editUser writes what an edit changes, and an event for each part.
func editUser(ctx context.Context, tx sqlstore.Tx, now time.Time, was account.User, e account.UserEdit, ev issuer.Event) (is account.User, err error) {
	is = was
	if e.Roles != nil && !slices.Equal(account.Change{Add: *e.Roles}.Of(nil), was.Roles) {
		if is, err = changeRoles(ctx, tx, now, was.ID, account.Change{Replace: true, To: *e.Roles}); err != nil {
			return is, err
		}
	}
	if e.Email != nil {
		is.Email = *e.Email
	}
	if e.ExternalID != nil && *e.ExternalID != was.ExternalID {
		is.ExternalID = *e.ExternalID
		if err := checkExternalID(ctx, tx, is.ExternalID); err != nil {
			return is, err
		}
	}
	if e.Disabled != nil {
		is.Disabled = *e.Disabled
	}
	if is.Disabled && !was.Disabled {
		if err := keepAdmin(ctx, tx, now, was.ID); err != nil {
			return is, err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE users SET email = $2, external_id = $3, disabled = $4 WHERE id = $1`,
		was.ID, is.Email, is.ExternalID, is.Disabled)
	if err != nil {
		return is, err
	}
	for _, part := range edited(was, is) {
		ev.Kind, ev.Reason = part.Kind, part.Reason
		if err := sqlstore.Record(ctx, tx, now, sqlstore.About(ev, was.ID, "")); err != nil {
			return is, err
		}
	}
	return is, nil
}

// edited returns an event for each part of a user that is another one than before, with its kind and its reason alone.
func edited(was, is account.User) (parts []issuer.Event) {
	if !slices.Equal(was.Roles, is.Roles) {
		parts = append(parts, issuer.Event{Kind: account.EventUserRoles, Reason: strings.Join(is.Roles, ",")})
	}
	if was.Email != is.Email {
		parts = append(parts, issuer.Event{Kind: account.EventUserEmail})
	}
	if was.ExternalID != is.ExternalID {
		parts = append(parts, issuer.Event{Kind: account.EventUserExternalID, Reason: is.ExternalID})
	}
	switch {
	case is.Disabled && !was.Disabled:
		parts = append(parts, issuer.Event{Kind: account.EventUserDisable})
	case was.Disabled && !is.Disabled:
		parts = append(parts, issuer.Event{Kind: account.EventUserEnable})
	}
	return parts
}

// EditClient changes a client that is still as an operator saw it.
func (s *Store) EditClient(ctx context.Context, id string, e account.ClientEdit, ev issuer.Event) (account.Client, []doorward.Revocation, error) {
	if sqlstore.CheckText(id) != nil {
		return account.Client{}, nil, account.ErrNoClient
	}
	var words []string
	if e.Scope != nil {
		words = append(words, *e.Scope...)
	}
	if e.Audiences != nil {
		words = append(words, *e.Audiences...)
	}
	if err := sqlstore.CheckText(words...); err != nil {
		return account.Client{}, nil, err
	}
	var client account.Client
	var cuts []doorward.Revocation
	err := s.writeNews(ctx, "edit client", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockClient(ctx, tx, id); err != nil {
			return err
		}
		was, err := oneClient(ctx, tx, now, id)
		if err != nil {
			return err
		}
		if e.Seen != nil && !sameClient(was, *e.Seen) {
			return issuer.ErrConflict
		}
		if client, err = editClient(ctx, tx, now, was, e, ev); err != nil {
			return err
		}
		cuts = nil
		if client.Disabled && !was.Disabled {
			cuts, err = endTokensOf(ctx, tx, now, id)
		}
		return err
	})
	if err != nil {
		return account.Client{}, nil, err
	}
	return client, cuts, nil
}

// sameClient leaves out the secrets: their use changes nothing that an edit is about.
func sameClient(a, b account.Client) bool {
	a.Secrets, b.Secrets = nil, nil
	return reflect.DeepEqual(a, b)
}

// editClient writes what an edit changes, and an event for each part.
func editClient(ctx context.Context, tx sqlstore.Tx, now time.Time, was account.Client, e account.ClientEdit, ev issuer.Event) (account.Client, error) {
	is := was
	if e.Scope != nil {
		is.Scope = *e.Scope
	}
	if e.Audiences != nil {
		is.Audiences = *e.Audiences
	}
	if e.Disabled != nil {
		is.Disabled = *e.Disabled
	}
	_, err := tx.ExecContext(ctx, `UPDATE clients SET scope = $2, audiences = $3, disabled = $4 WHERE id = $1`,
		was.ID, is.Scope.String(), strings.Join(is.Audiences, " "), is.Disabled)
	if err != nil {
		return was, err
	}
	var kinds []issuer.EventKind
	if !slices.Equal(is.Scope, was.Scope) || !slices.Equal(is.Audiences, was.Audiences) {
		kinds = append(kinds, account.EventClientSet)
	}
	switch {
	case is.Disabled && !was.Disabled:
		kinds = append(kinds, account.EventClientDisable)
	case was.Disabled && !is.Disabled:
		kinds = append(kinds, account.EventClientEnable)
	}
	for _, ev.Kind = range kinds {
		ev.Reason = ""
		if ev.Kind == account.EventClientSet {
			ev.Reason = is.GrantText()
		}
		if err := sqlstore.Record(ctx, tx, now, sqlstore.About(ev, was.ID, "")); err != nil {
			return was, err
		}
	}
	return oneClient(ctx, tx, now, was.ID)
}
