package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// How many tries of one account without a success are looked at. The window
// begins with the first of them.
const (
	TryLimit  = 10
	TryWindow = 10 * time.Minute
)

// Errors of a login and of the change of a password.
var (
	// ErrCredentials is the one answer to everybody who does not log in: no such
	// user, wrong password, disabled, initial password expired, password that
	// cannot be one. It wraps the reason, which is for the log and for operators only.
	ErrCredentials = errors.New("account: name or password is wrong")
	// ErrThrottled says that the account has had too many tries; see [ThrottledError].
	ErrThrottled = errors.New("account: too many tries")
	// ErrDisabled is the reason of a disabled user.
	ErrDisabled = errors.New("account: the user is disabled")
	// ErrExpired is the reason of an initial password that was not changed in time.
	ErrExpired = errors.New("account: the initial password expired")
	// ErrPassword says that a new password is refused. It wraps a
	// *password.RuleError, which says why and what to do.
	ErrPassword = errors.New("account: the new password is refused")
)

// ErrReused is the Err of the password.RuleError about a new password that is the old one.
var ErrReused = errors.New("account: the new password is the current one")

// ThrottledError is an ErrThrottled that says when to try again.
type ThrottledError struct {
	RetryAfter time.Duration // more than 0
}

// Error says how long to wait.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("%v: again in %v", ErrThrottled, e.RetryAfter)
}

// Unwrap returns ErrThrottled.
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// Authenticate checks name and password and returns the user and the login that
// was begun for them. The caller goes on with issuer.Issuer.Login.
//
// A try is counted before its password is looked at, under the name that was
// sent, whether it exists or not; one from a known device counts for that device
// and for nobody else. Of tries that count together this process looks at two at
// a time, so that right passwords that come together do not use up the limit; the
// others wait for up to 2 s.
//
// After [TryLimit] tries without a success in [TryWindow] the answer is a
// *[ThrottledError], also to the right password. Every other failure is
// ErrCredentials and takes exactly one hash. password.ErrBusy means that nothing
// was looked at, and counts for nothing.
func (p *People) Authenticate(ctx context.Context, b Beginner, name, text string, from Device, ev issuer.Event) (User, issuer.Attempt, error) {
	t := p.turnOf(name, from)
	leave, err := p.begin(ctx, &t, ev)
	if err != nil {
		return User{}, issuer.Attempt{}, err
	}
	defer leave()
	// A user who does not exist is asked for like one who does: the ID leads nowhere.
	id := newID()
	if u, err := p.ByName(ctx, name); err == nil {
		id = u.ID
	} else if !errors.Is(err, ErrNotFound) {
		return User{}, issuer.Attempt{}, p.undecided(ctx, t, err)
	}
	// The attempt begins before the hash is read: a password that is changed from
	// here on ends it.
	attempt, err := b.Begin(ctx, id)
	if err != nil {
		return User{}, issuer.Attempt{}, p.undecided(ctx, t, err)
	}
	c, err := p.verify(ctx, t, id, text, ev)
	if err != nil {
		return User{}, issuer.Attempt{}, err
	}
	if from.known {
		if err := p.devices.UseDevice(ctx, from.digest); err != nil {
			return User{}, issuer.Attempt{}, err
		}
	}
	return c.User, attempt, nil
}

// ChangePassword sets a password for somebody who knows the current one. Every
// session ends, and the login that it returns is begun after that. The caller
// goes on with issuer.Issuer.Login. If the Revocation has a Kind the password was
// changed, even beside an error, and the caller applies it.
//
// Errors are as in Authenticate, and tries count alike, but apart from those of a
// login: nobody without a session can use them up. A refused new password is
// ErrPassword and counts for nothing. ErrConflict means that somebody else
// changed the password or disabled the user at the same moment.
func (p *People) ChangePassword(ctx context.Context, b Beginner, id, current, next string, ev issuer.Event) (issuer.Attempt, doorward.Revocation, error) {
	none, uncut := issuer.Attempt{}, doorward.Revocation{}
	u, err := p.ByID(ctx, id)
	if err != nil {
		return none, uncut, err
	}
	if err := p.checkChange(current, next, u); err != nil {
		return none, uncut, err
	}
	t := turn{key: sha256.Sum256([]byte("\x00change\x00" + id)), hasher: p.reserved}
	leave, err := p.begin(ctx, &t, ev)
	if err != nil {
		return none, uncut, err
	}
	defer leave()
	c, err := p.verify(ctx, t, id, current, ev)
	if err != nil {
		return none, uncut, err
	}
	hash, err := t.hasher.Hash(ctx, next)
	if err != nil {
		return none, uncut, fmt.Errorf("hash password: %w", err)
	}
	ev.Kind, ev.Subject = EventPasswordChange, id
	cut, err := p.store.SetPassword(ctx, id, NewPassword{Hash: hash, Old: c.Hash}, ev)
	if err != nil {
		return none, uncut, fmt.Errorf("change password: %w", err)
	}
	attempt, err := p.beginWith(ctx, b, id, hash)
	return attempt, cut, err
}

// turn is one try of a password: the key under which it is counted, and who hashes it.
type turn struct {
	key    [32]byte
	ends   time.Time // the window in which it was counted
	hasher Hasher
}

// begin waits for the turn of a try and counts it, or refuses it. It is over when leave is called.
func (p *People) begin(ctx context.Context, t *turn, ev issuer.Event) (leave func(), err error) {
	leave, err = p.turns.take(ctx, t.key)
	if err != nil {
		return nil, err
	}
	ev.Kind, ev.Reason = EventLoginThrottled, ""
	ends, wait, err := p.throttle.Reserve(ctx, t.key, TryLimit, TryWindow, ev)
	switch {
	case err != nil:
		err = fmt.Errorf("count the try: %w", err)
	case wait > 0:
		err = &ThrottledError{RetryAfter: wait}
	default:
		t.ends = ends
		return leave, nil
	}
	leave()
	return nil, err
}

// verify reads the user's hash and computes exactly one, whatever it finds. It
// returns the credential as it is stored now if the password was right and may be used.
func (p *People) verify(ctx context.Context, t turn, id, text string, ev issuer.Event) (Credential, error) {
	c, err := p.store.Credential(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Credential{}, p.undecided(ctx, t, fmt.Errorf("read the hash: %w", err))
	}
	rehash, err := compare(ctx, t.hasher, c.Hash, text)
	why := judge(c.User, err)
	switch {
	case why == nil:
	case reason(why) == "":
		return Credential{}, p.undecided(ctx, t, why)
	default:
		ev.Subject = c.User.ID
		return Credential{}, p.failed(ctx, why, ev)
	}
	if err := p.throttle.Clear(ctx, t.key); err != nil {
		return Credential{}, fmt.Errorf("forget the tries: %w", err)
	}
	if rehash {
		ev.Subject = id
		return p.rehash(ctx, t.hasher, c, text, ev)
	}
	return c, nil
}

// compare computes one hash, also where there is nothing to compare with: for no
// user, for a password that cannot be one, for a hash that cannot be read.
func compare(ctx context.Context, h Hasher, hash, text string) (rehash bool, err error) {
	if hash == "" {
		err = h.VerifyNothing(ctx, text)
	} else {
		rehash, err = h.Verify(ctx, hash, text)
	}
	if !errors.Is(err, password.ErrTooLong) && !errors.Is(err, password.ErrText) && !errors.Is(err, password.ErrHash) {
		return rehash, err
	}
	if none := h.VerifyNothing(ctx, ""); !errors.Is(none, password.ErrMismatch) {
		return false, none
	}
	return false, err
}

// judge returns why the user is not let in, or nil. err is that of compare.
func judge(u User, err error) error {
	switch {
	case err != nil && reason(err) == "":
		return err
	case u.ID == "":
		return ErrNotFound
	case err != nil:
		return err
	case u.Disabled:
		return ErrDisabled
	case u.expired(time.Now()):
		return ErrExpired
	}
	return nil
}

// reason is the word for the audit record, empty if err decides nothing about the login.
func reason(err error) string {
	for _, r := range [...]struct {
		err  error
		word string
	}{
		{ErrNotFound, "unknown_user"},
		{ErrDisabled, "disabled"},
		{ErrExpired, "password_expired"},
		{password.ErrMismatch, "wrong_password"},
		{password.ErrTooLong, "password_too_long"},
		{password.ErrText, "password_not_text"},
		{password.ErrHash, "unreadable_hash"},
	} {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return ""
}

// failed records a try that failed, also when the caller has gone away: who hangs
// up at once does not go unrecorded. The name that was sent is not recorded:
// people type their password there.
func (p *People) failed(ctx context.Context, why error, ev issuer.Event) error {
	ev.Kind, ev.Reason = EventLoginFailed, reason(why)
	if err := p.throttle.Record(context.WithoutCancel(ctx), ev); err != nil {
		return fmt.Errorf("record the failed login: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrCredentials, why)
}

// undecided gives back a try that failed before its password was judged, even if the caller has
// gone away.
func (p *People) undecided(ctx context.Context, t turn, why error) error {
	return errors.Join(why, p.throttle.Release(context.WithoutCancel(ctx), t.key, t.ends))
}

// rehash stores a stronger hash of the password that was just right. When that is
// not possible now, the next login does it.
func (p *People) rehash(ctx context.Context, h Hasher, c Credential, text string, ev issuer.Event) (Credential, error) {
	hash, err := h.Hash(ctx, text)
	if errors.Is(err, password.ErrBusy) {
		return c, nil
	}
	if err != nil {
		return Credential{}, fmt.Errorf("hash password: %w", err)
	}
	ev.Kind, ev.Reason = EventPasswordRehash, ""
	err = p.store.ReplaceHash(ctx, c.User.ID, c.Hash, hash, ev)
	if errors.Is(err, ErrConflict) {
		return c, nil
	}
	if err != nil {
		return Credential{}, fmt.Errorf("store the stronger hash: %w", err)
	}
	c.Hash = hash
	return c, nil
}

// checkChange refuses a new password that breaks the rules or changes nothing.
func (p *People) checkChange(current, next string, u User) error {
	if err := p.checkNew(next, u.Name, u.Email); err != nil {
		return err
	}
	if norm.NFC.String(current) == norm.NFC.String(next) {
		return fmt.Errorf("%w: %w", ErrPassword, &password.RuleError{
			Reason: "the new password is the current one",
			Advice: "choose another one",
			Err:    ErrReused,
		})
	}
	return nil
}

// beginWith begins a login of a user whose password must still be the one just set: if
// an operator has set another since, whoever knows only ours must not get a session.
func (p *People) beginWith(ctx context.Context, b Beginner, id, hash string) (issuer.Attempt, error) {
	attempt, err := b.Begin(ctx, id)
	if err != nil {
		return issuer.Attempt{}, err
	}
	c, err := p.store.Credential(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (c.Hash != hash || c.User.Disabled) {
		return issuer.Attempt{}, ErrConflict
	}
	if err != nil {
		return issuer.Attempt{}, fmt.Errorf("read the hash: %w", err)
	}
	return attempt, nil
}
