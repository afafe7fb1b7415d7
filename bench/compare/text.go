package main

// The prose of the page.

const introduction = `Doorward's token core beside other Go libraries: the same tokens, the same checks, one run. The command is ` + "`make bench`" + `;
it writes this page. Read the ratios, not the times: each ratio is the median of the ratios inside one round, in which
every row ran for a moment. Times are processor time, so they leave out what other programs do on the machine, but not
what these do to its caches and its clock rate. The row "once more" is the same code measured twice; what it differs by
from the first is the noise.

`

const targetsText = `Verify is from the text of a token to its claims in a struct, every check made. The verdicts are this run's.

`

// Limits of targets that a run may miss, one paragraph of a list each.
const (
	limitHS256 = `- **HS256** is too quick for the crypto to hide anything. The HMAC, the one strict pass over the JSON and putting the claims into their
  struct are a fifth of our time each; base64 and memory a seventh each. Nothing large is left to take away.
`
	limitAsymmetric = `- **Asymmetric algorithms**: what is not the signature takes about two microseconds. Where the ratio is above 1.15 the noise of the
  machine is in it; "least" compares the quickest rounds.
`
	limitSeen = `- **A token seen before**: half of the time is the clock and the digest by which the token is found.
`
	limitHTTP = `- **HTTP**: net/http and the kernel take 94 % of the server's processor time for a token seen before, and 85 % for HS256, where each request is
  verified. Of our 6 %, half is the check, the other half the copy of the request that carries the claims, and Vary, the one header more.
  Of the 15 %, two thirds are the HMAC, the JSON and base64. The clients run on the same machine, so what they wait for is in the figure
  too; the bare server against itself shows how far it can be off.
`
	limitServe = `- **doorward serve** spends four fifths of a request in net/http and the kernel: it sends five headers for safety more than a bare
  server, sets a time limit on each read and write, and keeps an eye on each connection. The rest is finding the route, the token and its
  session, and writing JSON.
`
	limitProxy = `- **Reverse proxy**: it makes the system calls of ReverseProxy alone, two writes and two reads that find something, and what it says more to the
  upstream and to the client costs some 5 %. Of its processor time the kernel takes two fifths, net/http with ReverseProxy three tenths, memory
  a tenth, the scheduler a tenth, and what is Doorward's own a tenth. A third of that is the check of the token and its session, a third
  bounds times (a context, a timer, deadlines), and a third is where the request comes from and headers.
`
	limitForward = `- **Forward-auth**: of what it takes more than the bare server two fifths are the answer's headers, written by net/http and carried by the kernel
  (see the row "same answer"), and a fifth the limits of time and of connections, which the bare server has not. The other two fifths are Doorward's
  own: a third of them the check of the token and its session, and the others reading the question, finding the rule and telling what the proxy is told.
`
	limitRevocation = `- **Revocation**: half of what an empty set takes is the clock of a virtual machine. The rest is memory that is in none of the processor's
  first caches: one access for a good session, which ends at a filter, and two for one that is revoked.
`
	limitRefresh = `- **Refresh**: a commit is a write and a sync of the disk, and callers share them; compare the row of the disk alone. Beside
  that, each refresh signs a token and runs SQLite twice, on the processor that the callers use too.
`
)

const verifyText = `The algorithm is pinned and the signature, the expiry, the issuer and the audience are checked; Doorward also checks
typ, the length of the token's life and revocation, and refuses duplicate names and loose base64. "× crypto alone" is against
the standard library's check of the signature with everything decoded beforehand. A token that was seen before is one whose
signature need not be checked again; time, issuer, audience and revocation still are. Doorward remembers no HMAC tokens:
there is little to spare.

`

const signText = `From a struct of claims to the text of a token. Doorward checks what it signs as strictly as what it reads. The struct is
written by encoding/json in Doorward, golang-jwt and (a fork of it) go-jose, which is most of the time for HS256.

`

const rejectText = `Time and allocations to refuse a token that anyone can make, and, in the last line, one that has expired.

`

const revocationText = `The sessions asked for are 65,536 different ones, so that most of
what is looked up is in none of the processor's caches: this is the time of main memory, and of the clock, which tells whether the
set is fresh. Verify reads the clock once for all of its checks.

`

const middlewareText = `A request with a good token, through the middleware to a handler that writes five bytes, without a network. "Over its bare
handler" is the same request without middleware, taken away: under gin, gin without it.

`

const loopbackText = `Each server is a process of its own on one processor. 16 clients on the same machine ask without pause. The
clients' work and the kernel's is in the requests per second, and the kernel's in the processor time, so the differences
are smaller than in process.

`

const flaskText = `The API of a tutorial that many have followed: Flask, PyJWT with HS256, Flask-Cors, a decorator, one protected route
(` + "`bench/compare/flask/app.py`" + `, with the corrections that it needs). Its packages are Debian's, its server is gunicorn with one worker: as it is by
default, where each request has a connection of its own, and with threads, which keep connections open. Beside it ` + "`doorward serve`" + ` answers
its own /protected, with no record of each request, as gunicorn keeps none; and a Go program has one route behind the middleware. Both
check EdDSA tokens, each for revocation too. Every server has one processor, and 16 clients ask without pause. Processor time is user
and system, of the whole tree of processes.

`

const gateText = `A bare net/http server as the upstream, in a process of its own, answers five bytes. In front of it, one after the other: nothing;
` + "`httputil.ReverseProxy`" + ` in a Go program, which checks nothing, with connections to the upstream and buffers that are used again;
` + "`doorward serve --upstream`" + `, which checks the token, and that its session is not revoked, takes away what only Doorward may say of the
caller and puts it there, with a signed assertion; and nginx as in ` + "`examples/nginx`" + `, which asks Doorward about each request and passes it on itself. All
rows are sent the same request with the same EdDSA token; the bare upstream and the proxy alone do not look at it. Each process has one
processor (nginx one worker), and nobody keeps a record of each request. 16 clients ask without pause: that gives the rate and the
processor time. Then they ask at a pace that every way keeps, the same for all, and then one client alone without pause: that gives
latencies. Processor time is user and system, of what stands in front: nginx and Doorward together, the upstream's own only where it is
bare. Latency is from when a request is due to the answer's last byte, and the median of the rounds' p50 and p99. Everything is stopped
and started anew after a few rounds, for from start to start the same program takes some per cent more or less.

`

const questionText = `What nginx asks, ` + "`/forward-auth/nginx`" + `, asked by the clients themselves, against the bare server that is asked the same and
answers five bytes. Doorward answers with the headers for the upstream, the assertion and the Authorization and Cookie that may pass; "same answer"
is a handler that writes just these headers, whatever it is asked.

`

const refreshText = `Durable refreshes on SQLite, through ` + "`issuer.Refresh`" + `: each one rotates, signs an access token, and is on the disk when it
returns (WAL, synchronous=FULL). The sessions' turns come in an order that has nothing to do with their places in the file. Callers at the
same time share commits. Strict rotation is the same store with ` + "`StrictRefresh`" + `: any
second use of a token ends the session. The disk alone is a page appended to a file and synced, again and again, in the same rounds;
so with one caller nothing durable is faster than that. On a machine that does other things, the rates share its disk with them; the
processor time does not.

`

const programsText = `What ` + "`" + `/oauth/token` + "`" + ` and ` + "`" + `/oauth/introspect` + "`" + ` take is a Go benchmark, since the package is internal: ` + "`" + `go test -run '^$' -bench OAuth
./internal/server` + "`" + `, from the request to the answer without a socket, durable, 32 callers of 128 clients. A token is a client's secret
checked against a SHA-256, two reads, one committed row of the audit record and an EdDSA signature. An introspection reads the record of
revocations, together with those that came at the same moment, and verifies a token that it has seen before.

On two processors: SQLite 5,976 tokens and 16,801 introspections a second at 242 and 102 µs of processor time each, which is 4,100 and 9,800
for each core; PostgreSQL on the same machine 1,443 and 4,224 at 496 and 185 µs, its own processes not counted.

What others publish of themselves, **on other hardware, over a network, with other work in each request**. These are their figures, not
measurements of ours, and no ratio can be made of them:

| | tokens by client_credentials | introspections | where and how, by their account |
|---|---|---|---|
| Ory Hydra | 412/s, with bcrypt at cost 8 | 7,934/s | [BENCHMARKS.md](https://github.com/ory/hydra/blob/147d23102262525fde9c5e8345e6c41252d3cb48/BENCHMARKS.md) as of that commit: 2 cores, store in memory, 100 callers |
| Keycloak | 120/s for each vCPU, tested up to 2,000/s | none found | [sizing, 26.4](https://docs.redhat.com/ja/documentation/red_hat_build_of_keycloak/26.4/html/high_availability_guide/multi-cluster-concepts-memory-and-cpu-sizing-), a new TLS connection for each |
| Zitadel | 834/s, each with a question for the user info | 2,297/s | 4.17.1: [tokens](https://zitadel.com/docs/apis/benchmarks/v4.17.1/machine_client_credentials_login), [introspections](https://zitadel.com/docs/apis/benchmarks/v4.17.1/introspect); 7 containers of 6 vCPU, PostgreSQL on 8 vCPU, 600 callers |

`

const growthText = `32 callers refresh sessions that lie scattered among all the others. What a refresh costs must not grow with them.
What does grow is the depth of SQLite's trees, by a level for some hundred times as many, and what of them the processor's caches do not hold.
A reader begins with an empty cache after each commit, and finds the row through the index of handles and the table; the writer finds it by ID.

`

const method = `## How each is used

- **Tokens.** One per algorithm, with a payload of 295 bytes (iss, sub, aud, iat, nbf, exp, jti, sid, scope, three roles) and
  the header alg, kid, typ. RSA keys have 2,048 bits. All libraries read the same text.
- **golang-jwt v5.** One Parser, made once, with WithValidMethods, WithIssuer, WithAudience and WithExpirationRequired;
  ParseWithClaims into a struct that embeds RegisteredClaims. Its middleware is the usual one: Authorization header, parse, context.
- **go-jose v4.** jwt.ParseSigned with one algorithm, Claims into a struct, Validate; that exp is there is asked by hand.
  The Signer is made once.
- **jwx v3.** jwt.ParseString with WithKey, WithIssuer, WithAudience and WithRequiredClaim, then Get for three claims.
- **chi jwtauth v5.** Verifier and Authenticator, with the same checks as options of New. It stands on jwx v2.
- **gin-jwt v2.** MiddlewareFunc, with issuer and audience checked in the Authorizator, since it checks neither.
- **Crypto alone.** hmac with a state that is reused, ecdsa.VerifyASN1, ed25519.Verify, rsa.VerifyPKCS1v15, with the hash of the
  token's text.
- **Flask.** One worker of gunicorn; PyJWT checks the signature and the expiry, and the app looks at no other claim. The secret
  has 32 bytes. ` + "`doorward serve`" + ` runs as it does from the command line but for the level of its log.
- **Reverse proxy.** One process of ` + "`doorward serve`" + ` does both, guards the upstream and answers nginx, so that all are sent one token: with
  ` + "`server.prefix: /auth`" + `, ` + "`upstream.audience`" + ` and ` + "`trusted_proxies: [127.0.0.1]`" + `, and no rules for routes. nginx has its example's configuration
  but for one worker, no access log, and no bound on the requests of a connection. ReverseProxy sets X-Forwarded-*, and keeps 512 connections.
- **Refresh.** Each rule has a file and an issuer of its own, 960 sessions that are refreshed in turn, and a window that is over at once, so
  that every refresh rotates. Large stores are filled by copying rows.
- Every row of the libraries is tested to accept the token and to refuse one that has expired, one for another audience, one of another issuer
  and one with a wrong signature.

## What is unfair, and to whom

- To jwx: it is built for JOSE as a whole, and keeps claims in a map of its own; its faster entry points leave out checks that are asked for here.
- To golang-jwt and go-jose: encoding/json is most of their time for HS256. A build with GOEXPERIMENT=jsonv2 makes them faster.
- To Doorward: it checks more than the others, as said above.
- To all but Doorward: the same token again and again is the best case of the cache, and of the memory of headers seen before.
  An API that sees each token once has the figures of the cold rows. The rows without cache stand beside it.
- To Flask: an interpreter stands against compiled code. To Doorward beside it: it checks more claims, and revocation.
- To Doorward's gate: what it is compared with checks nothing. In its favour: one token comes again and again, so that its signature is checked
  once, and its assertion is signed once in half a minute.
- To nginx with Doorward: each request is two, in three processes, on the few processors that the clients use too; it is made for many workers.
- To all that stand in front of the upstream, in requests per second: the upstream and the clients run on the same machine. Processor
  time has neither in it.
- To gin-jwt and jwtauth: they do more than check a token, such as looking for it in several places.
- With asymmetric keys and no cache, the check of the signature is nearly all of the time whatever the library.

`
