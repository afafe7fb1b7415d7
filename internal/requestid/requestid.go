// Package requestid has the key under which a context holds the ID of a request.
package requestid

// Key is the key of a string. doorward.WithRequestID sets it; a server may instead answer for
// it with a context type of its own.
type Key struct{}
