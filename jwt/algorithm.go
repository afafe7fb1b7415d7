package jwt

// Algorithm is the name of a signature algorithm, as the header parameter "alg" has it (RFC 7518 §3.1, RFC 8037
// §3.1). There is no "none", and no setting that adds it.
type Algorithm string

// The algorithms. EdDSA means Ed25519; "Ed25519" (RFC 9864) is read as another name of it, in tokens and in keys,
// and never written.
const (
	HS256 Algorithm = "HS256"
	HS384 Algorithm = "HS384"
	HS512 Algorithm = "HS512"
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
)

// Symmetric reports whether the algorithm's key is a secret that signer and verifier share.
func (a Algorithm) Symmetric() bool { return a == HS256 || a == HS384 || a == HS512 }

// canonical gives an Ed25519 key's algorithm its one name.
func (a Algorithm) canonical() Algorithm {
	if a == "Ed25519" {
		return EdDSA
	}
	return a
}
