package server

import (
	"cmp"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/endpoint"
)

// Observer is told what happens, for metrics. Its methods may be called concurrently and must not wait.
type Observer interface {
	// Answered is called once for each request, after its answer.
	Answered(a Answer)
	// Verified is called once for each look at an access token.
	Verified(o doorward.Outcome)
}

// Answer is one request that was answered. Its words are of fixed sets: nothing in them was made by a client.
type Answer struct {
	// Route is the pattern that the path matched, "none" if there was none.
	Route string
	// Method is the request's if HTTP knows it, else "other".
	Method string
	// Status is 0 if the connection was cut before there was an answer.
	Status int
	// Act is "login" or "refresh" where that was asked for, and else empty.
	Act string
	// Result is "ok", the reason or else the code of a refusal, "refused" if an upstream or forward-auth said no, or
	// "cut" if nobody was answered.
	Result string
	// Took is the time from the end of the request's header to the end of the answer.
	Took time.Duration
}

// observe tells the observer, if there is one.
func (s *Server) observe(r *http.Request, x *endpoint.Exchange) {
	if s.cfg.Observer == nil {
		return
	}
	s.cfg.Observer.Answered(Answer{
		Route: x.Pattern, Method: methodWord(r.Method), Status: x.Status,
		Act: x.Act, Result: resultOf(x), Took: time.Since(x.Started),
	})
}

func resultOf(x *endpoint.Exchange) string {
	switch {
	case x.Status == 0:
		return cmp.Or(x.Refusal, "cut")
	case x.Status >= http.StatusBadRequest:
		return cmp.Or(x.Refusal, "refused")
	}
	return "ok"
}

// observeTokens returns the doorward.Config.Observe of our verifiers, nil without an observer.
func (s *Server) observeTokens() func(doorward.Outcome) {
	if s.cfg.Observer == nil {
		return nil
	}
	return s.cfg.Observer.Verified
}

func methodWord(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
