// Package jwt signs and verifies one JSON Web Token, with keys given to it; it does no I/O and has no clock.
//
// It knows RFC 7515 in compact form, RFC 7517, 7518, 7638 and 8037, under the rules of RFC 8725. What a token's
// claims mean is for the packages above: whether it has expired, who made it, for whom it is, and whether it was
// revoked. Almost every program that checks tokens wants package doorward instead, which asks all of that.
//
// Three rules shape it. A [Key] has exactly one algorithm, and weak keys are refused when they are made; the header of
// a token only says which key of the [KeySet] to use, and must name that key's algorithm. A [Token] is always a
// verified one; no function reads a token unverified. And a token can be read in one way only: strict base64url,
// strict JSON without duplicate names, no crit, b64, zip, nesting, encryption, detached payload or JSON serialization.
// There is no "none", and no option adds it, although RFC 7519 §8 asks for it: RFC 8725 §3.2 advises against it.
//
// # Coming from PyJWT
//
//	PyJWT                              here
//	jwt.encode(claims, key, alg)       Sign(key, "JWT", claims); the algorithm is the key's
//	jwt.decode(token, key, algs)       Verify(ctx, token, key, "JWT", ""), then Token.Decode;
//	                                   with exp, iss, aud: doorward.Verifier
//	jwt.decode_complete                Verify: Token.Header, Token.Claims
//	jwt.get_unverified_header          Token.Header, Header.Extra: after the signature, never before
//	options verify_*: False            none; doorward.Config says what is asked of a token
//	headers={"kid": …}                 Key.WithID; headers={"typ": …} is the argument typ of Sign
//	register_algorithm, "none"         none
//	PyJWK, PyJWK.from_json             ParseJWK
//	algorithm.from_jwk, to_jwk         ParseJWK, Key.MarshalJWK, Key.MarshalPublicJWK
//	PEM text as key                    ParsePEM
//	PyJWKSet, PyJWKSet.from_json       ParseSet, NewSet; set["kid"] is Set.Key
//	PyJWKClient                        none: fetch the set yourself, then ParseSet
//
// Its exceptions and what to compare with [errors.Is]:
//
//	PyJWTError, InvalidTokenError      any error of Verify
//	DecodeError                        ErrMalformed
//	InvalidSignatureError              ErrSignature
//	InvalidAlgorithmError              ErrKey: the algorithm is not the key's
//	InvalidKeyError                    ErrKey
//	PyJWKError, PyJWKSetError          ErrKey
//	KeyError of a PyJWKSet             ErrKey
//	PyJWKClientError                   ErrKey, as the key set returned it
//	PyJWKClientConnectionError         ErrKey, as the key set returned it
//	MissingCryptographyError           cannot happen
//	InsecureKeyLengthWarning           ErrKey, when the key is made
//	ExpiredSignatureError              doorward.ErrExpired
//	ImmatureSignatureError             doorward.ErrNotYet
//	InvalidIssuedAtError               doorward.ErrNotYet, doorward.ErrClaims
//	InvalidAudienceError               doorward.ErrAudience
//	InvalidIssuerError                 doorward.ErrIssuer
//	MissingRequiredClaimError          doorward.ErrClaims
//	InvalidSubjectError                doorward.ErrClaims
//	InvalidJTIError                    doorward.ErrClaims
//
// A wrong typ, which PyJWT does not look at, is [ErrType].
//
// Refusing a token allocates no memory: its errors are made once, and the work is bounded by [MaxSize].
package jwt
