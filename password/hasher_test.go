package password_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/password"
)

const good = "correct horse battery staple"

// hasher is shared, so that tests that run at once do not hash more at once than there are cores.
var hasher = password.New(password.Config{Queue: 1000, Wait: time.Minute})

func mustHash(t *testing.T, text string) string {
	t.Helper()
	hash, err := hasher.Hash(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// ASVS_11.4.2.
func TestHash_Standard_W01_U12_Behaviour_B59(t *testing.T) {
	t.Parallel()
	first, second := mustHash(t, good), mustHash(t, good)
	const prefix = "$argon2id$v=19$m=19456,t=2,p=1$"
	if !strings.HasPrefix(first, prefix) {
		t.Errorf("Hash = %q, want the prefix %q", first, prefix)
	}
	if first == second {
		t.Error("two hashes of one password are the same: no salt")
	}
	salt, _, _ := strings.Cut(strings.TrimPrefix(first, prefix), "$")
	if len(salt) != 22 { // 16 bytes
		t.Errorf("salt %q has %d characters, want 22", salt, len(salt))
	}
	rehash, err := hasher.Verify(t.Context(), first, good)
	if err != nil || rehash {
		t.Errorf("Verify = %v, %v", rehash, err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	cut := strings.Repeat("a", 72)
	tests := []struct {
		name       string
		set, typed string
		wantErr    error
	}{
		{name: "same", set: good, typed: good},
		{name: "other case", set: good, typed: strings.ToUpper(good), wantErr: password.ErrMismatch},
		{name: "empty", set: good, typed: "", wantErr: password.ErrMismatch},
		{name: "prefix", set: good, typed: good[:len(good)-1], wantErr: password.ErrMismatch},
		{name: "trailing space counts", set: good, typed: good + " ", wantErr: password.ErrMismatch},
		{name: "Standard_U08_Attack_E04_Behaviour_B59 no cut after 72 bytes", set: cut + "b", typed: cut + "c", wantErr: password.ErrMismatch},
		{name: "Attack_E04 no cut at NUL", set: good + "\x00b", typed: good + "\x00c", wantErr: password.ErrMismatch},
		{name: "Standard_U08 ASVS_6.2.8 last of 1024 bytes counts", set: strings.Repeat("a", 1023) + "b", typed: strings.Repeat("a", 1023) + "c", wantErr: password.ErrMismatch},
		{name: "Standard_U03 all printing ASCII", set: asciiPrintable(), typed: asciiPrintable()},
		{name: "Standard_U09_Attack_E05 composed set, decomposed typed", set: "caf\u00e9 \u1e69 au lait", typed: "cafe\u0301 s\u0307\u0323 au lait"},
		{name: "Standard_U09_Attack_E05 decomposed set, composed typed", set: "cafe\u0301 s\u0307\u0323 au lait", typed: "caf\u00e9 \u1e69 au lait"},
		{name: "Attack_E05 compatibility forms differ", set: "\ufb01fteen and more", typed: "fifteen and more", wantErr: password.ErrMismatch},
		{name: "Attack_E05 zero width counts", set: good, typed: "correct\u200b horse battery staple", wantErr: password.ErrMismatch},
		{name: "Standard_U04 emoji", set: "🦊🐢🦉🐝 und so weiter", typed: "🦊🐢🦉🐝 und so weiter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := hasher.Verify(t.Context(), mustHash(t, tt.set), tt.typed)
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("Verify = %v, want %v", err, tt.wantErr)
			}
		})
	}
}

func TestRefusedText(t *testing.T) {
	t.Parallel()
	hash := mustHash(t, good)
	tests := []struct {
		name    string
		text    string
		wantErr error
	}{
		{"Attack_E02 1025 bytes", strings.Repeat("a", 1025), password.ErrTooLong},
		{"Attack_E02 100 MB", strings.Repeat("a", 100<<20), password.ErrTooLong},
		{"Attack_E02 1025 bytes that NFC makes shorter", strings.Repeat("e\u0301", 342), password.ErrTooLong},
		{"not UTF-8", "caf\xe9 au lait et lait", password.ErrText},
		{"surrogate", "caf\xed\xa0\x80 au lait et lait", password.ErrText},
	}
	// A full house shows that the text is refused before it waits for a slot.
	full := password.New(password.Config{Slots: 1, Queue: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := full.Hash(ctx, tt.text); !errors.Is(err, tt.wantErr) {
				t.Errorf("Hash = %v, want %v", err, tt.wantErr)
			}
			if _, err := full.Verify(ctx, hash, tt.text); !errors.Is(err, tt.wantErr) {
				t.Errorf("Verify = %v, want %v", err, tt.wantErr)
			}
			if err := full.VerifyNothing(ctx, tt.text); !errors.Is(err, tt.wantErr) {
				t.Errorf("VerifyNothing = %v, want %v", err, tt.wantErr)
			}
			var rule *password.RuleError
			if err := password.Check(tt.text, 0); !errors.Is(err, tt.wantErr) || !errors.As(err, &rule) {
				t.Errorf("Check = %v, want a RuleError of %v", err, tt.wantErr)
			}
		})
	}
}

func TestVerifyNothing_Attack_E01_Behaviour_B56(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", good, strings.Repeat("a", 1024)} {
		if err := hasher.VerifyNothing(t.Context(), text); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("VerifyNothing(%d bytes) = %v, want ErrMismatch", len(text), err)
		}
	}
}

func TestPHC_Attack_E04(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	hostile := []struct{ name, hash string }{
		{"4 GiB", "$argon2id$v=19$m=4194304,t=2,p=1$" + salt + "$" + key},
		{"all of 32 bits", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key},
		{"more than 32 bits", "$argon2id$v=19$m=4294967297,t=2,p=1$" + salt + "$" + key},
		{"one over the memory", "$argon2id$v=19$m=131073,t=2,p=1$" + salt + "$" + key},
		{"one pass too many", "$argon2id$v=19$m=256,t=17,p=1$" + salt + "$" + key},
		{"within each bound and too much together", "$argon2id$v=19$m=131072,t=16,p=1$" + salt + "$" + key},
		{"nine lanes", "$argon2id$v=19$m=256,t=2,p=9$" + salt + "$" + key},
		{"an hour of passes", "$argon2id$v=19$m=65536,t=100000,p=1$" + salt + "$" + key},
		{"zero passes", "$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key},
		{"zero threads", "$argon2id$v=19$m=65536,t=2,p=0$" + salt + "$" + key},
		{"256 threads", "$argon2id$v=19$m=65536,t=2,p=256$" + salt + "$" + key},
		{"less than 8 KiB a lane", "$argon2id$v=19$m=31,t=2,p=4$" + salt + "$" + key},
		{"zero memory", "$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key},
		{"negative", "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key},
		{"plus", "$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + key},
		{"leading zero", "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + key},
		{"no number", "$argon2id$v=19$m=,t=2,p=1$" + salt + "$" + key},
		{"other order", "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + key},
		{"extra parameter", "$argon2id$v=19$m=256,t=2,p=1,keyid=1$" + salt + "$" + key},
		{"missing parameter", "$argon2id$v=19$m=256,t=2$" + salt + "$" + key},
		{"no version", "$argon2id$m=256,t=2,p=1$" + salt + "$" + key},
		{"old version", "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key},
		{"argon2d", "$argon2d$v=19$m=256,t=2,p=1$" + salt + "$" + key},
		{"padding", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + key + "="},
		{"trailing bits", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" + key},
		{"line end", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "\n$" + key},
		{"line end after", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "\n"},
		{"url alphabet", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPP-"},
		{"short salt", "$argon2id$v=19$m=256,t=2,p=1$c29t$" + key},
		{"no salt", "$argon2id$v=19$m=256,t=2,p=1$$" + key},
		{"short key", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$CTFh"},
		{"empty key", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$"},
		{"no key", "$argon2id$v=19$m=256,t=2,p=1$" + salt},
		{"one part more", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "$"},
		{"key of 97 bytes", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("AAAA", 33)},
		{"a megabyte", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1<<20)},
		{"empty", ""},
		{"plain text", good},
		{"scrypt for argon2", "$scrypt$v=19$m=256,t=2,p=1$" + salt + "$" + key},
	}
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rehash, err := hasher.Verify(t.Context(), tt.hash, good)
			if !errors.Is(err, password.ErrHash) || rehash {
				t.Errorf("Verify = %v, %v, want ErrHash", rehash, err)
			}
			if err != nil && len(tt.hash) > 20 && strings.Contains(err.Error(), tt.hash[20:]) {
				t.Errorf("the error holds the hash: %v", err)
			}
		})
	}
}

func asciiPrintable() string {
	var b strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}

func corpus(t *testing.T, path string) []byte {
	t.Helper()
	root := os.Getenv("DOORWARD_CORPORA")
	if root == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public test vectors are not there")
	}
	data, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
