package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Bounds of how long the link of [People.StartReset] works.
const (
	ResetLifetime    = time.Hour // by default
	MaxResetLifetime = 7 * 24 * time.Hour
)

const resetPrefix = "dwp_"

// Errors of a reset.
var (
	// ErrReset says that a link opens nothing: it was never made, was used, was
	// replaced, has expired, or its user has another password or e-mail address, was
	// disabled or is gone. Which, is not said.
	ErrReset = errors.New("account: the reset link is not valid")

	errNoResets = errors.New("account: Config.Resets is required to reset passwords")
)

// ResetStore keeps links with which users set a password, on the database of a
// [Store]. A user has one at most. A change of the password by another way ends it, and so do a change
// of the e-mail address, where it may have been sent, and the disabling of the user.
type ResetStore interface {
	// CreateReset stores the digest of a link, in the place of one before it, and
	// returns when it expires. It returns ErrNotFound if there is no such user.
	CreateReset(ctx context.Context, id string, digest [32]byte, lifetime time.Duration, ev issuer.Event) (time.Time, error)

	// ResetUser returns whose link has this digest, or ErrReset.
	ResetUser(ctx context.Context, digest [32]byte) (User, error)

	// UseReset sets the password of the user whose link has this digest, and ends
	// the link and every session as Store.SetPassword does. Of several calls at once
	// one succeeds. It returns ErrReset.
	UseReset(ctx context.Context, digest [32]byte, hash string, ev issuer.Event) (doorward.Revocation, error)
}

// StartReset makes a token with which the user sets a password, once, for as long
// as lifetime; it replaces one before it. It exists nowhere else: the store has its
// digest. Until it is used the old password works. It returns ErrNotFound.
func (p *People) StartReset(ctx context.Context, id string, lifetime time.Duration, ev issuer.Event) (token string, expires time.Time, err error) {
	if p.resets == nil {
		return "", time.Time{}, errNoResets
	}
	if lifetime <= 0 || lifetime > MaxResetLifetime {
		return "", time.Time{}, fmt.Errorf("start reset: a lifetime of %v, at most %v", lifetime, MaxResetLifetime)
	}
	var secret [32]byte
	rand.Read(secret[:])
	token = resetPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	ev.Kind, ev.Subject = EventResetStart, id
	expires, err = p.resets.CreateReset(ctx, id, sha256.Sum256([]byte(token)), lifetime, ev)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start reset: %w", err)
	}
	return token, expires, nil
}

// Reset sets a password for whoever has the token of [People.StartReset]. Every
// session of the user ends; the caller applies the Revocation. The user may log in
// at once, whatever the tries before.
//
// The first ErrReset of a network in a minute goes to the audit record. It returns ErrReset, ErrPassword, after which the token still
// works, or what the Hasher returns. No password is hashed for a wrong token.
func (p *People) Reset(ctx context.Context, token, next string, ev issuer.Event) (doorward.Revocation, error) {
	if p.resets == nil {
		return doorward.Revocation{}, errNoResets
	}
	cut, err := p.reset(ctx, token, next, ev)
	if !errors.Is(err, ErrReset) || p.resetFailures.Add(networkOf(ev.Address), time.Now()) != 1 {
		return cut, err
	}
	ev.Kind = EventResetFailed
	if failed := p.throttle.Record(context.WithoutCancel(ctx), ev); failed != nil {
		return cut, fmt.Errorf("record the failed reset: %w", failed)
	}
	return cut, err
}

func (p *People) reset(ctx context.Context, token, next string, ev issuer.Event) (doorward.Revocation, error) {
	none := doorward.Revocation{}
	digest := sha256.Sum256([]byte(token))
	u, err := User{}, ErrReset
	if strings.HasPrefix(token, resetPrefix) && len(token) == len(resetPrefix)+base64.RawURLEncoding.EncodedLen(32) {
		u, err = p.resets.ResetUser(ctx, digest)
	}
	if err != nil {
		return none, fmt.Errorf("reset password: %w", err)
	}
	hash, err := p.hashNew(ctx, next, u.Name, u.Email)
	if err != nil {
		return none, err
	}
	ev.Kind, ev.Actor, ev.Subject = EventPasswordReset, u.ID, u.ID
	cut, err := p.resets.UseReset(ctx, digest, hash, ev)
	if errors.Is(err, ErrNotFound) { // The user was deleted meanwhile.
		err = ErrReset
	}
	if err != nil {
		return none, fmt.Errorf("reset password: %w", err)
	}
	if err := p.throttle.Clear(context.WithoutCancel(ctx), throttleKey(u.Name)); err != nil {
		return cut, fmt.Errorf("forget the tries: %w", err)
	}
	return cut, nil
}
