// Package gate guards an API that cannot be changed. A [Guard] decides: which
// rule a request falls under, whether its token will do, and what is told of the
// caller. A [Proxy] acts on the decision: it passes the request on to the upstream
// or refuses it. Package forward, which tells other proxies what to do, uses the
// Guard alone.
//
// The rules hold because there is one reading of a path: a path that two programs
// could read differently is refused, and what is forwarded is what was decided on.
package gate
