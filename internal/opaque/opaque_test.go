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

// Tokens outlive the program that made them: the form of the text does not change from one version to the next.
func TestForm(t *testing.T) {
	t.Parallel()
	secret, token := make([]byte, 32), opaque.Token{Generation: 0x05060708}
	for n := range secret {
		secret[n] = byte(n)
	}
	for n := range token.Handle {
		token.Handle[n] = byte(100 + n)
	}
	key, err := opaque.NewKey("refresh-01020304", secret)
	if err != nil {
		t.Fatal(err)
	}
	const want = "dwr_AQIDBAUGBwhkZWZnaGlqa2xtbm9wcXJzdHV2d5R705CgslxURvBvg3H7NCJSZsPKrvGUo2C-13PjbWag"
	if got := token.Text(key); got != want {
		t.Errorf("the token is %s, want %s", got, want)
	}
}

// No other text is the token, and whatever is no token is ErrToken.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t, opaque.NewSecret())
	good := opaque.Token{Handle: opaque.NewHandle()}.Text(key)
	texts := []string{"", opaque.Prefix, good[:len(good)-1], good + "A", good[len(opaque.Prefix):], "dwx_" + good[len(opaque.Prefix):], " " + good[1:], good[:len(good)-1] + "="}
	for n := len(opaque.Prefix) + 6; n < len(good); n++ { // What comes before names the key.
		other := byte('A')
		if good[n] == other {
			other = 'B'
		}
		texts = append(texts, good[:n]+string(other)+good[n+1:])
	}
	for _, text := range texts {
		if got, err := opaque.Parse(text, map[opaque.KeyName]opaque.Key{key.Name(): key}); got != (opaque.Token{}) || !errors.Is(err, opaque.ErrToken) {
			t.Errorf("%q: %+v, %v, want ErrToken", text, got, err)
		}
	}
}
