package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/issuer"
)

// How many people register in a minute, whether they may or not: from one network,
// and in all, in this process.
const (
	registerNetwork = 10
	registerAll     = 120
)

// Errors of a registration.
var (
	// ErrRegisterThrottled says that too many people register at the moment.
	ErrRegisterThrottled = errors.New("account: too many registrations")
	// ErrReserved says that a name is kept for who runs the service.
	ErrReserved = errors.New("account: the name is reserved")
)

// reserved are names that would be taken for the service itself (RFC 2142, among others).
var reserved = []string{
	"abuse", "admin", "administrator", "doorward", "hostmaster", "noc", "operator", "postmaster", "root", "security", "support", "system", "webmaster",
}

// Register adds a user in the name of that user: without a role. It returns
// ErrRegisterThrottled, ErrName, ErrReserved, ErrPassword, ErrNameTaken or what the Hasher
// returns. That a name is taken costs one hash to learn, as it costs one to take it.
func (p *People) Register(ctx context.Context, name, text string, ev issuer.Event) (User, error) {
	now := time.Now()
	if p.registering.Add(network(ev.Address), now) > registerNetwork || !p.registered.Allow(struct{}{}, registerAll, now) {
		return User{}, ErrRegisterThrottled
	}
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
