// Package requestid is under what a context holds the name of a request.
package requestid

// Key is the key of a string. doorward.WithRequestID puts one there; a server that knows its
// requests may answer for it in a context of its own.
type Key struct{}
