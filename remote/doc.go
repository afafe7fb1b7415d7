// Package remote fetches what a verifier needs to know of an issuer elsewhere:
// its public keys, where they are, and what was revoked.
//
// A [KeySet] is a jwt.KeySet for doorward.Config.Keys. A key that is known is
// returned from memory, even while the set is being fetched or its host is down.
// Only a token with an unknown kid waits for a fetch, which all such tokens share.
// Two fetches begin at least 30 s apart, whatever tokens come.
//
// # Trust
//
// Keys come over HTTPS from the one URL that is configured, or that the
// issuer's metadata names. Nothing in a token chooses where to dial. An
// answer that is not a public key set is refused as a whole. The last good
// set then stays in use for Config.LastGood; after that tokens cannot be judged,
// and the verifier answers 503.
//
// # Revocations
//
// A [Feed] is a doorward.Revocations for doorward.Config.Revocations. It polls a Doorward for new
// revocations every few seconds, and also holds a stream open, which brings them in milliseconds. Only an
// answer to a poll proves that the feed is up to date. If there was none for longer than
// FeedConfig.MaxStaleness, the feed refuses to vouch for tokens, and the verifier answers 503.
//
// # Goroutines
//
// [NewKeySet] starts nothing. [KeySet.Run] fetches the set again when it is due,
// so that a key that the issuer withdraws is gone within the answer's max-age.
// Without Run, the next token after that begins the fetch. A fetch runs in a goroutine
// of its own, so that a caller who gives up does not end it for the others. There is one
// at a time, for 5 s at most, and [KeySet.Close] and Run wait for it.
//
// [NewFeed] starts nothing either. The goroutines of [Feed.Run] end before it returns.
package remote
