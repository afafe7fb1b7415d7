package password

import (
	"crypto/hmac"
	"encoding/hex"
	"strings"
	"time"
)

// maxSaltText is the greatest length of a salt that is used as the text it is.
const maxSaltText = 128

// cutText cuts method$salt$key, the form of Werkzeug, whose key is hexadecimal and
// in lower case.
func cutText(s string) (method, salt string, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 || parts[1] == "" || len(parts[1]) > maxSaltText || strings.ToLower(parts[2]) != parts[2] {
		return "", "", nil, errForm
	}
	if key, err = hex.DecodeString(parts[2]); err != nil || len(key) < minKey || len(key) > maxKey {
		return "", "", nil, errForm
	}
	return parts[0], parts[1], key, nil
}

// readWerkzeugPBKDF2 reads pbkdf2:sha256:600000$salt$key. A hash without the number cannot
// be verified, since the default differs between the versions of Werkzeug.
func readWerkzeugPBKDF2(s string) (stored, error) {
	method, salt, key, err := cutText(s)
	if err != nil {
		return stored{}, err
	}
	parts := strings.Split(method, ":")
	if len(parts) != 3 {
		return stored{}, errForm
	}
	return storedPBKDF2("werkzeug pbkdf2:"+parts[1], parts[1], parts[2], []byte(salt), key)
}

// readWerkzeugScrypt reads scrypt:32768:8:1$salt$key.
func readWerkzeugScrypt(s string) (stored, error) {
	method, salt, key, err := cutText(s)
	if err != nil {
		return stored{}, err
	}
	parts := strings.Split(method, ":")
	if len(parts) != 4 {
		return stored{}, errForm
	}
	n, r, p, err := parseScryptCosts(parts[1], parts[2], parts[3])
	if err != nil {
		return stored{}, err
	}
	return storedScrypt("werkzeug scrypt", n, r, p, []byte(salt), key)
}

// readDigest reads sha256$salt$key: one HMAC keyed with the salt, by Werkzeug
// before 2.3. Under sha1 it may be one digest of salt and password instead, by
// Django before 1.4.
func readDigest(s string) (stored, error) {
	method, salt, key, err := cutText(s)
	if err != nil {
		return stored{}, err
	}
	d, ok := digestOf(method)
	if !ok || len(key) != d.size {
		return stored{}, errForm
	}
	return stored{
		scheme: "salted " + method, work: time.Microsecond, rehash: true,
		match: func(text []byte) bool {
			mac := hmac.New(d.new, []byte(salt))
			mac.Write(text)
			right := hmac.Equal(mac.Sum(nil), key)
			if method == "sha1" {
				sum := d.new()
				sum.Write([]byte(salt))
				sum.Write(text)
				right = hmac.Equal(sum.Sum(nil), key) || right
			}
			return right && isWhole(text, MaxBytes)
		},
	}, nil
}
