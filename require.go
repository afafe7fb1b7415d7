package doorward

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/doorward/doorward/internal/strict"
)

// Require returns middleware that lets a request pass only with a good token that
// meets every need. The handler finds the claims with ClaimsFrom. Every other
// request is answered here: there is no second middleware to forget.
//
// Require panics on a nil Need, as on every other that can never be met: it is called
// where routes are set up.
//
// No request is exempt: an OPTIONS request needs a token like any other. A CORS
// preflight carries none, so CORS middleware stands outside of Require and
// answers preflights itself.
//
// The answers carry Vary for the headers that tokens come in. Middleware does not
// forbid caching of what the handler answers, except after a token in the
// query: then it sets Cache-Control: private (RFC 6750 §2.3).
func (v *Verifier) Require(needs ...Need) func(http.Handler) http.Handler {
	if slices.Contains(needs, nil) {
		panic("doorward: Require was given a nil Need")
	}
	needs = slices.Clone(needs)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v.serve(w, r, next, false, needs)
		})
	}
}

// Optional returns middleware that lets requests without a token pass as
// anonymous: ClaimsFrom reports false. A token that is not good is refused as by
// Require, never taken for none.
func (v *Verifier) Optional() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v.serve(w, r, next, true, nil)
		})
	}
}

// Token returns the token of a request, or "" if there is none, for handlers that Require
// does not fit, such as a logout. The token has not been verified. Where Require would
// refuse the request before it verifies anything, the error is ErrTwoTokens, ErrRequest,
// ErrTooLarge or ErrCrossOrigin.
func (v *Verifier) Token(r *http.Request) (string, error) {
	t, err := v.extract(r)
	if err == nil {
		err = t.checkGrammar()
	}
	if err != nil {
		return "", err
	}
	return t.raw, nil
}

// Refuse answers a request that a handler of yours refuses, and logs why. The error may be
// any that a handler gets, from [Verifier.Token] or from an issuer's Login, Refresh and Logout:
//
//   - An error of this package or of jwt is answered as Require would: the same status,
//     challenge, body and log record.
//   - An error with a method Refusal() *Refusal, as those of package issuer have, and as
//     yours may, is answered as that says, with a status from 400 to 599. Cache-Control: no-store
//     and, for a 401, a challenge are added to its Header where it has none. Of several such
//     errors the outermost counts, and of those joined the first.
//   - Any other error is a fault of this program: 500 server_error.
func (v *Verifier) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	err = cmp.Or(err, errors.New("doorward: Refuse was called without an error"))
	v.refuse(w, r, v.answerTo(err), nil)
}

// Check decides on a request as Require does or, if optional is set, as Optional does. It
// leaves the answer to the caller: for proxies, and for frameworks with middleware of their
// own. An anonymous request and a refused one have nil claims.
//
// [WriteRefusal] writes the Refusal. Two headers are left to the caller: Vary, and
// Cache-Control: private where the token may come in the query.
func (v *Verifier) Check(r *http.Request, optional bool, needs ...Need) (*Claims, *Refusal) {
	_, c, refusal := v.decide(r, optional, needs)
	if refusal != nil {
		v.finish(refusal, r, c)
		return nil, refusal
	}
	return c, nil
}

func (v *Verifier) serve(w http.ResponseWriter, r *http.Request, next http.Handler, optional bool, needs []Need) {
	v.addVary(w.Header())
	t, c, refusal := v.decide(r, optional, needs)
	if refusal != nil {
		v.refuse(w, r, refusal, c)
		return
	}
	if _, inQuery := t.place.(queryPlace); inQuery {
		w.Header().Set("Cache-Control", "private")
	}
	next.ServeHTTP(w, r.WithContext(WithClaims(r.Context(), c))) // No claims hide those of an outer verifier.
}

// decide says who asks or why they are refused, and tells the observer. The claims beside a
// refusal are for the log alone.
func (v *Verifier) decide(r *http.Request, optional bool, needs []Need) (t found, c *Claims, refusal *Refusal) {
	t, err := v.extract(r)
	if err == nil && t.raw == "" {
		if optional {
			v.observed(errAnonymous, false)
			return t, nil, nil
		}
		err = ErrNoToken
	}
	cached := false
	if err == nil {
		c, cached, err = v.check(r.Context(), t.raw)
		err = v.settle(r.Context(), c, err, needs)
	}
	if refuses(err) {
		err = cmp.Or(t.checkGrammar(), err)
		refusal = newRefusal(err)
	} else if refusal = v.unmet(needs, c); refusal != nil {
		err = refusal.Err
	}
	v.observed(err, cached)
	return t, c, refusal
}

// unmet is [unmetNeed], except that the refusal is ErrClock if the login is too long ago only
// by the wrong clock of this machine.
func (v *Verifier) unmet(needs []Need, c *Claims) *Refusal {
	refusal := unmetNeed(needs, c)
	if refusal == nil || !errors.Is(refusal.Err, ErrLoginAge) {
		return refusal
	}
	shifted := *c
	shifted.AuthTime = c.AuthTime.Add(-v.member(c.Issuer).clockError())
	return cmp.Or(unmetNeed(needs, &shifted), newRefusal(fmt.Errorf("%w: %s", ErrClock, refusal.Err.Error())))
}

// found is a token and the place where it was.
type found struct {
	raw   string
	place Extractor
}

// checkGrammar returns ErrRequest for a text in a header that has not the form of a token.
func (t found) checkGrammar() error {
	if _, ok := t.place.(inHeader); ok && !strict.Token68(t.raw) {
		return errGrammar
	}
	return nil
}

// extract looks into every place and returns the only token, or none. A body
// that is too large to be searched matters only if the token is nowhere else.
func (v *Verifier) extract(r *http.Request) (t found, err error) {
	var tooLarge error
	for _, place := range v.extractors {
		raw, err := look(place, r)
		switch {
		case errors.Is(err, ErrTooLarge):
			tooLarge = err
		case err != nil:
			return found{}, requestError(err)
		case raw != "" && t.raw != "":
			return found{}, ErrTwoTokens
		case raw != "":
			t = found{raw, place}
		}
	}
	if t.raw == "" && tooLarge != nil {
		return found{}, tooLarge
	}
	return t, nil
}

func look(place Extractor, r *http.Request) (string, error) {
	if p, ok := place.(inHeader); ok {
		return p.find(r)
	}
	return place.Extract(r)
}

// requestError makes a 400 of what an Extractor of the user's own returns.
func requestError(err error) error {
	if errors.Is(err, ErrTwoTokens) || errors.Is(err, ErrCrossOrigin) || errors.Is(err, ErrRequest) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRequest, err)
}

func (v *Verifier) addVary(h http.Header) {
	if v.vary == nil {
		return
	}
	if before, ok := h["Vary"]; ok {
		h["Vary"] = append(slices.Clip(before), v.vary[0])
		return
	}
	h["Vary"] = v.vary[:1:1]
}
