package opaque_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/opaque"
)

func TestToken(t *testing.T) {
	t.Parallel()
	a, b := newKey(t, opaque.NewSecret()), newKey(t, opaque.NewSecret())
	token := opaque.Token{Key: a.Name(), Generation: 1<<32 - 1, Handle: opaque.NewHandle()}
	text := token.Text(a)
	keys := map[opaque.KeyName]opaque.Key{a.Name(): a, b.Name(): b}
	if got, err := opaque.Parse(text, keys); got != token || err != nil {
		t.Errorf("parse: %+v, %v, want %+v", got, err, token)
	}
	delete(keys, a.Name())
	if got, err := opaque.Parse(text, keys); got != (opaque.Token{Key: a.Name()}) || !errors.Is(err, opaque.ErrKey) {
		t.Errorf("parse without the key: %+v, %v, want its name alone and ErrKey", got, err)
	}
	keys[a.Name()] = b
	if got, err := opaque.Parse(text, keys); got != (opaque.Token{}) || !errors.Is(err, opaque.ErrToken) {
		t.Errorf("parse with another secret: %+v, %v, want ErrToken", got, err)
	}
}

func TestKeyID(t *testing.T) {
	t.Parallel()
	name := opaque.NewKeyName()
	if got, err := opaque.ParseKeyID(name.ID()); got != name || err != nil {
		t.Errorf("parse %q: %v, %v", name.ID(), got, err)
	}
	for _, bad := range []string{"", "refresh-", "refresh-0102030", "refresh-0102030405", "refresh-xyzxyzxy", "01020304", "signing-01020304"} {
		if _, err := opaque.NewKey(bad, opaque.NewSecret()); err == nil {
			t.Errorf("%q was taken for an id", bad)
		}
	}
	if _, err := opaque.NewKey(name.ID(), opaque.NewSecret()[:31]); err == nil {
		t.Error("31 bytes were taken for a secret")
	}
}

func TestKeysPrintNoSecret(t *testing.T) {
	t.Parallel()
	secret := opaque.NewSecret()
	key := newKey(t, secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, map[string]any{"key": key})
		if !strings.Contains(text, key.Name().ID()) || strings.Contains(text, hex.EncodeToString(secret[:4])) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func newKey(t *testing.T, secret []byte) opaque.Key {
	t.Helper()
	key, err := opaque.NewKey(opaque.NewKeyName().ID(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
