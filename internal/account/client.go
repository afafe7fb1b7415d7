package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
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

// ClientIDPrefix begins the ID of every client, and of nothing else. ClientSecretPrefix
// begins every secret.
const (
	ClientIDPrefix     = "dwc_"
	ClientSecretPrefix = "dws_"
)

// Scopes of clients that are about Doorward itself.
const (
	// ScopeRevocations is what a client needs to follow revocations.
	ScopeRevocations = "revocations:read"
	// ScopeIntrospect is what a client needs to ask whether a token is live.
	ScopeIntrospect = "tokens:introspect"
)

// OldSecret names the oldest secret of a client, whichever that is.
const OldSecret = "old"

// MaxClientWords is how many scopes, and how many audiences, a client may have. All scopes of one have [MaxScope] bytes
// together, as those of a user have, so that its tokens are far below the 8 KiB that verifiers read.
const MaxClientWords = 64

// maxAudience is the greatest length of an audience in bytes.
const maxAudience = 1024

var (
	// ErrClientName says that a text is not the name of a client.
	ErrClientName = errors.New("account: the name of a client is 1 to 64 of the characters a-z 0-9 _ . : -, begins with a letter or digit, not with dwc_, and is not like an ID")
	// ErrClientGrant says that what a client is to be granted are no scopes or no audiences.
	ErrClientGrant = errors.New("account: a client has at most 64 scopes (RFC 6749 section 3.3), of 2048 bytes together, and 64 audiences of at most 1024 bytes, none of them with a space or what cannot be printed")
)

// Clients are the programs with a credential of their own. It is safe for concurrent
// use and runs no goroutine.
type Clients struct {
	store    ClientStore
	budget   *quota.Budget[netip.Prefix]
	failures quota.Spread // for the audit record
	good     digests
}

// ClientsConfig is what [NewClients] needs. Store is required.
type ClientsConfig struct {
	Store ClientStore
	// Failures is how many wrong credentials may come in a minute before no more are looked at:
	// ClientFailureLimit from each network and ClientFailureAll from all, where it is zero.
	Failures quota.Limits
}

// NewClients returns the Clients of a store.
func NewClients(cfg ClientsConfig) *Clients {
	limits := quota.Limits{
		Each: cmp.Or(cfg.Failures.Each, ClientFailureLimit), All: cmp.Or(cfg.Failures.All, ClientFailureAll),
	}
	return &Clients{store: cfg.Store, budget: quota.NewBudget[netip.Prefix](limits)}
}

// NewClient is a program to add.
type NewClient struct {
	Name      string
	Scope     doorward.Scope
	Audiences []string
}

// Add adds a client and returns it with its secret: 256 random bits that exist
// nowhere else. It returns ErrClientName, ErrClientGrant or ErrNameTaken.
func (c *Clients) Add(ctx context.Context, n NewClient, ev issuer.Event) (Client, string, error) {
	if _, like := ParseID(n.Name); like || !IsRole(n.Name) || strings.HasPrefix(n.Name, ClientIDPrefix) {
		return Client{}, "", fmt.Errorf("%w: %.80q", ErrClientName, n.Name)
	}
	if !validScope(n.Scope) || !validAudiences(n.Audiences) {
		return Client{}, "", ErrClientGrant
	}
	secret := newSecret()
	ev.Kind = EventClientAdd
	client, err := c.store.CreateClient(ctx, ClientRow{
		ID: ClientIDPrefix + strings.ToLower(rand.Text()), Name: n.Name,
		Scope: n.Scope, Audiences: n.Audiences, Secret: digestOf(secret),
	}, ev)
	if err != nil {
		return Client{}, "", fmt.Errorf("add client: %w", err)
	}
	return client, secret, nil
}

// Find returns the client with this ID or name, or ErrNoClient.
func (c *Clients) Find(ctx context.Context, idOrName string) (Client, error) {
	return c.store.Client(ctx, idOrName)
}

// List lists clients by name. A Limit of 0 means [DefaultPage]; more than [MaxPage]
// means MaxPage. The next page begins after the Name of the last.
func (c *Clients) List(ctx context.Context, q Query) ([]Client, error) {
	q.Limit = pageLimit(q.Limit)
	return c.store.Clients(ctx, q)
}

// SetDisabled disables a client, which every node refuses from then on, or enables it again. Disabling
// ends its tokens; the caller applies the Revocations. It returns ErrNoClient.
func (c *Clients) SetDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) ([]doorward.Revocation, error) {
	ev.Kind = EventClientEnable
	if disabled {
		ev.Kind = EventClientDisable
	}
	cuts, err := c.store.SetClientDisabled(ctx, id, disabled, ev)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.ReplaceAll(string(ev.Kind), "_", " "), err)
	}
	return cuts, nil
}

// Revoke ends all tokens that a client has so far; the caller applies the Revocations. What it is
// granted afterwards is not affected. It returns ErrNoClient.
func (c *Clients) Revoke(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error) {
	ev.Kind = EventClientRevoke
	cuts, err := c.store.EndClientTokens(ctx, id, ev)
	if err != nil {
		return nil, fmt.Errorf("revoke tokens of client: %w", err)
	}
	return cuts, nil
}

// Remove removes a client for good and ends its tokens; the caller applies the Revocations. Its
// ID is never used again. It returns ErrNoClient.
func (c *Clients) Remove(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error) {
	ev.Kind = EventClientRemove
	cuts, err := c.store.DeleteClient(ctx, id, ev)
	if err != nil {
		return nil, fmt.Errorf("remove client: %w", err)
	}
	return cuts, nil
}

// Rotate gives a client another secret and returns the client with it: it exists nowhere else.
// Unless keep is 0, the secrets that the client had work for keep from now and no longer. It returns
// ErrNoClient, or ErrClientSecrets if there are [MaxClientSecrets] already.
func (c *Clients) Rotate(ctx context.Context, id string, keep time.Duration, ev issuer.Event) (Client, string, error) {
	secret := newSecret()
	ev.Kind, ev.Reason = EventSecretAdd, digestOf(secret).ID()
	client, err := c.store.AddClientSecret(ctx, id, digestOf(secret), max(keep, 0), ev)
	if err != nil {
		return Client{}, "", fmt.Errorf("rotate secret of client: %w", err)
	}
	return client, secret, nil
}

// DropSecret ends a secret at once: the one with this ID, or the oldest if secret is [OldSecret]. Tokens that it
// was used for live on. It returns ErrNoClient, ErrNoSecret or ErrLastSecret.
func (c *Clients) DropSecret(ctx context.Context, id, secret string, ev issuer.Event) (Client, error) {
	if secret == OldSecret {
		client, err := c.Find(ctx, id)
		if err != nil {
			return Client{}, err
		}
		if len(client.Secrets) > 0 {
			secret = client.Secrets[0].ID
		}
	}
	ev.Kind, ev.Reason = EventSecretDrop, secret
	client, err := c.store.DropClientSecret(ctx, id, secret, ev)
	if err != nil {
		return Client{}, fmt.Errorf("drop secret of client: %w", err)
	}
	return client, nil
}

// newSecret returns a new secret, in an alphabet that form encoding (RFC 6749 §2.3.1) leaves as it is.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return ClientSecretPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// validAudiences reports whether each audience is one word that can be printed: users choose those of their API keys, and
// operators are shown them.
func validAudiences(audiences []string) bool {
	return len(audiences) <= MaxClientWords && !slices.ContainsFunc(audiences, func(a string) bool {
		return a == "" || len(a) > maxAudience || !utf8.ValidString(a) ||
			strings.ContainsFunc(a, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
	})
}

// Client is one program with a credential of its own. Times are in UTC with
// millisecond precision.
type Client struct {
	ID        string // ClientIDPrefix and random text; never used again
	Name      string // unique; for people
	Scope     doorward.Scope
	Audiences []string
	Disabled  bool
	CreatedAt time.Time
	Secrets   []ClientSecret // those that work, the oldest first
}

// GrantText is what a client may have, for the audit record: its scopes, then its audiences with "audience=" before each,
// cut off after 1 KiB.
func (c Client) GrantText() string {
	const most = 1 << 10
	words := slices.Clone(c.Scope)
	for _, a := range c.Audiences {
		words = append(words, "audience="+a)
	}
	text := strings.Join(words, " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
