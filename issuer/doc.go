// Package issuer makes tokens: it logs subjects in, refreshes and revokes their
// sessions, and rotates the keys that sign.
//
// An [Issuer] keeps everything that must survive in a [Store], sealed or
// digested under the [MasterKey]. One login is one [Session], which is one family
// of refresh tokens and has one public name, the sid. Access tokens are JWTs
// as RFC 9068 describes them and last minutes; refresh tokens are opaque.
//
// What it does not do is check passwords: the caller does, between [Issuer.Begin]
// and [Issuer.Login], so that a login in flight cannot outlive a change of password.
//
// An Issuer starts nothing by itself. [Issuer.Run] follows the store and rotates
// the keys; without it the tokens of this process are refused as stale
// after [Config.MaxStaleness].
package issuer
