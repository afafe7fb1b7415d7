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

// Register adds a user in the name of that user: without a role. It returns
// ErrName, ErrReserved, ErrPassword, ErrNameTaken or what the Hasher
// returns. That a name is taken costs one hash to learn, as it costs one to take it.
func (p *People) Register(ctx context.Context, name, text string, ev issuer.Event) (User, error) {
	_, canonical, err := ParseName(name)
	if err != nil {
		return User{}, err
	}
	if slices.Contains(reserved, canonical) {
		return User{}, fmt.Errorf("%w: %w", ErrReserved, ErrNameTaken)
	}
	ev.Kind = EventUserRegister
	return p.add(ctx, NewUser{Name: name, Password: text}, false, ev)
}
