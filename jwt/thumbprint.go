package jwt

import "crypto/sha256"

// Thumbprint returns the SHA-256 thumbprint of the public half, as base64url (RFC 7638; RFC 8037 §2 for Ed25519). It
// depends on nothing but the key: not on kid, alg, or whether the key is private. It returns [ErrKey] for an HMAC
// secret, since the thumbprint of one would help to guess it.
func (k *Key) Thumbprint() (string, error) {
	public := k.material.Public()
	if public == nil {
		return "", keyError("a thumbprint would help to guess the secret")
	}
	j := members(public.Std())
	// The required members in lexicographic order (RFC 7638 §3.2). None of the values needs escaping.
	var text string
	switch j.Type {
	case "RSA":
		text = `{"e":"` + j.E + `","kty":"RSA","n":"` + j.N + `"}`
	case "EC":
		text = `{"crv":"` + j.Curve + `","kty":"EC","x":"` + j.X + `","y":"` + j.Y + `"}`
	default:
		text = `{"crv":"` + j.Curve + `","kty":"OKP","x":"` + j.X + `"}`
	}
	digest := sha256.Sum256([]byte(text))
	return encode64(digest[:]), nil
}
