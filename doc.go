// Package doorward checks access tokens. It never dials: keys and revocations
// are looked up in memory.
//
// A [Verifier] knows one issuer, one audience, that issuer's keys and what was
// revoked early. It answers with [Claims] or with an error, never both, and no
// unverified token can be looked at. [Verifier.Verify] takes a plain string, so
// it serves WebSocket, gRPC and GraphQL as well; [Verifier.Require] and
// [Verifier.Optional] are middleware for net/http.
//
// # Errors
//
// One error, one reason, in a fixed order: malformed, key, signature, type,
// claims, time, issuer, audience, revoked, stale. So errors.Is(err, ErrExpired)
// implies that the signature was good. The first four are sentinels of package
// jwt. Outsiders read one of three texts ("token expired", "session ended",
// "token not valid"); the log has the exact reason.
//
// # Concurrency
//
// A Verifier, its Claims and a RevocationSet may be used by many goroutines at
// once. The package starts no goroutine.
package doorward
