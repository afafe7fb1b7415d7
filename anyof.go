package doorward

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/doorward/doorward/jwt"
)

// AnyOf joins the verifiers of several issuers into one that accepts the tokens of any
// of them. Each keeps its own keys, audience, types, revocations and cache. All must look
// for tokens in the same places, in the same order. Realm, ErrorHandler, Logger, Observe
// and the origins that a Cookie trusts are those of the first.
//
// A token is judged by the verifiers whose keys have its kid; between two issuers that
// use the same kid, the signature decides. Then its iss must name the issuer whose key
// signed it: one issuer cannot speak for another. A key that is in memory never waits for
// the network of another issuer: a key set with a method Known, such as remote.KeySet, is
// asked to fetch only if no key in memory decides on the token.
//
// The error is that of the verifier whose key signed the token, if the token names its
// issuer. Otherwise it is the first of these that applies: what Verify says of a token
// whose signature is good (ErrIssuer, if another issuer's key made it); ErrNoKeys, if some
// verifier cannot know its keys now, so that the token may be good; jwt.ErrSignature;
// jwt.ErrKey.
func AnyOf(verifiers ...*Verifier) (*Verifier, error) {
	if len(verifiers) == 0 {
		return nil, errors.New("doorward: AnyOf needs a verifier")
	}
	var joined []*Verifier
	for i, v := range verifiers {
		switch {
		case v == nil:
			return nil, fmt.Errorf("doorward: AnyOf: verifier %d is nil", i)
		case !slices.EqualFunc(v.extractors, verifiers[0].extractors, samePlace):
			return nil, fmt.Errorf("doorward: AnyOf: verifier %d looks for tokens in other places than the first", i)
		case v.joined != nil:
			joined = append(joined, v.joined...)
		default:
			joined = append(joined, v)
		}
	}
	issuers := make(map[string]bool)
	for _, v := range joined {
		if issuers[v.issuer] {
			return nil, fmt.Errorf("doorward: AnyOf: two verifiers of the issuer %q", v.issuer)
		}
		issuers[v.issuer] = true
	}
	first := verifiers[0]
	return &Verifier{
		joined: joined, extractors: first.extractors, vary: first.vary, realm: first.realm,
		errorHandler: first.errorHandler, logger: first.logger, observe: first.observe,
	}, nil
}

// samePlace reports whether two extractors find the same tokens. Two of a type of the
// caller's own that cannot be compared are taken to do so.
func samePlace(a, b Extractor) bool {
	p, ok := a.(placed)
	q, also := b.(placed)
	if !ok || !also {
		return reflect.TypeOf(a) == reflect.TypeOf(b) && (!reflect.TypeOf(a).Comparable() || a == b)
	}
	name, _ := p.place()
	other, _ := q.place()
	return name == other
}

// judgement is what check returns.
type judgement struct {
	claims *Claims
	cached bool
	err    error
}

// checkJoined asks each verifier with the keys that it has in memory, and only if none
// decides those that would have to fetch.
func (v *Verifier) checkJoined(ctx context.Context, raw string) judgement {
	var room [8]*Verifier
	away, last := room[:0], judgement{}
	for _, one := range v.joined {
		j := one.judge(ctx, raw, one.near)
		switch {
		case one.decides(j):
			return j
		case errors.Is(j.err, errAway):
			away = append(away, one)
		default:
			last = last.or(j)
		}
	}
	for _, one := range away {
		j := one.judge(ctx, raw, one.keys)
		if one.decides(j) {
			return j
		}
		last = last.or(j)
	}
	return last
}

func (v *Verifier) judge(ctx context.Context, raw string, keys jwt.KeySet) judgement {
	c, cached, err := v.checkWith(ctx, raw, keys)
	return judgement{c, cached, err}
}

// decides reports that no other verifier needs to be asked: the token is good, or it is
// signed with a key of the issuer that it names, or it is no token.
func (v *Verifier) decides(j judgement) bool {
	return j.err == nil || j.claims != nil && j.claims.Issuer == v.issuer ||
		errors.Is(j.err, jwt.ErrMalformed) && !errors.Is(j.err, ErrClaims)
}

// or returns the judgement that says more about the token, or j if both say as much.
func (j judgement) or(other judgement) judgement {
	if j.err != nil && weight(j.err) >= weight(other.err) {
		return j
	}
	return other
}

func weight(err error) int {
	switch {
	case errors.Is(err, ErrNoKeys):
		return 2
	case errors.Is(err, jwt.ErrKey):
		return 0
	case errors.Is(err, jwt.ErrSignature):
		return 1
	}
	return 3 // the signature is good
}

var errAway = fmt.Errorf("doorward: key not in memory: %w", jwt.ErrKey)

// knowing is a key set that can answer from memory alone, without waiting for a fetch.
type knowing interface {
	Known(ctx context.Context, kid string) (*jwt.Key, error)
}

// near is a key set without the keys that would have to be fetched.
type near struct{ knowing }

func (n near) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	key, err := n.Known(ctx, kid)
	if err != nil {
		return nil, errAway
	}
	return key, nil
}

// nearKeys returns keys without those that would have to be fetched, or all of them if
// the set cannot tell.
func nearKeys(keys jwt.KeySet) jwt.KeySet {
	if k, ok := keys.(knowing); ok {
		return near{k}
	}
	return keySource(keys)
}
