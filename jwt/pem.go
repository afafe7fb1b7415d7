package jwt

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
)

// maxPEM is larger than the largest key that is accepted, and small enough that reading any costs little.
const maxPEM = 16 << 10

// ParsePEM reads the one key in data: a private key as PKCS#8, PKCS#1 or SEC 1, or a public key as SPKI or PKCS#1.
// An empty alg means the only one that fits; an RSA key fits several. The kid is the RFC 7638 thumbprint; see
// [Key.WithID]. Encrypted keys, certificates, and data with several keys are refused, weak keys as in [NewKey], all
// with [ErrKey].
func ParsePEM(alg Algorithm, data []byte) (*Key, error) {
	if len(data) > maxPEM {
		return nil, keyError("the PEM text is longer than 16 KiB")
	}
	block, rest := pem.Decode(data)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl writes them before the key
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil:
		return nil, keyError("not PEM")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, keyError("something follows the key in the PEM text")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, keyError("the key is encrypted: decrypt it first (openssl pkey)")
	}
	material, err := parseDER(block)
	if err != nil {
		return nil, err
	}
	return NewKey(alg, material)
}

// MarshalPEM returns the private key as PKCS#8 in PEM. It returns [ErrKey] for a public key and for a secret.
func (k *Key) MarshalPEM() ([]byte, error) {
	if !k.Private() || k.alg.Symmetric() {
		return nil, keyError("only a private key has a private PEM form")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.material.Std())
	if err != nil {
		return nil, keyError("PKCS#8: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// MarshalPublicPEM returns the public half as SPKI in PEM. It returns [ErrKey] for a secret.
func (k *Key) MarshalPublicPEM() ([]byte, error) {
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public.material.Std())
	if err != nil {
		return nil, keyError("SPKI: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// parseDER reads a block by its label alone, never by trial.
func parseDER(block *pem.Block) (material any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		material, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		material, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		material, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		material, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		material, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return nil, keyError("a certificate is not read: take its public key (openssl x509 -pubkey -noout)")
	default:
		return nil, keyError("the PEM text is not a key")
	}
	if err != nil { // its text may quote the key
		return nil, keyError("the PEM text holds no valid key")
	}
	return material, nil
}
