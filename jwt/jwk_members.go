package jwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt/internal/jwa"
)

// members returns the members of a JWK that make up the key, and its kty (RFC 7518 §6, RFC 8037 §2).
func members(std any) jwk {
	switch k := std.(type) {
	case []byte:
		return jwk{Type: "oct", K: encode64(k)}
	case *rsa.PublicKey:
		return jwk{Type: "RSA", N: encode64(k.N.Bytes()), E: encode64(big.NewInt(int64(k.E)).Bytes())}
	case *rsa.PrivateKey:
		j := members(&k.PublicKey)
		j.D, j.P, j.Q = encode64(k.D.Bytes()), encode64(k.Primes[0].Bytes()), encode64(k.Primes[1].Bytes())
		j.DP, j.DQ = encode64(k.Precomputed.Dp.Bytes()), encode64(k.Precomputed.Dq.Bytes())
		j.QI = encode64(k.Precomputed.Qinv.Bytes())
		return j
	case *ecdsa.PublicKey:
		point, _ := k.Bytes() // the key was checked when it was made
		size := len(point) / 2
		return jwk{Type: "EC", Curve: k.Params().Name, X: encode64(point[1 : 1+size]), Y: encode64(point[1+size:])}
	case *ecdsa.PrivateKey:
		j := members(&k.PublicKey)
		d, _ := k.Bytes()
		j.D = encode64(d)
		return j
	case ed25519.PublicKey:
		return jwk{Type: "OKP", Curve: "Ed25519", X: encode64(k)}
	case ed25519.PrivateKey:
		j := members(k.Public())
		j.D = encode64(k.Seed())
		return j
	}
	return jwk{}
}

// material makes the key from its members.
func (j *jwk) material() (jwa.Key, error) {
	var std any
	switch j.Type {
	case "RSA":
		return j.rsaKey()
	case "EC":
		std = j.ecKey()
	case "OKP":
		std = j.edKey()
	case "oct":
		secret, err := strict.AppendBase64(nil, j.K)
		if err != nil || !j.has("k") {
			return nil, keyError("k is not strict base64url")
		}
		std = secret
	default:
		return nil, keyError("kty is missing or not one of RSA, EC, OKP, oct")
	}
	if j.err != nil {
		return nil, j.err
	}
	return jwa.New(std)
}

// rsaKey reads an RSA key. A private key has d alone, whose primes are then found again, or all of p, q, dp, dq and
// qi (RFC 7518 §6.3.2). The public numbers are checked before anything is computed with them.
func (j *jwk) rsaKey() (jwa.Key, error) {
	if j.has("oth") {
		return nil, keyError("RSA keys of more than two primes are not read (oth)")
	}
	n, e := j.integer("n", j.N), j.integer("e", j.E)
	if j.err == nil && e.BitLen() > 31 {
		j.err = keyError("the RSA exponent is above 2³¹−1")
	}
	if j.err != nil {
		return nil, j.err
	}
	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	public, err := jwa.New(&pub)
	if err != nil || !j.has("d") {
		return public, err
	}
	d := j.integer("d", j.D)
	if !j.has("p") && !j.has("q") && !j.has("dp") && !j.has("dq") && !j.has("qi") && j.err == nil {
		p, q, err := factor(n, e, d)
		if err != nil {
			return nil, err
		}
		return jwa.New(&rsa.PrivateKey{PublicKey: pub, D: d, Primes: []*big.Int{p, q}})
	}
	p, q := j.integer("p", j.P), j.integer("q", j.Q)
	dp, dq, qi := j.integer("dp", j.DP), j.integer("dq", j.DQ), j.integer("qi", j.QI)
	if j.err != nil {
		return nil, j.err
	}
	key, err := jwa.New(&rsa.PrivateKey{PublicKey: pub, D: d, Primes: []*big.Int{p, q}})
	if err != nil {
		return nil, err
	}
	pre := &key.Std().(*rsa.PrivateKey).Precomputed
	if pre.Dp.Cmp(dp) != 0 || pre.Dq.Cmp(dq) != 0 || pre.Qinv.Cmp(qi) != 0 {
		return nil, errRSANumbers
	}
	return key, nil
}

var errRSANumbers = because(ErrKey, "the numbers of the RSA key do not fit each other")

// ecKey reads an EC key. Coordinates have the full width of the field (RFC 7518 §6.2.1).
func (j *jwk) ecKey() any {
	a := jwa.OnCurve(j.Curve)
	if a == nil || a.Family != jwa.ECDSA {
		j.err = keyError("crv is not P-256, P-384 or P-521")
		return nil
	}
	point := append([]byte{4}, j.fixed("x", j.X, a.Size())...) // 4: both coordinates follow (SEC 1 §2.3.3)
	point = append(point, j.fixed("y", j.Y, a.Size())...)
	pub, err := ecdsa.ParseUncompressedPublicKey(a.Curve, point)
	if err != nil && j.err == nil {
		j.err = keyError("the EC key is no point of its curve")
	}
	if j.err != nil || !j.has("d") {
		return pub
	}
	priv, err := ecdsa.ParseRawPrivateKey(a.Curve, j.fixed("d", j.D, a.Size()))
	if j.err == nil && (err != nil || !priv.PublicKey.Equal(pub)) {
		j.err = keyError("d is out of range or of another EC key")
	}
	return priv
}

// edKey reads an Ed25519 key; X25519, X448 and Ed448 are other curves.
func (j *jwk) edKey() any {
	if j.Curve != "Ed25519" {
		j.err = keyError("crv is not Ed25519")
		return nil
	}
	x := j.fixed("x", j.X, ed25519.PublicKeySize)
	if !j.has("d") {
		return ed25519.PublicKey(x)
	}
	return ed25519.PrivateKey(append(j.fixed("d", j.D, ed25519.SeedSize), x...))
}

// integer reads a number in as few bytes as it needs (RFC 7518 §2, Base64urlUInt).
func (j *jwk) integer(name, text string) *big.Int {
	b, err := strict.AppendBase64(nil, text)
	if j.err == nil && (err != nil || len(b) == 0 || b[0] == 0) {
		j.err = keyError("%s is missing or not canonical base64url", name)
	}
	return new(big.Int).SetBytes(bytes.TrimLeft(b, "\x00"))
}

// fixed reads a value of exactly size bytes.
func (j *jwk) fixed(name, text string, size int) []byte {
	b, err := strict.AppendBase64(nil, text)
	if j.err == nil && (err != nil || len(b) != size) {
		j.err = keyError("%s is not base64url of %d bytes", name, size)
	}
	return b
}

// factor finds the primes of n from e and d (NIST SP 800-56B, appendix C.2): d·e−1 is a multiple of the order of
// every number modulo n, so halving it gives a root of 1 that is not ±1 after a few tries.
func factor(n, e, d *big.Int) (p, q *big.Int, err error) {
	if d.BitLen() > n.BitLen() {
		return nil, nil, errRSANumbers
	}
	one := big.NewInt(1)
	last := new(big.Int).Sub(n, one)
	k := new(big.Int).Mul(d, e)
	k.Sub(k, one)
	if k.Sign() <= 0 || k.Bit(0) == 1 {
		return nil, nil, errRSANumbers
	}
	halvings := k.TrailingZeroBits()
	k.Rsh(k, halvings)
	for base := int64(2); base < 20; base++ {
		x := new(big.Int).Exp(big.NewInt(base), k, n)
		for range halvings {
			if x.Cmp(one) == 0 || x.Cmp(last) == 0 {
				break
			}
			square := new(big.Int).Mul(x, x)
			if square.Mod(square, n).Cmp(one) == 0 {
				p = new(big.Int).GCD(nil, nil, x.Sub(x, one), n)
				return p, new(big.Int).Div(n, p), nil
			}
			x = square
		}
	}
	return nil, nil, errRSANumbers
}
