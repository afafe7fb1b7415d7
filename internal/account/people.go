// Package account keeps who may ask for tokens: [People] with a password and roles,
// [Clients] with a secret, and the [APIKeys] of both. It answers the issuer's question
// about a subject, and it is where guessing passwords is made slow.
package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// RoleAdmin is the one role that means something by itself.
const RoleAdmin = "admin"

// UserIDPrefix begins the ID of every user, and of nothing else. A name may begin with it too, but not have the form of an ID: [ParseID].
const UserIDPrefix = "u_"

// InitialLifetime is how long a password works that somebody else chose and that
// must be changed.
const InitialLifetime = 24 * time.Hour

// Bounds of [People.List] and of the roles of one user.
const (
	DefaultPage = 100
	MaxPage     = 1000
	MaxRoles    = 32
)

// ClaimChangeRequired is the claim of a user whose role admin does not count
// until the password is changed.
const ClaimChangeRequired = "password_change_required"

// ErrRole says that a text is not the name of a role.
var ErrRole = errors.New("account: a role is 1 to 64 of the characters a-z 0-9 _ . : - and begins with a letter or digit")

// Hasher hashes passwords; a *password.Hasher does.
type Hasher interface {
	Hash(ctx context.Context, text string) (string, error)
	Verify(ctx context.Context, hash, text string) (rehash bool, err error)
	VerifyNothing(ctx context.Context, text string) error
}

// Beginner begins a login; an *issuer.Issuer does.
type Beginner interface {
	Begin(ctx context.Context, subject string) (issuer.Attempt, error)
}

// Config is what [New] needs. Store, Throttle and Hasher are required.
type Config struct {
	Store Store
	// Bulk is needed by Import and Export alone, and is the same database.
	Bulk BulkStore
	// Resets is needed by StartReset and Reset alone, and is the same database.
	Resets ResetStore
	// Devices is needed by Recognize and Remember alone, and is the same database.
	Devices DeviceStore
	// Edits is needed by Edit and ByExternalID alone, and is the same database.
	Edits EditStore
	// Roles is what roles mean, on the same database. Without it nobody has a scope.
	Roles    RoleStore
	Throttle Throttle
	Hasher   Hasher
	// Reserved hashes for devices that are known and for users who have logged in, so
	// that strangers cannot keep them waiting. Nil means Hasher.
	Reserved Hasher
	// MinPassword is the least number of characters of a new password. 0 means 15;
	// the least is 8.
	MinPassword int
	// ServiceNames are names that no password may be made of, beside that of its
	// user: of the product, of the host.
	ServiceNames []string
	// Breached, if not nil, holds passwords that are refused.
	Breached *password.Breached
}

// People is everybody who can log in. It is safe for concurrent use, runs no goroutine, and
// keeps in memory only the tries that are under way and which networks have failed to reset a password
// in this minute.
type People struct {
	store         Store
	bulk          BulkStore
	resets        ResetStore
	devices       DeviceStore
	edits         EditStore
	roles         RoleStore
	throttle      Throttle
	turns         turns
	hasher        Hasher
	reserved      Hasher
	rules         password.Rules
	resetFailures quota.Spread // for the audit record
}

// New returns the People of a store.
func New(cfg Config) (*People, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("account: Config.Store is required")
	case cfg.Throttle == nil:
		return nil, errors.New("account: Config.Throttle is required")
	case cfg.Hasher == nil:
		return nil, errors.New("account: Config.Hasher is required")
	case cfg.MinPassword != 0 && cfg.MinPassword < password.LeastMin:
		return nil, fmt.Errorf("account: Config.MinPassword is %d, the least is %d", cfg.MinPassword, password.LeastMin)
	}
	if cfg.Reserved == nil {
		cfg.Reserved = cfg.Hasher
	}
	rules := password.Rules{Min: cfg.MinPassword, Names: cfg.ServiceNames, Breached: cfg.Breached}
	return &People{
		store: cfg.Store, bulk: cfg.Bulk, resets: cfg.Resets, devices: cfg.Devices, edits: cfg.Edits, roles: cfg.Roles, throttle: cfg.Throttle,
		hasher: cfg.Hasher, reserved: cfg.Reserved, rules: rules,
	}, nil
}

// NewUser is a person to add.
type NewUser struct {
	Name  string
	Email string // empty if there is none
	Roles []string
	// ExternalID is as in User.
	ExternalID string
	// Password is checked against the rules for passwords.
	Password string `json:"-"`
	// MustChange says that somebody else chose the password, which withholds the role admin
	// until the user has changed it.
	MustChange bool
	// Lifetime is how long the password works if it is not changed. 0 means for ever.
	Lifetime time.Duration
}

// String leaves the password out.
func (n NewUser) String() string { return fmt.Sprintf("new user %q", n.Name) }

// GoString leaves the password out.
func (n NewUser) GoString() string { return n.String() }

// Add adds a user. It returns ErrName, ErrEmail, ErrRole, ErrRoleBounds, ErrPassword, ErrNameTaken or what
// the Hasher returns.
func (p *People) Add(ctx context.Context, n NewUser, ev issuer.Event) (User, error) {
	return p.add(ctx, n, false, ev)
}

// EnsureAdmin adds the user "admin" to a store without users and returns the
// random password, which exists nowhere else. It works for [InitialLifetime] and
// has to be changed before the role admin counts. If there are users already the
// password is empty. Of several processes that start at once one gets a password.
func (p *People) EnsureAdmin(ctx context.Context, ev issuer.Event) (string, error) {
	users, err := p.store.Users(ctx, Query{Limit: 1})
	if err != nil {
		return "", fmt.Errorf("look for users: %w", err)
	}
	if len(users) > 0 {
		return "", nil
	}
	n := NewUser{
		Name: RoleAdmin, Roles: []string{RoleAdmin}, Password: password.Generate(),
		MustChange: true, Lifetime: InitialLifetime,
	}
	_, err = p.add(ctx, n, true, ev)
	if errors.Is(err, ErrNotEmpty) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return n.Password, nil
}

// ByID returns the user with this ID, or ErrNotFound.
func (p *People) ByID(ctx context.Context, id string) (User, error) {
	return p.store.User(ctx, id)
}

// ByName returns the user with this name in any of its spellings, or ErrNotFound.
func (p *People) ByName(ctx context.Context, name string) (User, error) {
	_, canonical, err := parseExistingName(name)
	if err != nil {
		return User{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return p.store.UserByName(ctx, canonical)
}

// ByExternalID returns the user with this external ID, or ErrNotFound.
func (p *People) ByExternalID(ctx context.Context, id string) (User, error) {
	if p.edits == nil {
		return User{}, errNoEdits
	}
	if id == "" || checkExternalID(id) != nil {
		return User{}, ErrNotFound
	}
	return p.edits.UserByExternalID(ctx, id)
}

// List lists users by name. The next page begins after the Canonical of the last.
// A Limit of 0 means [DefaultPage]; more than [MaxPage] means MaxPage.
func (p *People) List(ctx context.Context, q Query) ([]User, error) {
	q.Limit = pageLimit(q.Limit)
	return p.store.Users(ctx, q)
}

// pageLimit is how many entries a list has that was asked for n.
func pageLimit(n int) int {
	if n <= 0 {
		return DefaultPage
	}
	return min(n, MaxPage)
}

// Subject tells the issuer about a user: not active when disabled or when an
// initial password expired unchanged. The scope is that of the roles together. It
// implements issuer.Subjects.
func (p *People) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	u, scope, err := p.granted(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return issuer.Subject{}, issuer.ErrNotFound
	}
	if err != nil {
		return issuer.Subject{}, err
	}
	s := issuer.Subject{
		Active: !u.Disabled && !u.expired(time.Now()), Name: u.Name, Roles: u.Roles, Scope: scope, Claims: u.claims(),
	}
	if u.AdminWaits() {
		s.Roles = slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return r == RoleAdmin })
		s.Claims = map[string]any{ClaimChangeRequired: true}
		maps.Copy(s.Claims, u.claims())
	}
	return s, nil
}

func (p *People) add(ctx context.Context, n NewUser, first bool, ev issuer.Event) (User, error) {
	name, canonical, err := ParseName(n.Name)
	if err != nil {
		return User{}, err
	}
	email, err := parseEmail(n.Email)
	if err != nil {
		return User{}, err
	}
	if err := checkExternalID(n.ExternalID); err != nil {
		return User{}, err
	}
	roles, err := parseRoles(n.Roles)
	if err != nil {
		return User{}, err
	}
	hash, err := p.hashNew(ctx, n.Password, name, email)
	if err != nil {
		return User{}, err
	}
	ev.Kind = cmp.Or(ev.Kind, EventUserAdd)
	u, err := p.store.CreateUser(ctx, UserRow{
		ID: newID(), Name: name, Canonical: canonical, Email: email, Roles: roles, Hash: hash,
		ExternalID: n.ExternalID, MustChange: n.MustChange, Lifetime: n.Lifetime, First: first,
	}, ev)
	if err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	return u, nil
}

// hashNew checks a new password before it spends a hash on it. names are what others
// know about the user.
func (p *People) hashNew(ctx context.Context, text string, names ...string) (string, error) {
	if err := p.checkNew(text, names...); err != nil {
		return "", err
	}
	hash, err := p.hasher.Hash(ctx, text)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// checkNew asks whether a password may be set by the user of these names.
func (p *People) checkNew(text string, names ...string) error {
	err := p.rules.Check(text, names...)
	if _, ok := errors.AsType[*password.RuleError](err); ok {
		return fmt.Errorf("%w: %w", ErrPassword, err)
	}
	return err
}

// expired reports whether the password stopped working because nobody changed it in time.
func (u User) expired(now time.Time) bool {
	return !u.PasswordExpiresAt.IsZero() && !now.Before(u.PasswordExpiresAt)
}

// newID returns the ID of a new user: 130 random bits. It looks like no client ID
// and like no name that says who it is.
func newID() string { return UserIDPrefix + strings.ToLower(rand.Text()) }

func parseRoles(roles []string) ([]string, error) {
	if len(roles) > MaxRoles {
		return nil, fmt.Errorf("%w: %d roles, at most %d", ErrRoleBounds, len(roles), MaxRoles)
	}
	for _, r := range roles {
		if !IsRole(r) {
			return nil, fmt.Errorf("%w: %.80q", ErrRole, r)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(roles))), nil
}

// IsRole reports whether s can be the name of a role: 1 to 64 of a-z 0-9 _ . : -, with a letter or digit at the front.
func IsRole(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		word := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !word && (i == 0 || !strings.ContainsRune("_.:-", rune(c))) {
			return false
		}
	}
	return true
}
