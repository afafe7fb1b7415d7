// Package issuer makes tokens: it logs subjects in, refreshes and revokes their
// sessions, and rotates the keys that sign.
//
// An [Issuer] keeps everything that must survive in a [Store], sealed or
// digested under the [MasterKey]. One login is one [Session], which is one family
// of refresh tokens and has one public name, the sid. What clients and keys get by [Issuer.Grant] has a sid
// of its own and no session. Access tokens are JWTs as RFC 9068 describes them and last minutes; refresh tokens are opaque.
//
// What it does not do is check passwords: the caller does, between [Issuer.Begin]
// and [Issuer.Login], so that a login in flight cannot outlive a change of password. For a
// wrong one the caller returns [ErrCredentials].
//
// An Issuer starts nothing by itself. [Issuer.Run] follows the store and rotates
// the keys; without it the tokens of this process are refused as stale
// after [Config.MaxStaleness].
//
// What doorward.Verifier.Refuse answers to the errors; of several in one, the outermost counts. A program that writes its
// answers itself should ask in this order and answer the same, since clients rely on it:
//
//	ErrTooMany                                        429 too_many_requests, Retry-After: 60
//	ErrScope, doorward.ErrScopeSyntax                 400 invalid_scope
//	ErrAudience                                       400 invalid_target
//	ErrEpoch, ErrInactive from Grant                  401 invalid_client
//	ErrCredentials, ErrEpoch                          401 invalid_credentials
//	ErrToken from Logout, except of a refresh token   401 invalid_token
//	ErrInvalidGrant                                   400 invalid_grant, and RefreshReason as reason
//	ErrTwoCookies                                     400 invalid_request
//	ErrUnavailable                                    503 unavailable, Retry-After: 5
//	context.Canceled, context.DeadlineExceeded        503 unavailable, if anybody still reads it
//	anything else                                     500 server_error, and the log has the error
package issuer
