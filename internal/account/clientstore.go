package account

import (
	"context"
	"errors"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// ErrNoClient says that there is no such client.
var ErrNoClient = errors.New("account: no such client")

// The kinds of issuer.Event about clients.
const (
	EventClientAdd     issuer.EventKind = "client_add"
	EventClientDisable issuer.EventKind = "client_disable"
	EventClientEnable  issuer.EventKind = "client_enable"
	EventClientRemove  issuer.EventKind = "client_remove"
	EventClientFailed  issuer.EventKind = "client_failed" // wrong credentials
)

// ClientStore keeps clients. Its methods are as those of [Store]: one transaction
// each, durable when they return, with their event in the audit record. It sets
// the event's Subject to the client's ID if it is empty.
type ClientStore interface {
	// CreateClient inserts a client and returns it as stored, or ErrNameTaken.
	CreateClient(ctx context.Context, row ClientRow, ev issuer.Event) (Client, error)

	// Client returns the client with this ID or name, or ErrNoClient.
	Client(ctx context.Context, idOrName string) (Client, error)

	// ClientCredential returns the client with this ID and its secrets, all of one
	// moment, or ErrNoClient.
	ClientCredential(ctx context.Context, id string) (ClientCredential, error)

	// Clients lists clients in the byte order of their names.
	Clients(ctx context.Context, q Query) ([]Client, error)

	// SetClientDisabled disables or enables the client, or returns ErrNoClient.
	SetClientDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) error

	// DeleteClient removes the client with its secrets, or returns ErrNoClient.
	DeleteClient(ctx context.Context, id string, ev issuer.Event) error

	// Record writes ev to the audit record.
	Record(ctx context.Context, ev issuer.Event) error
}

// ClientRow is what [ClientStore].CreateClient inserts.
type ClientRow struct {
	ID, Name  string
	Scope     doorward.Scope
	Audiences []string
	Secret    SecretDigest
}

// ClientCredential is a client together with the digests of its live secrets.
type ClientCredential struct {
	Client  Client
	Secrets []SecretDigest
}

// SecretDigest is the SHA-256 of a client's secret. The store never sees the secret.
type SecretDigest [32]byte
