package jwt

import (
	"crypto/rsa"
	"math/big"
)

func (k *rsaKey) jwk() jwk {
	j := jwk{Type: "RSA", N: encode64(k.pub.N.Bytes()), E: encode64(big.NewInt(int64(k.pub.E)).Bytes())}
	if k.priv != nil {
		pre := &k.priv.Precomputed
		j.D = encode64(k.priv.D.Bytes())
		j.P, j.Q = encode64(k.priv.Primes[0].Bytes()), encode64(k.priv.Primes[1].Bytes())
		j.DP, j.DQ, j.QI = encode64(pre.Dp.Bytes()), encode64(pre.Dq.Bytes()), encode64(pre.Qinv.Bytes())
	}
	return j
}

// rsaFromJWK reads the members of an RSA key. A private key has d alone, whose primes are then found again, or all
// of p, q, dp, dq and qi (RFC 7518 §6.3.2).
func rsaFromJWK(j *jwk) (*rsaKey, error) {
	if j.has("oth") {
		return nil, keyError("RSA keys of more than two primes are not read (oth)")
	}
	n, e := j.integer("n", j.N), j.integer("e", j.E)
	if j.err != nil {
		return nil, j.err
	}
	if e.BitLen() > 31 {
		return nil, keyError("the RSA exponent is above 2³¹−1")
	}
	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	if !j.has("d") {
		return newRSAPublic(&pub)
	}
	// The modulus is checked before anything is computed with it.
	if err := checkRSA(pub.N, pub.E); err != nil {
		return nil, err
	}
	d := j.integer("d", j.D)
	if !j.has("p") && !j.has("q") && !j.has("dp") && !j.has("dq") && !j.has("qi") {
		if j.err != nil {
			return nil, j.err
		}
		p, q, err := factor(n, e, d)
		if err != nil {
			return nil, err
		}
		return newRSAPrivate(&rsa.PrivateKey{PublicKey: pub, D: d, Primes: []*big.Int{p, q}})
	}
	p, q := j.integer("p", j.P), j.integer("q", j.Q)
	dp, dq, qi := j.integer("dp", j.DP), j.integer("dq", j.DQ), j.integer("qi", j.QI)
	if j.err != nil {
		return nil, j.err
	}
	k, err := newRSAPrivate(&rsa.PrivateKey{PublicKey: pub, D: d, Primes: []*big.Int{p, q}})
	if err != nil {
		return nil, err
	}
	pre := &k.priv.Precomputed
	if pre.Dp.Cmp(dp) != 0 || pre.Dq.Cmp(dq) != 0 || pre.Qinv.Cmp(qi) != 0 {
		return nil, keyError("the numbers of the RSA key do not fit each other")
	}
	return k, nil
}

// factor finds the primes of n from e and d (NIST SP 800-56B, appendix C.2): d·e−1 is a multiple of the order of
// every number modulo n, so halving it gives a root of 1 that is not ±1 after a few tries.
func factor(n, e, d *big.Int) (p, q *big.Int, err error) {
	broken := keyError("the numbers of the RSA key do not fit each other")
	if d.BitLen() > n.BitLen() {
		return nil, nil, broken
	}
	one := big.NewInt(1)
	last := new(big.Int).Sub(n, one)
	k := new(big.Int).Mul(d, e)
	k.Sub(k, one)
	if k.Sign() <= 0 || k.Bit(0) == 1 {
		return nil, nil, broken
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
	return nil, nil, broken
}
