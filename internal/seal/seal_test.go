package seal_test

import (
	"bytes"
	"testing"

	"github.com/doorward/doorward/internal/seal"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	master, plain := [32]byte{1}, []byte("a signing key")
	sealed := seal.Seal(master, "sign", "k1", plain)
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, seal.Seal(master, "sign", "k1", plain)) {
		t.Error("the key shows, or is sealed the same twice")
	}
	if got, err := seal.Open(master, "sign", "k1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open: %q, %v", got, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another master key": func() ([]byte, error) { return seal.Open([32]byte{2}, "sign", "k1", sealed) },
		"another purpose":    func() ([]byte, error) { return seal.Open(master, "refresh", "k1", sealed) },
		"another name":       func() ([]byte, error) { return seal.Open(master, "sign", "k2", sealed) },
		"a changed bit":      func() ([]byte, error) { return seal.Open(master, "sign", "k1", changed) },
		"nothing":            func() ([]byte, error) { return seal.Open(master, "sign", "k1", nil) },
	} {
		if got, err := open(); err == nil || got != nil {
			t.Errorf("%s: opened", name)
		}
	}
}
