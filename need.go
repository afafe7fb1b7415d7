package doorward

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Need is what a route wants of a good token. Needs are made by HasScope, HasRole,
// LoggedInWithin and YoungWhenStale. A nil Need is never met, and Require panics on it.
type Need interface {
	// unmet returns nil if the claims meet the need, and otherwise the refusal.
	unmet(c *Claims) *Refusal
}

// HasScope wants all of the words in the token's scope. Otherwise the answer
// is 403 insufficient_scope with the words (RFC 6750 §3.1). It panics if there is
// no word, or one that no scope can hold: each is an argument of its own.
func HasScope(words ...string) Need {
	if _, err := Scope(words).MarshalText(); err != nil || len(words) == 0 {
		panic(fmt.Sprintf("doorward: HasScope wants words, each an argument of its own, not %q", words))
	}
	return scopeNeed(slices.Clone(words))
}

// HasRole wants at least one of the roles. Otherwise the answer is 403
// insufficient_scope. It panics if there is no role, or an empty one.
func HasRole(roles ...string) Need {
	if len(roles) == 0 || slices.Contains(roles, "") {
		panic(fmt.Sprintf("doorward: HasRole wants roles that are not empty, not %q", roles))
	}
	return roleNeed(slices.Clone(roles))
}

// LoggedInWithin wants the person to have proved who they are at most d ago,
// by the claim auth_time. Otherwise the answer is 401
// insufficient_user_authentication with max_age (RFC 9470 §3). A token without
// auth_time does not meet it. It panics if d is less than a second, the unit of auth_time.
func LoggedInWithin(d time.Duration) Need {
	if d < time.Second {
		panic(fmt.Sprintf("doorward: LoggedInWithin wants at least a second, such as 5*time.Minute, not %v", d))
	}
	return loginNeed(d)
}

type scopeNeed Scope

func (n scopeNeed) unmet(c *Claims) *Refusal {
	if !slices.ContainsFunc(n, func(word string) bool { return !c.Scope.Has(word) }) {
		return nil
	}
	return newRefusal(fmt.Errorf("%w: wants %q, has %q", ErrScope, []string(n), []string(c.Scope)))
}

type roleNeed []string

func (n roleNeed) unmet(c *Claims) *Refusal {
	if slices.ContainsFunc(n, c.HasRole) {
		return nil
	}
	return newRefusal(fmt.Errorf("%w: wants one of %q, has %q", ErrRole, []string(n), c.Roles))
}

type loginNeed time.Duration

// clockSkew is how far auth_time may lie in the future.
const clockSkew = 30 * time.Second

func (n loginNeed) unmet(c *Claims) *Refusal {
	age := time.Since(c.AuthTime)
	if !c.AuthTime.IsZero() && age <= time.Duration(n) && age >= -clockSkew {
		return nil
	}
	return newRefusal(ErrLoginAge, "max_age", strconv.FormatInt(int64(time.Duration(n)/time.Second), 10))
}

var errNilNeed = fmt.Errorf("%w: the route has a nil Need", ErrRole)

// unmetNeed returns the refusal of the first need that is not met, or nil. If it is
// about scope it names all the words that the route wants, not the missing ones
// alone, so that the next token that the client asks for will do.
func unmetNeed(needs []Need, c *Claims) *Refusal {
	for _, n := range needs {
		if n == nil {
			return newRefusal(errNilNeed)
		}
		if refusal := n.unmet(c); refusal != nil {
			if errors.Is(refusal.Err, ErrScope) {
				refusal.params = []string{"scope", wholeScope(needs).String()}
			}
			return refusal
		}
	}
	return nil
}

func wholeScope(needs []Need) (all Scope) {
	for _, n := range needs {
		words, _ := n.(scopeNeed)
		for _, word := range words {
			if !all.Has(word) {
				all = append(all, word)
			}
		}
	}
	return all
}
