package jwa

import "math/big"

const (
	minRSABits = 2048 // RFC 7518 §3.3
	maxRSABits = 8192 // with a larger key, each forged token would cost milliseconds to refuse
)

// checkRSA refuses public numbers that are no key or a weak one. It looks at sizes before it computes.
func checkRSA(n *big.Int, e int) error {
	switch bits := n.BitLen(); {
	case n.Sign() <= 0 || n.Bit(0) == 0:
		return KeyError("the RSA modulus is not an odd positive number")
	case bits < minRSABits:
		return KeyError("the RSA key has %d bits, the least is %d (RFC 7518 §3.3)", bits, minRSABits)
	case bits > maxRSABits:
		return KeyError("the RSA key has %d bits, the most is %d", bits, maxRSABits)
	case e < 3 || e%2 == 0 || int64(e) > 1<<31-1:
		return KeyError("the RSA exponent is 1, even or above 2³¹−1")
	}
	return checkModulus(n)
}

// lastPrime is the largest of the 126 first primes. They all divide the constant from which the generator of
// CVE-2017-15361 (ROCA) builds the primes of keys of 2,048 bits and more.
const lastPrime = 701

// checkModulus refuses small factors and the mark of ROCA: the modulus is a power of 65537 modulo every one of the
// small primes. An honest modulus does not get that mark by chance.
func checkModulus(n *big.Int) error {
	marked := true
	for prime := int64(3); prime <= lastPrime; prime += 2 {
		p := big.NewInt(prime)
		if !p.ProbablyPrime(0) {
			continue
		}
		rest := new(big.Int).Mod(n, p).Int64()
		if rest == 0 {
			return KeyError("the RSA modulus has a small factor")
		}
		marked = marked && isPower(rest, 65537%prime, prime)
	}
	if marked {
		return KeyError("the RSA key comes from a broken generator (CVE-2017-15361)")
	}
	return nil
}

// isPower reports whether x is a power of base modulo prime.
func isPower(x, base, prime int64) bool {
	for power := base; ; power = power * base % prime {
		if power == x {
			return true
		}
		if power == 1 {
			return false
		}
	}
}
