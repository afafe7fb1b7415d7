package account

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// MaxClientSecrets is how many live secrets a client may have, so that one can take the place of
// the other while both work.
const MaxClientSecrets = 2

// ClientUseStep is how exactly the last use of a secret is known.
const ClientUseStep = time.Hour

// Errors of a [ClientStore].
var (
	// ErrNoClient says that there is no such client.
	ErrNoClient = errors.New("account: no such client")
	// ErrClientSecrets says that the client has MaxClientSecrets live secrets.
	ErrClientSecrets = errors.New("account: the client has two secrets already")
	// ErrNoSecret says that the client has no such secret.
	ErrNoSecret = errors.New("account: the client has no such secret")
	// ErrLastSecret says that a client's only live secret was to be dropped.
	ErrLastSecret = errors.New("account: the client has no other secret")
)

// The kinds of issuer.Event about clients.
const (
	EventClientAdd     issuer.EventKind = "client_add"
	EventClientDisable issuer.EventKind = "client_disable"
	EventClientEnable  issuer.EventKind = "client_enable"
	EventClientRemove  issuer.EventKind = "client_remove"
	EventClientFailed  issuer.EventKind = "client_failed" // wrong credentials
	EventClientRevoke  issuer.EventKind = "client_revoke" // of all its tokens
	EventSecretAdd     issuer.EventKind = "client_secret_add"
	EventSecretDrop    issuer.EventKind = "client_secret_drop"
)

// ClientStore keeps clients. Its methods are as those of [Store]: one transaction
// each, durable when they return, with their event in the audit record. It sets
// the event's Subject to the client's ID if it is empty.
type ClientStore interface {
	ClientSecretStore
	ClientChangeStore

	// CreateClient inserts a client and returns it as stored, or ErrNameTaken. The event's Reason is the client's GrantText.
	CreateClient(ctx context.Context, row ClientRow, ev issuer.Event) (Client, error)

	// Client returns the client with this ID or name, or ErrNoClient.
	Client(ctx context.Context, idOrName string) (Client, error)

	// ClientCredential returns the client with this ID and its secrets, all of one
	// moment, or ErrNoClient.
	ClientCredential(ctx context.Context, id string) (ClientCredential, error)

	// Clients lists clients in the byte order of their names.
	Clients(ctx context.Context, q Query) ([]Client, error)

	// Record writes ev to the audit record.
	Record(ctx context.Context, ev issuer.Event) error
}

// ClientChangeStore changes what clients may do, as a part of a [ClientStore].
type ClientChangeStore interface {
	// SetClientDisabled disables or enables the client, or returns ErrNoClient. Disabling, also
	// of a client that already is disabled, ends its tokens as EndClientTokens does.
	SetClientDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) ([]doorward.Revocation, error)

	// EditClient changes a client and returns it as it is then. It returns
	// issuer.ErrConflict, and writes nothing, if e.Seen is not what the client is, and
	// ErrNoClient. Disabling ends its tokens as EndClientTokens does. It writes an event for each part
	// that changes something: EventClientSet with the client's GrantText as Reason, EventClientDisable or EventClientEnable.
	EditClient(ctx context.Context, id string, e ClientEdit, ev issuer.Event) (Client, []doorward.Revocation, error)

	// EndClientTokens ends every token of the client so far, those of its API keys included, and
	// every one in the making: it adds one to the client's epoch and records two cut-offs, of the
	// client and of the subject that it is, which it returns. It returns ErrNoClient if there is none.
	EndClientTokens(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error)

	// DeleteClient removes the client with its secrets and ends its tokens as EndClientTokens does. It
	// returns ErrNoClient if there is none.
	DeleteClient(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error)
}

// ClientSecretStore keeps the secrets of clients. One of them is named by
// [SecretDigest.ID].
type ClientSecretStore interface {
	// AddClientSecret gives the client another secret and returns the client. Unless keep is 0, its
	// earlier secrets work for keep from now and no longer. It returns ErrNoClient or ErrClientSecrets.
	AddClientSecret(ctx context.Context, id string, secret SecretDigest, keep time.Duration, ev issuer.Event) (Client, error)

	// DropClientSecret removes one secret and returns the client. It returns ErrNoClient, ErrNoSecret, or
	// ErrLastSecret if no other one works.
	DropClientSecret(ctx context.Context, id, secret string, ev issuer.Event) (Client, error)

	// UseClientSecret notes that a secret was used, unless that is noted within ClientUseStep.
	UseClientSecret(ctx context.Context, id string, secret SecretDigest) error
}

// ClientRow is what [ClientStore].CreateClient inserts.
type ClientRow struct {
	ID, Name  string
	Scope     doorward.Scope
	Audiences []string
	Secret    SecretDigest
}

// ClientSecret is what there is to know of a secret: not the secret itself. Times are in UTC with
// millisecond precision.
type ClientSecret struct {
	ID        string // of its digest
	CreatedAt time.Time
	// ExpiresAt is when it stops working. Zero means never.
	ExpiresAt time.Time
	// UsedAt is when it was last used, as exactly as ClientUseStep. Zero means never.
	UsedAt time.Time
}

// ClientCredential is a client together with the digests of its live secrets.
type ClientCredential struct {
	Client  Client
	Secrets []SecretDigest
}

// SecretDigest is the SHA-256 of a client's secret. The store never sees the secret.
type SecretDigest [32]byte

// ID names a secret to people. It tells nothing of the secret, which has 256 random bits.
func (d SecretDigest) ID() string { return hex.EncodeToString(d[:4]) }
