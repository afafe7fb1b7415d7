package doorward_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Behaviour_F87: a handler that verifies a token itself refuses it exactly as Require does.
func TestOwnVerification(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	past := time.Now().Unix() - 60
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.v.Verify(r.Context(), r.Header.Get("Authorization")[len("Bearer "):]); err != nil {
			s.v.Refuse(w, r, fmt.Errorf("hello: %w", err))
		}
	})
	for name, change := range map[string]map[string]any{
		"good": nil, "expired": {"iat": past, "exp": past + 30}, "for somebody else": {"aud": "x"}, "without sub": {"sub": remove},
	} {
		var answers []string
		for _, handler := range []http.Handler{own, s.v.Require()(http.NotFoundHandler())} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+s.token(t, change))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			w.Header().Del("Vary") // is about where Require looks for the token
			body := regexp.MustCompile(`"request_id":"\w+"`).ReplaceAllString(w.Body.String(), "")
			answers = append(answers, fmt.Sprint(w.Code, w.Header(), body))
		}
		if (answers[0] == answers[1]) != (name != "good") {
			t.Errorf("%s:\nown     %s\nRequire %s", name, answers[0], answers[1])
		}
	}
}

// Behaviour_F92: a check of one's own is middleware inside of Require. (The answer is 403, not 400: the request is well
// formed, and it is what the token says that does not do.)
func TestOwnCheck(t *testing.T) {
	t.Parallel()
	handled := 0
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.ErrorHandler = func(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal) {
			handled++
			doorward.WriteRefusal(w, r, refusal)
		}
	})
	errPlan := fmt.Errorf("%w: not of this plan", doorward.ErrRole)
	paid := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var plan string
			if c, ok := doorward.ClaimsFrom(r.Context()); ok {
				if _, err := c.Extra("plan", &plan); err != nil || plan != "paid" {
					s.v.Refuse(w, r, errPlan)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for route, handler := range map[string]http.Handler{
		"plain": s.v.Require()(paid(ok)), "recent login": s.v.Require(doorward.LoggedInWithin(time.Minute))(paid(ok)), "optional": s.v.Optional()(paid(ok)),
	} {
		for plan, want := range map[any]int{"paid": 200, "free": 403, 7: 403, remove: 403} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+s.token(t, map[string]any{"plan": plan}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s route, plan %v: %d, want %d", route, plan, w.Code, want)
			}
		}
	}
	if handled != 9 {
		t.Errorf("the configured handler wrote %d refusals of 9", handled)
	}
}
