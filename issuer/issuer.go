package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/rotation"
	"github.com/doorward/doorward/internal/wellknown"
	"github.com/doorward/doorward/jwt"
)

// RefreshTokenPrefix begins every refresh token, and no access token.
const RefreshTokenPrefix = opaque.Prefix

// FirstPartyClient is the client_id of tokens made by a login that names no client.
const FirstPartyClient = "doorward"

// Subjects knows the people and programs that tokens are made for. It may be called
// concurrently.
type Subjects interface {
	// Subject is called at each login and refresh. It returns [ErrNotFound] for a
	// subject that does not exist.
	Subject(ctx context.Context, id string) (Subject, error)
}

// Subject is what an issuer must know of the person or program behind an id.
// The zero Subject is not active.
type Subject struct {
	Active bool
	Name   string // written as preferred_username if Config.Username is set
	Roles  []string
	Scope  doorward.Scope // all that its sessions may be granted
	// Claims are extra claims, written into each access token from now on. They
	// cannot name a claim that the issuer sets itself.
	Claims map[string]any
}

// Config says what an [Issuer] is. Issuer, Store, MasterKey and Subjects are required.
type Config struct {
	// Issuer is the iss of every token: an https URL without query and fragment
	// (RFC 8414 §2); http is allowed for loopback addresses.
	Issuer string
	// Store holds the sessions and the keys of one issuer. Two Issuers on one store are that
	// issuer twice: each refreshes the sessions of the other, whatever their names. Issuers
	// that must not trust each other need a store and a master key each.
	Store Store
	// MasterKey seals the keys in the Store. New returns ErrMasterKey if they were
	// sealed under another one. Keep a copy, apart from the backups of the Store.
	MasterKey MasterKey
	// Subjects says who may have tokens, and what is in them.
	Subjects Subjects

	// Audience is the aud of a token for which none is asked; empty means Issuer.
	Audience string
	// Audiences may be asked for, too, as Audience and Issuer always may. A token
	// has one audience.
	Audiences []string

	// Algorithm is that of new signing keys: EdDSA if empty. HMAC is refused, since
	// a verifier could then make tokens.
	Algorithm jwt.Algorithm
	// AccessTTL is the mean lifetime of an access token, spread by ±5 %: 10
	// minutes if zero, between 10 seconds and 22 hours.
	AccessTTL time.Duration
	// IdleTTL and AbsoluteTTL end a session that is not used for the one, or is
	// older than the other: 14 and 30 days if zero.
	IdleTTL, AbsoluteTTL time.Duration

	// Window is how long two uses of one refresh token count as those of two tabs of
	// one client, not as theft: 10 seconds if zero.
	Window time.Duration
	// Budget is how many generations of the refresh token in a row may lose their
	// answer on the way to the client before the session ends: 3 if zero.
	Budget int
	// StrictRefresh is RFC 9700 §4.14.2 to the letter: any second use of a refresh token
	// ends the session. It excludes Window and Budget, and logs out clients that lose one answer.
	StrictRefresh bool
	// RefreshLimit is how often one session may be refreshed in a minute, counted
	// by this process: 30 if zero.
	RefreshLimit int

	// KeyTTL is how long a signing key signs: 90 days if zero.
	KeyTTL time.Duration
	// PublishLead is how long a signing key is in the key set before it signs: 10
	// minutes if zero. It must exceed the time for which verifiers cache the set.
	PublishLead time.Duration

	// MaxStaleness is how old this process's knowledge of revocations may grow,
	// when the store does not answer, before tokens are refused: 60 seconds if zero.
	MaxStaleness time.Duration
	// Followed, if set, is called with each page of revocations that this process
	// reads from the store, beginning with the one that New reads. Calls do not
	// overlap and hold up the reading: they must be short.
	Followed func(RevocationPage)

	// Username writes Subject.Name into access tokens as preferred_username.
	Username bool
	// Logger gets what happens in Run, where no caller can be told, and security events:
	// the end of a session, a spent refresh token used late, a store that lost history. Nil discards them.
	Logger *slog.Logger
}

// Issuer makes and revokes tokens. It is safe for concurrent use, also by
// several processes on one store.
type Issuer struct {
	cfg     Config
	rule    rotation.Rule
	ring    atomic.Pointer[keyRing]
	revoked *doorward.RevocationSet
	limit   quota.PerMinute[Digest]
	follow  follower
}

// New checks cfg, opens or makes the keys in the store, and reads its
// revocations. It starts nothing. It returns [ErrMasterKey] if the keys were sealed under another key.
func New(ctx context.Context, cfg Config) (*Issuer, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	i := &Issuer{
		cfg:     cfg,
		rule:    rotation.Rule{Window: cfg.Window, Budget: cfg.Budget},
		revoked: doorward.NewRevocationSet(cfg.MaxStaleness),
		follow:  follower{turn: make(chan struct{}, 1)},
	}
	if cfg.StrictRefresh {
		i.rule = rotation.Rule{Window: 0, Budget: 1}
	}
	if err := i.maintainKeys(ctx); err != nil {
		return nil, err
	}
	if err := i.readRevocations(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// URL returns the issuer's identifier, the iss of its tokens.
func (i *Issuer) URL() string { return i.cfg.Issuer }

// Audience returns the aud of tokens for which none is asked.
func (i *Issuer) Audience() string { return i.cfg.Audience }

// Keys returns the public keys by which this issuer's tokens are verified. The
// set follows rotation and revocation.
func (i *Issuer) Keys() jwt.KeySet { return keySet{i} }

// Revocations returns what this process knows of revocations. It goes stale
// unless [Issuer.Run] runs.
func (i *Issuer) Revocations() doorward.Revocations { return i.revoked }

// RevocationAge returns how old the knowledge behind [Issuer.Revocations] is.
func (i *Issuer) RevocationAge() time.Duration { return i.revoked.Age() }

// Sessions lists sessions, newest first.
func (i *Issuer) Sessions(ctx context.Context, q SessionQuery) ([]Session, error) {
	return i.cfg.Store.Sessions(ctx, q)
}

func (c Config) check() error {
	switch {
	case c.Issuer == "":
		return errors.New("issuer: Config.Issuer is required")
	case c.Store == nil:
		return errors.New("issuer: Config.Store is required")
	case c.MasterKey.isZero():
		return errors.New("issuer: Config.MasterKey is required; GenerateMasterKey makes one")
	case c.Subjects == nil:
		return errors.New("issuer: Config.Subjects is required")
	}
	if err := wellknown.CheckIssuer(c.Issuer); err != nil {
		return fmt.Errorf("issuer: Config.Issuer %w", err)
	}
	if slices.Contains(c.Audiences, "") {
		return errors.New("issuer: Config.Audiences holds an empty name")
	}
	return c.checkNumbers()
}

func (c Config) checkNumbers() error {
	d := c.withDefaults()
	switch {
	case c.StrictRefresh && (c.Window != 0 || c.Budget != 0):
		return errors.New("issuer: Config.StrictRefresh excludes Config.Window and Config.Budget")
	case d.Window < 0 || d.Budget < 1:
		return errors.New("issuer: Config.Window and Config.Budget must be positive; StrictRefresh is the strict mode")
	case d.AccessTTL < 10*time.Second || d.AccessTTL > 22*time.Hour:
		return errors.New("issuer: Config.AccessTTL must be between 10 seconds and 22 hours")
	case d.IdleTTL < d.Window || d.AbsoluteTTL < d.IdleTTL:
		return errors.New("issuer: Config.IdleTTL must be between Config.Window and Config.AbsoluteTTL")
	case d.RefreshLimit < 1:
		return errors.New("issuer: Config.RefreshLimit must be positive")
	case d.PublishLead < 0 || d.KeyTTL < d.PublishLead || d.KeyTTL < time.Minute:
		return errors.New("issuer: Config.KeyTTL must be at least a minute and exceed Config.PublishLead")
	case d.MaxStaleness < 2*time.Second:
		return errors.New("issuer: Config.MaxStaleness must be at least two seconds, twice the pace at which the store is read")
	}
	return checkAlgorithm(d.Algorithm)
}

func (c Config) withDefaults() Config {
	c.Audience = cmp.Or(c.Audience, c.Issuer)
	c.Algorithm = cmp.Or(c.Algorithm, jwt.EdDSA)
	c.AccessTTL = cmp.Or(c.AccessTTL, 10*time.Minute)
	c.IdleTTL = cmp.Or(c.IdleTTL, min(14*24*time.Hour, max(c.AbsoluteTTL, 0)))
	c.IdleTTL = cmp.Or(c.IdleTTL, 14*24*time.Hour)
	c.AbsoluteTTL = cmp.Or(c.AbsoluteTTL, max(30*24*time.Hour, c.IdleTTL))
	c.Window = cmp.Or(c.Window, 10*time.Second)
	c.Budget = cmp.Or(c.Budget, 3)
	c.RefreshLimit = cmp.Or(c.RefreshLimit, 30)
	c.KeyTTL = cmp.Or(c.KeyTTL, 90*24*time.Hour)
	c.PublishLead = cmp.Or(c.PublishLead, 10*time.Minute)
	c.MaxStaleness = cmp.Or(c.MaxStaleness, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

func checkAlgorithm(alg jwt.Algorithm) error {
	switch alg {
	case jwt.EdDSA, jwt.ES256, jwt.ES384, jwt.ES512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512:
		return nil
	case jwt.HS256, jwt.HS384, jwt.HS512:
		return errors.New("issuer: Config.Algorithm must be asymmetric: who can verify with HMAC can also sign")
	}
	return fmt.Errorf("issuer: Config.Algorithm %q is not supported", string(alg))
}
