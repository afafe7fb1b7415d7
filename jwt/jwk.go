package jwt

import (
	"encoding/json"
	"slices"

	"github.com/doorward/doorward/internal/strict"
)

// jwk is a JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) with the members that are read or written here.
type jwk struct {
	Type  string   `json:"kty"`
	ID    string   `json:"kid,omitempty"`
	Use   string   `json:"use,omitempty"`
	Ops   []string `json:"key_ops,omitempty"`
	Alg   string   `json:"alg,omitempty"`
	Curve string   `json:"crv,omitempty"`
	N     string   `json:"n,omitempty"`
	E     string   `json:"e,omitempty"`
	X     string   `json:"x,omitempty"`
	Y     string   `json:"y,omitempty"`
	K     string   `json:"k,omitempty"`
	D     string   `json:"d,omitempty"`
	P     string   `json:"p,omitempty"`
	Q     string   `json:"q,omitempty"`
	DP    string   `json:"dp,omitempty"`
	DQ    string   `json:"dq,omitempty"`
	QI    string   `json:"qi,omitempty"`

	names []string // the members that were present
	err   error    // the first fault found in the members of the key
}

// ParseJWK reads a JSON Web Key, public, private or secret (RFC 7517). alg must be the algorithm that the key names,
// if it names one; an empty alg means that one. A key that names none has the one of its curve, or RS256 if it is an
// RSA key, which is what publishers of such keys mean; a secret must name one. The kid is the key's own, or none.
//
// Refused with [ErrKey]: two members of one name, values not in their one canonical form, "use" other than "sig",
// "key_ops" that allow neither "sign" nor "verify" or contradict "use", "oth", and weak keys as in [NewKey].
// "key_ops" bind the key. Other members, x5c among them, are ignored.
func ParseJWK(data []byte, alg Algorithm) (*Key, error) {
	j, err := readJWK(data)
	if err != nil {
		return nil, err
	}
	return j.key(alg)
}

// MarshalJWK returns the key as a JWK with its private part or secret.
func (k *Key) MarshalJWK() ([]byte, error) {
	j := members(k.material.Std())
	j.ID, j.Alg, j.Use = k.id, string(k.alg), "sig"
	if k.noSign {
		j.Ops = []string{"verify"}
	}
	if k.noVerify {
		j.Ops = []string{"sign"}
	}
	return json.Marshal(&j)
}

// MarshalPublicJWK returns the public half as a JWK. It returns [ErrKey] for a secret.
func (k *Key) MarshalPublicJWK() ([]byte, error) {
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	return public.MarshalJWK()
}

// MarshalJSON is [Key.MarshalPublicJWK]: a key that lands in a JSON document by accident shows no secret.
func (k *Key) MarshalJSON() ([]byte, error) { return k.MarshalPublicJWK() }

// readJWK reads the members of a JWK as text.
func readJWK(data []byte) (*jwk, error) {
	var j jwk
	err := strict.Object(data, maxDepth, func(name, value []byte) error {
		if string(name) == "key_ops" {
			j.names = append(j.names, "key_ops")
			return j.readOps(value)
		}
		field := j.field(string(name))
		if field == nil {
			return nil
		}
		j.names = append(j.names, string(name))
		if string(name) == "oth" {
			return nil
		}
		text, err := strict.String(value)
		*field = text
		return err
	})
	if err != nil {
		return nil, keyError("JWK: %w", err)
	}
	return &j, nil
}

// field returns where the member of that name is kept, or nil if the member is ignored.
func (j *jwk) field(name string) *string {
	switch name {
	case "kty":
		return &j.Type
	case "kid":
		return &j.ID
	case "use":
		return &j.Use
	case "alg":
		return &j.Alg
	case "crv":
		return &j.Curve
	case "n":
		return &j.N
	case "e":
		return &j.E
	case "x":
		return &j.X
	case "y":
		return &j.Y
	case "k":
		return &j.K
	case "d":
		return &j.D
	case "p":
		return &j.P
	case "q":
		return &j.Q
	case "dp":
		return &j.DP
	case "dq":
		return &j.DQ
	case "qi":
		return &j.QI
	case "oth":
		return new(string)
	}
	return nil
}

func (j *jwk) readOps(value []byte) error {
	return strict.Array(value, maxDepth, func(element []byte) error {
		op, err := strict.String(element)
		if err == nil && slices.Contains(j.Ops, op) {
			err = strict.ErrDuplicate
		}
		j.Ops = append(j.Ops, op)
		return err
	})
}

// has reports whether the member is present.
func (j *jwk) has(name string) bool { return slices.Contains(j.names, name) }

// key makes the key.
func (j *jwk) key(alg Algorithm) (*Key, error) {
	if j.has("kid") {
		if err := checkKeyID(j.ID); err != nil {
			return nil, err
		}
	}
	if err := j.checkUse(); err != nil {
		return nil, err
	}
	m, err := j.material()
	if err != nil {
		return nil, err
	}
	named := Algorithm(j.Alg)
	if j.has("alg") {
		if named == "" || alg != "" && alg.canonical() != named.canonical() {
			return nil, keyError("the key's own alg is unknown or not the one asked for")
		}
		alg = named
	}
	if alg == "" && j.Type == "RSA" {
		alg = RS256
	}
	k, err := newKey(alg, m)
	if err != nil {
		return nil, err
	}
	k.id = j.ID
	if j.has("key_ops") {
		k.noVerify = !slices.Contains(j.Ops, "verify")
		k.noSign = !slices.Contains(j.Ops, "sign")
	}
	return k, nil
}

// checkUse reads use and key_ops (RFC 7517 §4.2, §4.3).
func (j *jwk) checkUse() error {
	if j.has("use") && j.Use != "sig" {
		return keyError("the use of the key is not sig")
	}
	if !j.has("key_ops") {
		return nil
	}
	other := slices.ContainsFunc(j.Ops, func(op string) bool { return op != "sign" && op != "verify" })
	if len(j.Ops) == 0 || other && (j.has("use") || !slices.Contains(j.Ops, "sign") && !slices.Contains(j.Ops, "verify")) {
		return keyError("key_ops do not allow signatures, or contradict use")
	}
	return nil
}
