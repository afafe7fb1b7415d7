package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/issuer"
)

// Errors of [APIKeys.Exchange].
var (
	// ErrAPIKey is the one answer to every key that is not accepted: no key at all, unknown,
	// revoked, expired, or of an owner who is disabled. It wraps the reason, which is for the log.
	ErrAPIKey = errors.New("account: the API key is not valid")
	// ErrAPIKeyThrottled says that too many keys that were none came from this network, or from all,
	// or that this one was exchanged too often.
	ErrAPIKeyThrottled = errors.New("account: too many API keys that are none, or this one too often")

	errWrongAPIKey   = errors.New("account: an API key of this ID has another secret")
	errAPIKeyRevoked = errors.New("account: the API key was revoked")
	errAPIKeyExpired = errors.New("account: the API key has expired")
)

const (
	// usesWaiting is how many last uses wait to be noted. More are not noted this time.
	usesWaiting = 256
	// exchangeTries is how often an exchange begins anew because its owner's tokens were
	// ended meanwhile.
	exchangeTries = 3
)

// Granter makes tokens without a session; an *issuer.Issuer does.
type Granter interface {
	BeginGrant(ctx context.Context, subject, client string) (issuer.Attempt, error)
	Grant(ctx context.Context, a issuer.Attempt, req issuer.GrantRequest) (issuer.TokenSet, error)
}

// ExchangeLimit is how often one key is exchanged in a minute, by this process. A token lasts longer.
const ExchangeLimit = 60

// KeyRequest is what an exchange asks for.
type KeyRequest struct {
	// Scope narrows what the key may do. Nil asks for all of it.
	Scope doorward.Scope
	// Audience is the aud of the token. Empty means the usual one.
	Audience string
	// Network is where the key comes from. The zero Prefix has no limit of its own.
	Network netip.Prefix
	// Event is who asks and from where.
	Event issuer.Event
}

// Exchange makes an access token from the text of a key: its sub is the owner, its client_id
// the key's ID. It has the key's scope as far as the owner has it now, it does not outlive the
// key, and no auth_time says when somebody logged in. What is revoked while it is made
// comes to nothing.
//
// It returns ErrAPIKey, ErrAPIKeyThrottled, issuer.ErrScope, or issuer.ErrAudience. What is not even
// of the form of a key costs no question to the store. Wrong keys are limited, never at the expense
// of one that was accepted before, and that one to ExchangeLimit. The first failure of a network in a minute goes to the
// audit record.
func (k *APIKeys) Exchange(ctx context.Context, g Granter, text string, req KeyRequest) (issuer.TokenSet, error) {
	id, err := ParseAPIKey(text)
	if err != nil {
		return issuer.TokenSet{}, fmt.Errorf("%w: %w", ErrAPIKey, err)
	}
	digest, now := sha256.Sum256([]byte(text)), time.Now()
	known := k.good.has(id, digest)
	if known && !k.pace.Allow(id, ExchangeLimit, now) || !known && k.budget.Take(req.Network, now) > 0 {
		return issuer.TokenSet{}, ErrAPIKeyThrottled
	}
	set, err := k.exchange(ctx, g, id, digest, req)
	if errors.Is(err, ErrAPIKey) {
		if known {
			k.good.drop(id, digest) // and not at the word of somebody who only knows the ID
		}
		return issuer.TokenSet{}, k.failed(ctx, id, err, req)
	}
	if !known {
		k.budget.Give(req.Network, now)
	}
	// A good key that asked for too much is known from now on: the next time it spends its own pace, not the budget.
	if err == nil || errors.Is(err, issuer.ErrScope) || errors.Is(err, issuer.ErrAudience) {
		k.good.add(id, digest, time.Now())
	}
	if err != nil {
		return issuer.TokenSet{}, fmt.Errorf("exchange API key: %w", err)
	}
	return set, nil
}

// Inspect returns the key of a text, for an operator: nothing is recorded, counted or noted as a use. why is nil if the
// key would be accepted now, and says why not otherwise. Unless the whole text is right, the key is the zero APIKey.
func (k *APIKeys) Inspect(ctx context.Context, text string) (key APIKey, why, err error) {
	id, why := ParseAPIKey(text)
	if why != nil {
		return APIKey{}, why, nil
	}
	c, err := k.store.APIKeyCredential(ctx, id)
	if err != nil && !errors.Is(err, ErrNoAPIKey) {
		return APIKey{}, nil, fmt.Errorf("inspect API key: %w", err)
	}
	why = c.judge(sha256.Sum256([]byte(text)), err)
	switch {
	case errors.Is(why, ErrNoAPIKey):
		return APIKey{}, ErrNoAPIKey, nil
	case errors.Is(why, errWrongAPIKey):
		return APIKey{}, why, nil
	}
	return c.Key, why, nil
}

// Run notes which keys were used, apart from the requests that use them, until ctx ends.
// A use that cannot be noted now is noted at one of the next.
func (k *APIKeys) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-k.used:
			_ = k.store.UseAPIKey(ctx, id)
		}
	}
}

// exchange tries again if the owner's tokens were ended meanwhile: that ends no key.
func (k *APIKeys) exchange(ctx context.Context, g Granter, id string, digest [32]byte, req KeyRequest) (set issuer.TokenSet, err error) {
	for range exchangeTries {
		if set, err = k.exchangeOnce(ctx, g, id, digest, req); !errors.Is(err, issuer.ErrEpoch) {
			break
		}
	}
	if errors.Is(err, issuer.ErrEpoch) || errors.Is(err, issuer.ErrInactive) {
		err = fmt.Errorf("%w: %w", ErrAPIKey, err)
	}
	return set, err
}

func (k *APIKeys) exchangeOnce(ctx context.Context, g Granter, id string, digest [32]byte, req KeyRequest) (issuer.TokenSet, error) {
	none := issuer.TokenSet{}
	key, err := k.store.APIKey(ctx, id)
	if errors.Is(err, ErrNoAPIKey) {
		return none, fmt.Errorf("%w: %w", ErrAPIKey, err)
	}
	if err != nil {
		return none, err
	}
	// The grant begins before the credential is read: what ends the key or its owner
	// from here on ends it.
	attempt, err := g.BeginGrant(ctx, key.Owner, id)
	if err != nil {
		return none, err
	}
	c, err := k.store.APIKeyCredential(ctx, id)
	if err != nil && !errors.Is(err, ErrNoAPIKey) {
		return none, err
	}
	if why := c.judge(digest, err); why != nil {
		return none, fmt.Errorf("%w: %w", ErrAPIKey, c.withAttrs(why))
	}
	may := k.audiencesOf(c)
	if len(may) == 0 {
		return none, c.withAttrs(issuer.ErrAudience)
	}
	set, err := g.Grant(ctx, attempt, issuer.GrantRequest{
		Holder: c.holder(), Audiences: may, Scope: req.Scope, Audience: req.Audience, NotAfter: c.Key.ExpiresAt, Event: req.Event,
	})
	if err == nil {
		k.noteUse(c)
	}
	return set, c.withAttrs(err)
}

// noteUse leaves it to Run to note that the key was used. It does not wait for that: if too many uses
// are waiting, this one is not noted.
func (k *APIKeys) noteUse(c APIKeyCredential) {
	if c.Now.Sub(c.Key.UsedAt) < APIKeyUseStep {
		return
	}
	select {
	case k.used <- c.Key.ID:
	default:
	}
}

// failed records the first failure of its network in a minute. err wraps ErrAPIKey.
func (k *APIKeys) failed(ctx context.Context, id string, err error, req KeyRequest) error {
	if k.failures.Add(req.Network.String(), time.Now()) > 1 {
		return err
	}
	ev := req.Event
	ev.Kind, ev.Actor, ev.Reason = EventAPIKeyFailed, id, apiKeyReason(err)
	if failed := k.store.Record(context.WithoutCancel(ctx), ev); failed != nil {
		return fmt.Errorf("record the failed API key: %w", failed)
	}
	return err
}

// apiKeyReason is the word in the audit record for why a key was refused.
func apiKeyReason(why error) string {
	for _, r := range [...]struct {
		err  error
		word string
	}{
		{ErrNoAPIKey, "unknown_key"},
		{errWrongAPIKey, "wrong_key"},
		{errAPIKeyRevoked, "revoked"},
		{errAPIKeyExpired, "expired"},
		{ErrDisabled, "owner_disabled"},
	} {
		if errors.Is(why, r.err) {
			return r.word
		}
	}
	return "ended"
}

// judge returns why a key with this digest is not accepted, given what reading it said.
func (c APIKeyCredential) judge(digest [32]byte, err error) error {
	switch {
	case err != nil:
		return err
	case subtle.ConstantTimeCompare(c.Digest[:], digest[:]) != 1:
		return errWrongAPIKey
	case !c.Key.RevokedAt.IsZero():
		return errAPIKeyRevoked
	case !c.Key.Live(c.Now):
		return errAPIKeyExpired
	case c.User.Disabled || c.Client.Disabled || c.User.expired(c.Now):
		return ErrDisabled
	}
	return nil
}

// withAttrs adds to err, for the log, which key it is about, and whose it is if the secret was right.
func (c APIKeyCredential) withAttrs(err error) error {
	if errors.Is(err, errWrongAPIKey) {
		return cause.With(err, "api_key_id", c.Key.ID)
	}
	return cause.With(err, "api_key_id", c.Key.ID, "sub", c.Key.Owner)
}

// holder is what a token made from the key may say. The role admin is left out: whoever
// changes what others may do has logged in.
func (c APIKeyCredential) holder() issuer.Subject {
	s := issuer.Subject{Active: true, Name: c.User.Name, Claims: c.User.claims()}
	if c.Key.Everything {
		s.Scope = c.Scope
		s.Roles = slices.DeleteFunc(slices.Clone(c.User.Roles), func(r string) bool { return r == RoleAdmin })
		return s
	}
	for _, word := range c.Key.Scope {
		if c.Scope.Has(word) {
			s.Scope = append(s.Scope, word)
		}
	}
	return s
}

// audiencesFor are those that tokens may be for in the name of a client or, if it is the zero Client, of a user.
func (k *APIKeys) audiencesFor(owner Client) []string {
	switch {
	case owner.ID == "":
		return k.audiences
	case len(owner.Audiences) > 0:
		return owner.Audiences
	}
	return k.audiences[:min(1, len(k.audiences))]
}

// audiencesOf are those that a token made from the key may be for.
func (k *APIKeys) audiencesOf(c APIKeyCredential) []string {
	may := k.audiencesFor(c.Client)
	if len(c.Key.Audiences) == 0 {
		return may
	}
	return slices.DeleteFunc(slices.Clone(c.Key.Audiences), func(name string) bool { return !slices.Contains(may, name) })
}
