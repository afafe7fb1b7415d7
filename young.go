package doorward

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// YoungWhenStale takes the place of Config.YoungWhenStale on a route: while the
// revocations are out of date only tokens issued less than d ago are accepted, and
// none if d is not positive. As long as they are up to date it asks nothing of a
// token. Of several on one route the last counts.
func YoungWhenStale(d time.Duration) Need { return youngNeed(d) }

type youngNeed time.Duration

func (youngNeed) unmet(*Claims) *Refusal { return nil }

// errYoung is no refusal but an outcome: it is not known whether the token was revoked,
// and it is young enough to be accepted all the same.
var errYoung = errors.New("doorward: revocations are out of date, the token is young")

func refuses(err error) bool { return err != nil && !errors.Is(err, errYoung) }

// settle turns ErrStale into errYoung where the token, the verifier and the route
// allow it. The log is told when that begins and when it ends.
func (v *Verifier) settle(ctx context.Context, c *Claims, err error, needs []Need) error {
	if c == nil {
		return err
	}
	own := v.member(c.Issuer)
	if err == nil {
		if own.lenient.Load() && own.lenient.CompareAndSwap(true, false) {
			v.logger.InfoContext(ctx, "revocations are up to date again")
		}
		return nil
	}
	limit := youngLimit(own.young, needs)
	known := !errors.Is(err, ErrStale) || errors.Is(err, ErrRevoked)
	if known || limit <= 0 || time.Since(c.IssuedAt) >= limit { // A token without iat is as old as can be.
		return err
	}
	if own.lenient.CompareAndSwap(false, true) {
		v.logger.WarnContext(ctx, "revocations are out of date: only young tokens are accepted", slog.Duration("limit", limit))
	}
	return errYoung
}

func youngLimit(limit time.Duration, needs []Need) time.Duration {
	for _, n := range needs {
		if d, ok := n.(youngNeed); ok {
			limit = time.Duration(d)
		}
	}
	return limit
}

// member returns the joined verifier that judges the tokens of an issuer, or v itself if
// none is joined.
func (v *Verifier) member(issuer string) *Verifier {
	for _, one := range v.joined {
		if one.issuer == issuer {
			return one
		}
	}
	return v
}
