// Package admin serves the admin API, /admin/v1: users, roles, clients, sessions, tokens, API keys, signing keys, the audit record,
// backups and the program itself, for whoever has the role admin.
//
// Each resource is one file. A list comes in pages; its "next" goes into ?cursor= for the rest. What can be
// changed has an ETag, and is changed by PATCH with If-Match, which is answered with 412 if somebody else has changed
// it meanwhile. Reading needs a token of Doorward's own; a change, or an export of everything, needs a recent login
// too. The caller's role is read from the store at each request, so that a role taken away has no effect any more.
package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// Path is where all endpoints of this package are, after the server's prefix.
const Path = "/admin/v1"

// Config is what the API works on. All of it but Backups, ExportHashes and Prefix is required.
type Config struct {
	Issuer  *issuer.Issuer
	People  *account.People
	Clients *account.Clients
	APIKeys *account.APIKeys
	Audit   audit.Store
	// MasterKey opens the keys of the audit record, to verify it.
	MasterKey issuer.MasterKey
	// NewIssuer makes another issuer of this server that gets its subjects from subjects. Its tokens have that lifetime,
	// or the usual one if it is 0. Its Run is never called.
	NewIssuer func(ctx context.Context, subjects issuer.Subjects, lifetime time.Duration) (*issuer.Issuer, error)
	Program   Program
	// Backups are the copies of the store on this machine, nil where the store is a database with tools of its own.
	Backups *backup.Folder
	// ExportHashes says that an admin may have the hash of every password.
	ExportHashes bool
	// Prefix is the server's, for Location; it may be empty.
	Prefix string
}

// Admin is the admin API. It is safe for concurrent use.
type Admin struct {
	Config

	exporting, exportingUsers, verifying, checking sync.Mutex    // each is held by the one request that does so
	issuing                                        chan struct{} // as these, but to be waited for with a context
}

// New returns the admin API of a server.
func New(cfg Config) (*Admin, error) {
	if cfg.Issuer == nil || cfg.People == nil || cfg.Clients == nil || cfg.APIKeys == nil || cfg.Audit == nil || cfg.MasterKey == (issuer.MasterKey{}) ||
		cfg.NewIssuer == nil || cfg.Program.Check == nil {
		return nil, errors.New("admin: Config.Issuer, People, Clients, APIKeys, Audit, MasterKey, NewIssuer and Program are required")
	}
	return &Admin{Config: cfg, issuing: make(chan struct{}, 1)}, nil
}

// Routes are the endpoints, for the server.
func (a *Admin) Routes() []endpoint.Route {
	return []endpoint.Route{
		a.reads("/users", a.users),
		a.changes(http.MethodPost, "/users", a.userAdd),
		a.changes(http.MethodPost, "/users/import", a.usersImport),
		a.changes(http.MethodGet, "/users/export", a.usersExport),
		a.reads("/users/{id}", a.user),
		a.changes(http.MethodPatch, "/users/{id}", a.userEdit),
		a.deletes("/users/{id}", a.userDelete),
		a.changes(http.MethodPost, "/users/{id}/password", a.userPassword),
		a.changes(http.MethodPost, "/users/{id}/reset-link", a.userReset),
		a.deletes("/users/{id}/sessions", a.userSessionsEnd),
		a.deletes("/users/{id}/api-keys", a.userAPIKeysEnd),

		a.reads("/roles", a.roles),
		a.changes(http.MethodPost, "/roles", a.roleAdd),
		a.reads("/roles/{name}", a.role),
		a.changes(http.MethodPatch, "/roles/{name}", a.roleEdit),
		a.deletes("/roles/{name}", a.roleDelete),

		a.reads("/clients", a.clients),
		a.changes(http.MethodPost, "/clients", a.clientAdd),
		a.reads("/clients/{id}", a.client),
		a.changes(http.MethodPatch, "/clients/{id}", a.clientEdit),
		a.deletes("/clients/{id}", a.clientDelete),
		a.deletes("/clients/{id}/tokens", a.clientTokensEnd),
		a.deletes("/clients/{id}/api-keys", a.clientAPIKeysEnd),
		a.reads("/clients/{id}/secrets", a.secrets),
		a.changes(http.MethodPost, "/clients/{id}/secrets", a.secretAdd),
		a.deletes("/clients/{id}/secrets/{secret}", a.secretDrop),

		a.reads("/sessions", a.sessions),
		a.reads("/sessions/{id}", a.session),
		a.deletes("/sessions/{id}", a.sessionEnd),

		a.reads("/api-keys", a.apiKeys),
		a.changes(http.MethodPost, "/api-keys", a.apiKeyAdd),
		a.reads("/api-keys/{id}", a.apiKey),
		a.deletes("/api-keys/{id}", a.apiKeyRevoke),

		a.changes(http.MethodPost, "/tokens", a.tokenIssue),
		a.looks("/tokens/inspect", a.tokenInspect),

		a.reads("/keys", a.keys),
		a.changes(http.MethodPost, "/keys", a.keyRotate),
		a.reads("/keys/{kid}", a.key),
		a.deletes("/keys/{kid}", a.keyRevoke),

		a.reads("/backups", a.backups),
		a.changes(http.MethodPost, "/backups", a.backupMake),
		a.reads("/backups/{name}", a.backup),
		a.deletes("/backups/{name}", a.backupDelete),

		a.reads("/version", a.version),
		a.reads("/config", a.config),
		a.reads("/config/check", a.configCheck),

		a.reads("/audit", a.records),
		a.reads("/audit/head", a.auditHead),
		a.reads("/audit/verify", a.auditVerify),
		a.changes(http.MethodGet, "/audit/export", a.auditExport),
	}
}

// reads is a route that shows something.
func (a *Admin) reads(path string, h endpoint.Handler) endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: Path + path, Access: endpoint.AccessAdmin, Handle: a.stillAdmin(h)}
}

// looks is a route that shows something about a secret, which is sent in a body since a URL is not the place for it.
func (a *Admin) looks(path string, h endpoint.Handler) endpoint.Route {
	rt := a.reads(path, h)
	rt.Method = http.MethodPost
	return rt
}

// changes is a route that needs a recent login. It is for changes and for exports: with an older token, which may
// have fallen into other hands, one can only look at things.
func (a *Admin) changes(method, path string, h endpoint.Handler) endpoint.Route {
	return endpoint.Route{Method: method, Path: Path + path, Access: endpoint.AccessAdminRecent, Handle: a.stillAdmin(h)}
}

// deletes is a change that knows no conditions. It refuses a request with one rather than ignore it.
func (a *Admin) deletes(path string, h endpoint.Handler) endpoint.Route {
	return a.changes(http.MethodDelete, path, func(w http.ResponseWriter, r *http.Request) error {
		if len(r.Header.Values("If-Match"))+len(r.Header.Values("If-Unmodified-Since")) > 0 {
			return endpoint.InvalidRequest("this takes no condition", nil)
		}
		return h(w, r)
	})
}

// stillAdmin checks with the store that the caller is an admin, since the token may be some minutes old. It checks again
// when the body has been read, since the client may be slow to send it.
func (a *Admin) stillAdmin(h endpoint.Handler) endpoint.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		claims := endpoint.Claims(r)
		if err := a.checkAdmin(r.Context(), claims.Subject); err != nil {
			return err
		}
		if r.ContentLength != 0 {
			r.Body = &lateBody{r.Body, func() error { return a.checkStill(r.Context(), claims) }}
		}
		return h(w, r)
	}
}

// lateBody is a body that calls check when it has been read, and ends in its error if there is one.
type lateBody struct {
	io.ReadCloser
	check func() error
}

// Read returns an [endpoint.Failure] in the place of the end.
func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		if late := b.check(); late != nil {
			err = endpoint.FailureOf(late)
		}
	}
	return n, err
}

// checkStill returns an error unless the caller, who was let in before, is still logged in and an admin.
func (a *Admin) checkStill(ctx context.Context, c *doorward.Claims) error {
	if err := endpoint.StillLive(a.Issuer, c); err != nil {
		return err
	}
	return a.checkAdmin(ctx, c.Subject)
}

// checkAdmin returns errNotAdmin unless the user is active and an admin.
func (a *Admin) checkAdmin(ctx context.Context, id string) error {
	subject, err := a.People.Subject(ctx, id)
	if err != nil && !errors.Is(err, issuer.ErrNotFound) {
		return err
	}
	if err != nil || !subject.Active || !slices.Contains(subject.Roles, account.RoleAdmin) {
		return errNotAdmin
	}
	return nil
}

var errNotAdmin = &endpoint.Failure{
	Status: http.StatusForbidden, Code: "insufficient_scope", Description: "the role admin is needed",
	Challenge: endpoint.Challenge("insufficient_scope", "the role admin is needed"), Cause: doorward.ErrRole,
}

// event is an event for the audit record that says who has made the request.
func event(r *http.Request) issuer.Event { return endpoint.Event(r, endpoint.Claims(r).Subject) }

// afterCommit is the context for what must follow a change that has been made, although the client may be gone.
func afterCommit(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

// location sets the header Location to the resource that was made.
func (a *Admin) location(w http.ResponseWriter, path string) {
	w.Header().Set("Location", a.Prefix+Path+path)
}
