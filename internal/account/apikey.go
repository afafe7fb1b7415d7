package account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
)

// Lifetimes of an API key.
const (
	APIKeyLifetime    = 90 * 24 * time.Hour // by default
	MaxAPIKeyLifetime = 366 * 24 * time.Hour
)

var (
	// ErrAPIKeyName says that a text cannot be the name of an API key.
	ErrAPIKeyName = errors.New("account: the name of an API key is 1 to 64 printable characters, and neither begins nor ends with a space")
	// ErrAPIKeyGrant says that what a key is to be granted are no scopes or no audiences.
	ErrAPIKeyGrant = errors.New("account: an API key has at most 64 scopes (RFC 6749 section 3.3) or everything that its owner has, and at most 64 audiences, none of them with a space or what cannot be printed")
	// ErrAPIKeyLifetime says that a key was to live too long, or not at all.
	ErrAPIKeyLifetime = errors.New("account: an API key lives a minute at least and 366 days at most")
)

// APIKeysConfig is what [NewAPIKeys] needs. Store is required. Audiences are for Add and Exchange, Failures for Exchange.
type APIKeysConfig struct {
	Store APIKeyStore
	// Audiences are those that tokens may be made for in the name of users, the usual one first.
	Audiences []string
	// Failures is how many keys that are none may come in a minute before no more are looked
	// at: 300 from each network and 30,000 from all if zero.
	Failures quota.Limits
}

// APIKeys are the keys with which users and clients call without a login. It is safe
// for concurrent use.
type APIKeys struct {
	store     APIKeyStore
	audiences []string
	budget    *quota.Budget[netip.Prefix]
	failures  quota.Spread
	good      digests
	pace      quota.PerMinute[string] // of keys that were accepted
	used      chan string
}

// NewAPIKeys returns the APIKeys of a store.
func NewAPIKeys(cfg APIKeysConfig) *APIKeys {
	limits := quota.Limits{Each: cmp.Or(cfg.Failures.Each, 300), All: cmp.Or(cfg.Failures.All, 30_000)}
	return &APIKeys{
		store: cfg.Store, audiences: slices.Clone(cfg.Audiences),
		budget: quota.NewBudget[netip.Prefix](limits), used: make(chan string, usesWaiting),
	}
}

// NewAPIKey is a key to add.
type NewAPIKey struct {
	Owner string // the ID of a user or of a client
	Name  string
	// Scope is what the key may do. Its owner must have it now, and at each use.
	Scope doorward.Scope
	// Everything grants all that the owner has at each use, in the place of Scope.
	Everything bool
	// Audiences are those that tokens may be made for; none means all that the owner may have.
	Audiences []string
	// Lifetime is how long the key works: APIKeyLifetime if zero, a minute at least and
	// MaxAPIKeyLifetime at most.
	Lifetime time.Duration
	// NeverExpires makes a key that works until it is revoked.
	NeverExpires bool
}

// Add adds a key and returns it with its text, which exists nowhere else. It returns
// ErrAPIKeyName, ErrAPIKeyGrant, ErrAPIKeyLifetime, issuer.ErrAudience for an audience that the
// owner gets no tokens for, or what the store's CreateAPIKey does.
func (k *APIKeys) Add(ctx context.Context, n NewAPIKey, ev issuer.Event) (APIKey, string, error) {
	row, err := n.row()
	if err != nil {
		return APIKey{}, "", err
	}
	if err := k.checkAudiences(ctx, n); err != nil {
		return APIKey{}, "", err
	}
	var text string
	row.ID, text = newAPIKeyText()
	row.Digest = sha256.Sum256([]byte(text))
	ev.Kind, ev.Reason = EventAPIKeyAdd, strings.TrimSpace(row.ID+" "+row.Scope.String())
	if row.Everything {
		ev.Reason = row.ID + " everything"
	}
	key, err := k.store.CreateAPIKey(ctx, row, ev)
	if err != nil {
		return APIKey{}, "", fmt.Errorf("add API key: %w", err)
	}
	return key, text, nil
}

// Find returns the key with this ID, or ErrNoAPIKey.
func (k *APIKeys) Find(ctx context.Context, id string) (APIKey, error) {
	return k.store.APIKey(ctx, id)
}

// List lists keys by ID. A Limit of 0 means [DefaultPage]; more than [MaxPage] means
// MaxPage. The next page begins after the ID of the last.
func (k *APIKeys) List(ctx context.Context, q APIKeyQuery) ([]APIKey, error) {
	q.Limit = pageLimit(q.Limit)
	return k.store.APIKeys(ctx, q)
}

// Revoke ends a key and every token made from it; the caller applies the Revocation. If
// owner is not empty the key must be theirs. It returns ErrNoAPIKey. Doing it again
// changes nothing and returns the zero Revocation.
func (k *APIKeys) Revoke(ctx context.Context, id, owner string, ev issuer.Event) (doorward.Revocation, error) {
	ev.Kind = EventAPIKeyRevoke
	return k.store.RevokeAPIKey(ctx, id, owner, ev)
}

// RevokeAll ends every live key of an owner; the caller applies the Revocations, one
// for each.
func (k *APIKeys) RevokeAll(ctx context.Context, owner string, ev issuer.Event) ([]doorward.Revocation, error) {
	ev.Kind = EventAPIKeyRevoke
	return k.store.RevokeAPIKeys(ctx, owner, ev)
}

// row checks what is asked for.
func (n NewAPIKey) row() (APIKeyRow, error) {
	if !isLabel(n.Name) {
		return APIKeyRow{}, ErrAPIKeyName
	}
	scope, err := doorward.ParseScope(n.Scope.String())
	if err != nil || !validScope(n.Scope) || n.Everything && len(scope) > 0 || !validAudiences(n.Audiences) {
		return APIKeyRow{}, ErrAPIKeyGrant
	}
	row := APIKeyRow{
		Owner: n.Owner, Name: n.Name, Scope: scope, Everything: n.Everything, Audiences: slices.Clone(n.Audiences), Lifetime: n.Lifetime,
	}
	switch {
	case n.NeverExpires && n.Lifetime == 0:
	case n.Lifetime == 0:
		row.Lifetime = APIKeyLifetime
	case n.NeverExpires || n.Lifetime < time.Minute || n.Lifetime > MaxAPIKeyLifetime:
		return APIKeyRow{}, ErrAPIKeyLifetime
	}
	return row, nil
}

// checkAudiences returns issuer.ErrAudience, with what there is, for a key that would be good for nothing there.
func (k *APIKeys) checkAudiences(ctx context.Context, n NewAPIKey) (err error) {
	if len(n.Audiences) == 0 {
		return nil
	}
	var owner Client
	if strings.HasPrefix(n.Owner, ClientIDPrefix) {
		if owner, err = k.store.Client(ctx, n.Owner); err != nil {
			return err
		}
	}
	may := k.audiencesFor(owner)
	for _, name := range n.Audiences {
		if !slices.Contains(may, name) {
			return fmt.Errorf("%w: %q is none of %q", issuer.ErrAudience, name, may)
		}
	}
	return nil
}

// isLabel reports whether a text is fit to be shown as a name.
func isLabel(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= 64 && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
