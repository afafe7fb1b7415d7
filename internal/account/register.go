package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doorward/doorward/issuer"
)

// ErrReserved says that a name is kept for who runs the service.
var ErrReserved = errors.New("account: the name is reserved")

// reserved are names that would be taken for the service itself (RFC 2142, among others).
var reserved = []string{
	"abuse", "admin", "administrator", "doorward", "hostmaster", "noc", "operator", "postmaster", "root", "security", "support", "system", "webmaster",
}

// Registration is what people say about themselves.
type Registration struct {
	Name     string
	Email    string // empty if there is none
	Password string `json:"-"`
}

// String leaves the password out.
func (r Registration) String() string { return fmt.Sprintf("registration of %q", r.Name) }

// GoString leaves the password out.
func (r Registration) GoString() string { return r.String() }

// Register adds a user in the name of that user: without a role. It returns
// ErrName, ErrReserved, ErrEmail, ErrPassword, ErrNameTaken or what the Hasher
// returns. That a name is taken costs one hash to learn, as it costs one to take it.
func (p *People) Register(ctx context.Context, r Registration, ev issuer.Event) (User, error) {
	_, canonical, err := ParseName(r.Name)
	if err != nil {
		return User{}, err
	}
	if slices.Contains(reserved, canonical) {
		return User{}, fmt.Errorf("%w: %w", ErrReserved, ErrNameTaken)
	}
	ev.Kind = EventUserRegister
	return p.add(ctx, NewUser{Name: r.Name, Email: r.Email, Password: r.Password}, false, ev)
}
