package account

import (
	"context"
	"fmt"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// SetPassword sets a password on behalf of an operator. Every session of the
// user ends; the caller applies the Revocation. With mustChange the role admin does
// not count until the user has changed the password, and the password of somebody
// who has it works for [InitialLifetime]. The user may try again at once, whatever the tries before.
// It returns ErrNotFound, ErrPassword or what the Hasher returns.
func (p *People) SetPassword(ctx context.Context, id, next string, mustChange bool, ev issuer.Event) (doorward.Revocation, error) {
	u, err := p.ByID(ctx, id)
	if err != nil {
		return doorward.Revocation{}, err
	}
	hash, err := p.hashNew(ctx, next, u.Name, u.Email)
	if err != nil {
		return doorward.Revocation{}, err
	}
	ev.Kind, ev.Subject = EventPasswordSet, id
	if err := p.throttle.Clear(ctx, throttleKey(u.Name)); err != nil {
		return doorward.Revocation{}, fmt.Errorf("forget the tries: %w", err)
	}
	return p.store.SetPassword(ctx, id, NewPassword{Hash: hash, MustChange: mustChange, Lifetime: InitialLifetime}, ev)
}

// Disable ends every session of the user and lets them log in no more. The caller
// applies the Revocation. It returns ErrNotFound or ErrLastAdmin.
func (p *People) Disable(ctx context.Context, id string, ev issuer.Event) (doorward.Revocation, error) {
	ev.Kind, ev.Subject = EventUserDisable, id
	return p.store.SetDisabled(ctx, id, true, ev)
}

// Enable lets a disabled user log in again, with a new session. It returns ErrNotFound.
func (p *People) Enable(ctx context.Context, id string, ev issuer.Event) error {
	ev.Kind, ev.Subject = EventUserEnable, id
	_, err := p.store.SetDisabled(ctx, id, false, ev)
	return err
}

// Delete removes the user and ends every session. The caller applies the
// Revocation. The name may be given to somebody else, who gets another ID. It
// returns ErrNotFound or ErrLastAdmin.
func (p *People) Delete(ctx context.Context, id string, ev issuer.Event) (doorward.Revocation, error) {
	ev.Kind, ev.Subject = EventUserDelete, id
	return p.store.DeleteUser(ctx, id, ev)
}
