// Package remote fetches what a verifier needs to know of an issuer elsewhere:
// its public keys, where they are, and what was revoked.
//
// A [KeySet] is a jwt.KeySet for doorward.Config.Keys. Verification stays a
// matter of memory: a key that is known is answered without a look at the
// network, also while the set is being fetched, also while its host is down. Only
// a token with an unknown kid waits, together with all others like it, for
// one fetch; then there is no further fetch for 30 s, whatever comes.
//
// # Trust
//
// Keys come over HTTPS from the one URL that is configured, or that the
// issuer's metadata names. Nothing in a token chooses where to dial. An
// answer that is not a public key set is refused as a whole; the last good
// set stays in use, for 24 h at most, and then tokens cannot be judged: the
// verifier answers 503, never a guess.
//
// # Revocations
//
// A [Feed] is doorward.Revocations for doorward.Config.Revocations. It asks a Doorward what is
// new, every few seconds, and holds a stream open beside that, which brings news in milliseconds. How
// fresh it is follows from the questions that were answered and from nothing else. Out of touch for
// longer than FeedConfig.MaxStaleness it refuses to vouch for tokens: the verifier answers 503.
//
// # Goroutines
//
// [NewKeySet] starts nothing. [KeySet.Run] fetches the set again when it is due,
// which is how a key that the issuer withdraws leaves within the answer's
// max-age. Without Run the next token sees to that. A fetch runs in a goroutine
// of its own, so that whoever gave up does not end it for the others. There is one
// at a time, for 5 s at most, and [KeySet.Close] and Run wait for it.
//
// [NewFeed] starts nothing either. [Feed.Run] asks, and reads the stream in goroutines that end
// before it returns.
package remote
