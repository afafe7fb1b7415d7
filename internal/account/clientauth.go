package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/issuer"
)

// ClientFailureLimit is how many wrong credentials may come from one network (an
// IPv4 address, an IPv6 /64) in a minute before they are no longer looked at.
const ClientFailureLimit = 120

// Errors of [Clients.Authenticate].
var (
	// ErrClient is the one answer to every client that is not let in: unknown,
	// disabled, or with a wrong secret. It wraps the reason, which is for the log.
	ErrClient = errors.New("account: client credentials are wrong")
	// ErrClientThrottled says that too many wrong credentials came from this network.
	ErrClientThrottled = errors.New("account: too many wrong client credentials")

	errWrongSecret = errors.New("account: wrong client secret")
)

// Authenticate checks a client's ID and secret and returns the client as it is now:
// who was disabled a moment ago is refused. ev.Address is where the request came from.
//
// Nobody can guess 256 bits, so failures are limited only for what they cost, and never
// at the expense of a client that was let in before: its credentials are looked at
// however many wrong ones come from its network. The first failure of a network in a
// minute goes to the audit record.
func (c *Clients) Authenticate(ctx context.Context, id, secret string, ev issuer.Event) (Client, error) {
	digest, network := digestOf(secret), networkOf(ev.Address)
	if c.failures.Count(network, time.Now()) >= ClientFailureLimit && !c.good.has(id, digest) {
		return Client{}, ErrClientThrottled
	}
	cred, err := c.store.ClientCredential(ctx, id)
	if err != nil && !errors.Is(err, ErrNoClient) {
		return Client{}, fmt.Errorf("read client: %w", err)
	}
	// Who is unknown is compared with as many secrets as most clients have.
	secrets := cred.Secrets
	if len(secrets) == 0 {
		secrets = []SecretDigest{{}}
	}
	right := 0
	for _, s := range secrets {
		right |= subtle.ConstantTimeCompare(s[:], digest[:])
	}
	switch {
	case err != nil:
	case right != 1:
		err = errWrongSecret
	case cred.Client.Disabled:
		err = ErrDisabled
	default:
		if c.good.add(id, digest, time.Now()) {
			// A use that cannot be noted lets nobody wait: it is noted an hour later.
			_ = c.store.UseClientSecret(context.WithoutCancel(ctx), id, digest)
		}
		return cred.Client, nil
	}
	return Client{}, c.failed(ctx, network, cred.Client.ID, err, ev)
}

// failed counts a failure, and records the first of its network in a minute.
func (c *Clients) failed(ctx context.Context, network, id string, why error, ev issuer.Event) error {
	if c.failures.Add(network, time.Now()) == 1 {
		ev.Kind, ev.Subject, ev.Reason = EventClientFailed, id, clientReason(why)
		if err := c.store.Record(context.WithoutCancel(ctx), ev); err != nil {
			return fmt.Errorf("record the failed client: %w", err)
		}
	}
	return fmt.Errorf("%w: %w", ErrClient, why)
}

// clientReason is the word for the audit record.
func clientReason(why error) string {
	switch {
	case errors.Is(why, ErrNoClient):
		return "unknown_client"
	case errors.Is(why, ErrDisabled):
		return "disabled"
	}
	return "wrong_secret"
}

// networkOf is the part of an address that its owner cannot change at will. What is
// no address is one network.
func networkOf(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	bits := 32
	if addr = addr.Unmap(); addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr.WithZone(""), bits).Masked().String()
}

// digestOf is what is stored of a secret, and compared.
func digestOf(secret string) SecretDigest {
	return sha256.Sum256([]byte(secret))
}

// digests remembers who was let in with what. It holds no more than those who were let in.
type digests struct{ byID sync.Map }

// letIn is one secret with which a client was let in, and when that was last noted.
type letIn struct {
	digest SecretDigest
	noted  time.Time
}

func (d *digests) drop(id string) { d.byID.Delete(id) }

// add reports whether the use of the secret is to be noted in the store.
func (d *digests) add(id string, digest SecretDigest, now time.Time) bool {
	known := d.of(id)
	at := slices.IndexFunc(known, digest.is)
	if at >= 0 && now.Sub(known[at].noted).Abs() < ClientUseStep {
		return false
	}
	// Of two requests at once one may be forgotten, and is remembered with the next.
	rest := slices.DeleteFunc(slices.Clone(known), digest.is)
	d.byID.Store(id, append([]letIn{{digest, now}}, rest[:min(len(rest), MaxClientSecrets-1)]...))
	return true
}

func (d *digests) has(id string, digest SecretDigest) bool {
	return slices.ContainsFunc(d.of(id), digest.is)
}

func (d *digests) of(id string) []letIn {
	known, _ := d.byID.Load(id)
	list, _ := known.([]letIn)
	return list
}

func (d SecretDigest) is(l letIn) bool { return subtle.ConstantTimeCompare(d[:], l.digest[:]) == 1 }
