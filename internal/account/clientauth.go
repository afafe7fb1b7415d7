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

	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/issuer"
)

// How many wrong credentials may come in a minute before they are no longer looked at: from
// one network, and from everywhere.
const (
	ClientFailureLimit = 120
	ClientFailureAll   = 12_000
)

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
// who was disabled a moment ago is refused. network is where the request came from; the
// zero Prefix has no limit of its own.
//
// Nobody can guess 256 bits, so failures are limited only for what they cost, and never
// at the expense of a client that was let in before: its credentials are looked at
// however many wrong ones come from its network. The first failure of a network in a
// minute goes to the audit record.
func (c *Clients) Authenticate(ctx context.Context, id, secret string, network netip.Prefix, ev issuer.Event) (Client, error) {
	digest, now := digestOf(secret), time.Now()
	known := c.good.has(id, digest)
	if !known && c.budget.Take(network, now) > 0 {
		return Client{}, ErrClientThrottled
	}
	client, err := c.check(ctx, id, digest)
	if reason := clientReason(err); reason != "" {
		if known {
			c.good.drop(id, digest) // and not at the word of somebody who only knows the ID
		}
		ev.Subject, ev.Reason = client.ID, reason
		return Client{}, c.failed(ctx, err, ev)
	}
	if !known {
		c.budget.Give(network, now)
	}
	if err != nil {
		return Client{}, err
	}
	if c.good.add(id, digest, now) {
		c.noteUse(ctx, id, digest)
	}
	return client, nil
}

// useWait is how long a client that is let in waits until the use of its secret is noted.
const useWait = time.Second

// noteUse notes that a secret was used, also if the client has gone away. What cannot be noted now, since somebody else writes
// or the disk is full, is noted an hour later.
func (c *Clients) noteUse(ctx context.Context, id string, digest SecretDigest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useWait)
	defer cancel()
	_ = c.store.UseClientSecret(ctx, id, digest)
}

// check compares a secret with those of a client. It returns the client also beside the error
// that it is not let in.
func (c *Clients) check(ctx context.Context, id string, digest SecretDigest) (Client, error) {
	cred, err := c.store.ClientCredential(ctx, id)
	if err != nil && !errors.Is(err, ErrNoClient) {
		return Client{}, err
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
	}
	return cred.Client, err
}

// failed records the first failure of a network in a minute.
func (c *Clients) failed(ctx context.Context, why error, ev issuer.Event) error {
	if c.failures.Add(networkOf(ev.Address), time.Now()) == 1 {
		ev.Kind = EventClientFailed
		if err := c.store.Record(context.WithoutCancel(ctx), ev); err != nil {
			return fmt.Errorf("record the failed client: %w", err)
		}
	}
	return cause.With(fmt.Errorf("%w: %w", ErrClient, why), "client_id", ev.Subject)
}

// clientReason is the word for the audit record, empty if err says nothing about the client.
func clientReason(why error) string {
	switch {
	case errors.Is(why, ErrNoClient):
		return "unknown_client"
	case errors.Is(why, ErrDisabled):
		return "disabled"
	case errors.Is(why, errWrongSecret):
		return "wrong_secret"
	}
	return ""
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
	return netip.PrefixFrom(addr, bits).Masked().String()
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

// drop forgets one secret, and no other of its owner.
func (d *digests) drop(id string, digest SecretDigest) {
	rest := slices.DeleteFunc(slices.Clone(d.of(id)), digest.is)
	if len(rest) == 0 {
		d.byID.Delete(id)
		return
	}
	d.byID.Store(id, rest)
}

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
