package strict_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

func TestAppendBase64ReadsEveryLength(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		text := base64.RawURLEncoding.EncodeToString(want)
		got, err := strict.AppendBase64([]byte("before"), text)
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("%d bytes: got %x, %v", n, got, err)
		}
		if strict.DecodedLen(len(text)) != n {
			t.Errorf("DecodedLen(%d) = %d, want %d", len(text), strict.DecodedLen(len(text)), n)
		}
	}
}

// Each of the 256 bytes at each place of a short text: only the alphabet passes, and only in canonical form.
//
// Covers Standard_J02, Standard_J03.
func TestAppendBase64RefusesEveryStranger_Standard_J02(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for length := range 20 {
		for place := range length {
			for c := range 256 {
				text := []byte(strings.Repeat("A", length))
				text[place] = byte(c)
				got, err := strict.AppendBase64(nil, string(text))
				letter := strings.IndexByte(alphabet, byte(c)) >= 0
				want := letter && length%4 != 1 && base64.RawURLEncoding.EncodeToString(got) == string(text)
				if (err == nil) != want {
					t.Errorf("%q: error %v, want accepted %v", text, err, want)
				}
				if err != nil && !errors.Is(err, strict.ErrBase64) {
					t.Errorf("%q: error %v is not ErrBase64", text, err)
				}
			}
		}
	}
}

func TestAppendBase64_Attack_B10(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"A", "AAAAA", "QQ==", "QUI=", "QUJD=", "QUJD====", "QU JD", "QU\nJD", "QU\r\nJD", "QUJD\n", " QUJD", "QU+D", "QU/D", "QUJ?",
		"QR", "Qf", "QUJ", "QUL", "QUJD.", "QUJD\x00", "QUJ\xc3\xa9",
	} {
		if got, err := strict.AppendBase64(nil, text); !errors.Is(err, strict.ErrBase64) {
			t.Errorf("%q: got %q, %v, want ErrBase64", text, got, err)
		}
	}
}

func FuzzAppendBase64(f *testing.F) {
	for _, seed := range []string{"", "QQ", "QUI", "QUJD", "QU\nJD", "QR", "Zm9vYmFyZm9vYmFy", "Zm9vYmFy_-8"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := strict.AppendBase64(nil, text)
		want, wantErr := base64.RawURLEncoding.Strict().DecodeString(text)
		accepted := wantErr == nil && !strings.ContainsAny(text, "\r\n")
		if (err == nil) != accepted {
			t.Fatalf("%q: error %v, want accepted %v", text, err, accepted)
		}
		if accepted && !bytes.Equal(got, want) {
			t.Fatalf("%q: got %x, want %x", text, got, want)
		}
	})
}
