package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// Covers Standard_K06, Standard_K07, Standard_K08.
func TestNewSet_Standard_K06(t *testing.T) {
	t.Parallel()
	a, b, hs := newKey(t, jwt.ES256), withID(t, newKey(t, jwt.EdDSA), "b"), withID(t, newKey(t, jwt.HS256), "hs")
	for name, keys := range map[string][]*jwt.Key{
		"one kid twice": {a, withID(t, b, "k")}, "one key twice": {a, a}, "no kid": {a, withID(t, b, "")}, "no kid twice": {withID(t, a, ""), withID(t, b, "")},
		"a secret among others": {a, hs}, "others beside a secret": {hs, a}, "nil": {a, nil}, "only nil": {nil},
	} {
		if s, err := jwt.NewSet(keys...); !errors.Is(err, jwt.ErrKey) || s != nil {
			t.Errorf("%s: %v, %v, want ErrKey", name, s, err)
		}
	}
	set := newSet(t, a, b)
	for kid, want := range map[string]*jwt.Key{"k": a, "b": b, "": nil, "K": nil, "c": nil} {
		got, err := set.Key(context.Background(), kid)
		if got != want || (err == nil) != (want != nil) || err != nil && !errors.Is(err, jwt.ErrKey) {
			t.Errorf("Key(%q) = %v, %v, want %v", kid, got, err, want)
		}
	}
	keys := set.Keys()
	keys[0] = nil
	if set.Keys()[0] != a {
		t.Error("Keys gives away the set's own slice")
	}
}

// Covers Standard_K01, Standard_K02, Standard_C08, Behaviour_P89.
func TestSetIsPublished_Standard_K01(t *testing.T) {
	t.Parallel()
	var keys []*jwt.Key
	for i, alg := range algorithms {
		if !alg.Symmetric() {
			keys = append(keys, withID(t, newKey(t, alg), fmt.Sprint(i)))
		}
	}
	set := newSet(t, keys...)
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var published struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &published); err != nil || len(published.Keys) != len(keys) {
		t.Fatalf("%s: %v", text, err)
	}
	for _, members := range published.Keys {
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := members[secret]; ok || members["kty"] == "oct" || members["kid"] == "" || members["use"] != "sig" {
				t.Errorf("published %v", members)
			}
		}
	}
	again, err := jwt.ParseSet(text)
	if err != nil || len(again.Keys()) != len(keys) {
		t.Fatalf("read again: %v, %v", again, err)
	}
	for _, k := range keys {
		accepted(t, sign(t, k, "JWT", json.RawMessage(payload)), again)
	}
	if text, err := json.Marshal(newSet(t, newKey(t, jwt.HS256))); err == nil {
		t.Errorf("a secret was published: %s", text)
	}
	if text, err := json.Marshal(newSet(t)); err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("an empty set is %s, %v", text, err)
	}
}

// Covers Attack_G03, Standard_K04, Standard_K05, Standard_K07, Standard_K08, Behaviour_P90, Behaviour_B29.
func TestParseSet_Attack_G03(t *testing.T) {
	t.Parallel()
	jwk := func(k *jwt.Key, kid string) string {
		text, err := withID(t, k, kid).MarshalPublicJWK()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ec, ed := jwk(newKey(t, jwt.ES256), "ec"), jwk(newKey(t, jwt.EdDSA), "ed")
	secret, _ := withID(t, newKey(t, jwt.HS256), "hs").MarshalJWK()
	hs := string(secret)
	many := make([]string, 101)
	for i := range many {
		many[i] = jwk(newKey(t, jwt.EdDSA), fmt.Sprint(i))
	}
	tests := []struct {
		name, text string
		want       int // keys; 0 is ErrKey
	}{
		{"two", `{"keys":[` + ec + `,` + ed + `]}`, 2},
		{"unknown members", `{"x":1,"keys":[` + ec + `],"y":{"z":[]}}`, 1},
		{"a secret alone", `{"keys":[` + hs + `]}`, 1},
		{"as many as allowed", `{"keys":[` + strings.Join(many[:100], ",") + `]}`, 100},
		{"unusable among others", `{"keys":[{"kty":"XX"},{},7,null,[],` + ec + `,{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"weak"},{"kty":"EC","kid":"z"}]}`, 1},
		{"for encryption", `{"keys":[` + strings.Replace(ed, `"sig"`, `"enc"`, 1) + `,` + ec + `]}`, 1},
		{"without kid, alone", `{"keys":[` + jwk(newKey(t, jwt.ES256), "") + `]}`, 1},
		{"without kid, among others", `{"keys":[` + jwk(newKey(t, jwt.ES384), "") + `,` + ec + `]}`, 1},

		{"one kid twice", `{"keys":[` + ec + `,` + strings.Replace(ed, `"ed"`, `"ec"`, 1) + `]}`, 0},
		{"one key twice", `{"keys":[` + ec + `,` + ec + `]}`, 0},
		{"a secret among others", `{"keys":[` + ec + `,` + hs + `]}`, 0},
		{"none usable", `{"keys":[{"kty":"XX"}]}`, 0},
		{"empty", `{"keys":[]}`, 0},
		{"no keys", `{}`, 0},
		{"keys in upper case", `{"KEYS":[` + ec + `]}`, 0},
		{"keys twice", `{"keys":[` + ec + `],"keys":[` + ed + `]}`, 0},
		{"no list", `{"keys":` + ec + `}`, 0},
		{"null", `{"keys":null}`, 0},
		{"a list", `[` + ec + `]`, 0},
		{"a key", ec, 0},
		{"HTML", `<html>`, 0},
		{"nothing", ``, 0},
		{"cut", `{"keys":[` + ec, 0},
		{"trailing", `{"keys":[` + ec + `]}x`, 0},
		{"member twice in an unusable key", `{"keys":[` + ec + `,{"kty":"XX","kty":"XX"}]}`, 0},
		{"too many", `{"keys":[` + strings.Join(many, ",") + `]}`, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			set, err := jwt.ParseSet([]byte(test.text))
			if test.want == 0 {
				if !errors.Is(err, jwt.ErrKey) || set != nil {
					t.Errorf("%v, %v, want ErrKey", set, err)
				}
				return
			}
			if err != nil || len(set.Keys()) != test.want {
				t.Errorf("%v, %v, want %d keys", set, err, test.want)
			}
		})
	}
}
