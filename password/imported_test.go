package password_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/doorward/doorward/password"
)

// pythonHash is a line of testdata/hashes.py.
type pythonHash struct {
	Scheme   string `json:"scheme"`
	Password string `json:"password"`
	Hash     string `json:"hash"`
	Default  bool   `json:"default"` // the cost is the library's own
}

// What Debian's Werkzeug, Django, passlib, bcrypt and argon2 make of random
// passwords is verified here, and hashed anew.
func TestPythonHashes_Standard_U12(t *testing.T) {
	t.Parallel()
	made := pythonHashes(t, passwordsForPython(t))
	if len(made) < 200 {
		t.Fatalf("%d hashes, want 200 or more", len(made))
	}
	cheap := password.New(password.Config{Wait: time.Minute, Queue: 1000})
	for _, m := range made {
		scheme, err := password.Recognize(m.Hash)
		if err != nil || !strings.HasPrefix(m.Scheme, strings.TrimPrefix(scheme, "passlib ")) && !strings.HasPrefix(m.Scheme, scheme) {
			t.Errorf("Recognize of a hash by %s = %q, %v", m.Scheme, scheme, err)
			continue
		}
		if m.Default && os.Getenv("DOORWARD_SOAK") == "" {
			continue
		}
		cut := strings.TrimPrefix(scheme, "django ") == "bcrypt" && len(m.Password) > 72 ||
			strings.HasSuffix(scheme, "_crypt") && len(m.Password) > 256 ||
			!strings.Contains(scheme, "argon2") && strings.Contains(m.Password, "\x00")
		rehash, err := cheap.Verify(t.Context(), m.Hash, m.Password)
		switch {
		case cut && !errors.Is(err, password.ErrMismatch):
			t.Errorf("%s of %d bytes: %v, want ErrMismatch", m.Scheme, len(m.Password), err)
		case !cut && (err != nil || !rehash):
			t.Errorf("%s: Verify(%q, %q) = %v, %v", m.Scheme, m.Hash, m.Password, rehash, err)
		}
	}
	for i, m := range made {
		if i%61 != 0 { // A wrong password costs 20 ms, whatever the hash.
			continue
		}
		for _, wrong := range []string{m.Password + "x", ""} {
			if rehash, err := cheap.Verify(t.Context(), m.Hash, wrong); !errors.Is(err, password.ErrMismatch) || rehash {
				t.Errorf("%s: Verify(%q, %q) = %v, %v, want ErrMismatch", m.Scheme, m.Hash, wrong, rehash, err)
			}
		}
	}
}

// passwordsForPython are random texts of every length and script, in NFC and not.
func passwordsForPython(t *testing.T) []string {
	t.Helper()
	alphabets := []string{
		asciiPrintable(), "żółćęśąźń ŻÓŁĆ", "пароль надёжный", "パスワード安全", "كلمة السر", "🦊🐢🦉🐝 👩‍🚀",
	}
	texts := []string{
		"correct horse battery staple", strings.Repeat("a", 72), strings.Repeat("b", 73), strings.Repeat("ä", 128), strings.Repeat("c", 257),
		"cafe\u0301 s\u0307\u0323 au lait", " a$b:c ", "\x00",
	}
	for _, i := range []int{random(t, 2), 2 + random(t, 2), 4 + random(t, 2)} {
		runes := []rune(alphabets[i])
		var b strings.Builder
		for range 1 + random(t, 24) {
			b.WriteRune(runes[random(t, len(runes))])
		}
		texts = append(texts, b.String())
	}
	return texts
}

func random(t *testing.T, limit int) int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(int64(limit)))
	if err != nil {
		t.Fatal(err)
	}
	return int(n.Int64())
}

func pythonHashes(t *testing.T, texts []string, schemes ...string) []pythonHash {
	t.Helper()
	const python = "/usr/bin/python3"
	modules := "import werkzeug, django, passlib, bcrypt, argon2"
	if err := exec.CommandContext(t.Context(), python, "-c", modules).Run(); err != nil {
		t.Skipf("%s cannot %s: run make deps", python, modules)
	}
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-W", "ignore", "testdata/hashes.py"}, schemes...)
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var made []pythonHash
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var m pythonHash
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		made = append(made, m)
	}
	return made
}

// Fixed hashes, which need no Python.
func TestKnownHashes(t *testing.T) {
	t.Parallel()
	for _, m := range known {
		t.Run(m.Scheme, func(t *testing.T) {
			t.Parallel()
			scheme, err := password.Recognize(m.Hash)
			if err != nil || scheme != m.Scheme {
				t.Errorf("Recognize = %q, %v", scheme, err)
			}
			if rehash, err := hasher.Verify(t.Context(), m.Hash, m.Password); err != nil || !rehash {
				t.Errorf("Verify = %v, %v", rehash, err)
			}
			if _, err := hasher.Verify(t.Context(), m.Hash, m.Password+"."); !errors.Is(err, password.ErrMismatch) {
				t.Errorf("Verify of another password = %v, want ErrMismatch", err)
			}
		})
	}
}

// Standard_Z03: A password that the old program hashed as it came is right as it came, and in NFC.
func TestUnnormalisedHash_Attack_E05_Standard_U09(t *testing.T) {
	t.Parallel()
	const composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
	made := pythonHashes(t, []string{composed, decomposed}, "django pbkdf2_sha1")
	if len(made) != 2 {
		t.Fatalf("%d hashes, want 2", len(made))
	}
	for _, m := range made {
		typed := []string{m.Password, norm.NFD.String(m.Password)}
		for _, text := range typed {
			if _, err := hasher.Verify(t.Context(), m.Hash, text); err != nil {
				t.Errorf("set as %+q, typed as %+q: %v", m.Password, text, err)
			}
		}
	}
}

func TestBcryptLimits_Attack_E04_Standard_W01(t *testing.T) {
	t.Parallel()
	made := pythonHashes(t, []string{strings.Repeat("a", 72), "a"}, "bcrypt", "django bcrypt")
	if len(made) != 4 {
		t.Fatalf("%d hashes, want 4", len(made))
	}
	for _, m := range made {
		for _, wrong := range []string{m.Password + "b", "a\x00a", "a\x00"} {
			if _, err := hasher.Verify(t.Context(), m.Hash, wrong); !errors.Is(err, password.ErrMismatch) {
				t.Errorf("%s of %d bytes, typed %q: %v, want ErrMismatch", m.Scheme, len(m.Password), wrong, err)
			}
		}
	}
}

// A hash costs what its parameters say, and those are bounded before anything is computed.
func TestOverCost_Attack_E04(t *testing.T) {
	t.Parallel()
	key32, key64 := strings.Repeat("a1", 32), strings.Repeat("a1", 64)
	b64 := strings.Repeat("A", 43) + "="
	tests := []struct{ name, hash string }{
		{"werkzeug scrypt of 256 MiB", "scrypt:262144:8:1$salt$" + key64},
		{"werkzeug scrypt of 2^63", "scrypt:9223372036854775808:8:1$salt$" + key64},
		{"werkzeug scrypt of many lanes", "scrypt:32768:8:32$salt$" + key64},
		{"werkzeug pbkdf2 of an hour", "pbkdf2:sha256:1000000000$salt$" + key32},
		{"werkzeug pbkdf2 beyond 64 bits", "pbkdf2:sha256:99999999999999999999$salt$" + key32},
		{"django pbkdf2 of an hour", "pbkdf2_sha256$1000000000$salt$" + b64},
		{"django scrypt of 1 GiB", "scrypt$1048576$salt$8$1$" + b64},
		{"django argon2 of 4 GiB", "argon2$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43)},
		{"argon2i of 2 s", "$argon2i$v=19$m=131072,t=16,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43)},
		{"passlib pbkdf2", "$pbkdf2-sha512$4000000000$c29tZXNhbHQ$" + strings.Repeat("A", 86)},
		{"PHC scrypt", "$scrypt$ln=18,r=8,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43)},
		{"PHC scrypt of 2^32", "$scrypt$ln=32,r=8,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43)},
		{"bcrypt of cost 15", "$2b$15$" + strings.Repeat("a", 53)},
		{"bcrypt of cost 31", "$2b$31$" + strings.Repeat("a", 53)},
		{"django bcrypt", "bcrypt_sha256$$2b$31$" + strings.Repeat("a", 53)},
		{"passlib bcrypt", "$bcrypt-sha256$v=2,t=2b,r=31$" + strings.Repeat("a", 22) + "$" + strings.Repeat("a", 31)},
		{"sha512_crypt", "$6$rounds=999999999$salt$" + strings.Repeat("a", 86)},
		{"sha256_crypt", "$5$rounds=9999999$salt$" + strings.Repeat("a", 43)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := password.Recognize(tt.hash)
			if !errors.Is(err, password.ErrCost) || !errors.Is(err, password.ErrHash) {
				t.Errorf("Recognize = %v, want ErrCost", err)
			}
			if _, err := hasher.Verify(t.Context(), tt.hash, good); !errors.Is(err, password.ErrCost) {
				t.Errorf("Verify = %v, want ErrCost", err)
			}
		})
	}
}

func TestRefusedHashes(t *testing.T) {
	t.Parallel()
	key32 := strings.Repeat("a1", 32)
	tests := []struct{ name, hash, want string }{
		{"empty", "", "empty"},
		{"Django's unusable password", "!4F0hG9mTnLk2", "no password"},
		{"locked in shadow", "*LK*", "no password"},
		{"MD5-crypt", "$1$3azHgidD$SrJPt7B.9rekpmwJwtON31", "MD5"},
		{"phpass", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "MD5"},
		{"Django's MD5", "md5$abc$900150983cd24fb0d6963f7d28e17f72", "MD5"},
		{"plain text of Werkzeug", "plain$$secret", "the password itself"},
		{"a password", "correct horse battery staple", "not a form"},
		{"bcrypt with a fault", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "fault"},
		{"bcrypt cut short", "$2b$12$" + strings.Repeat("a", 52), "2b: not in the form"},
		{"bcrypt of cost 3", "$2b$03$" + strings.Repeat("a", 53), ""},
		{"bcrypt of another alphabet", "$2b$12$" + strings.Repeat("+", 53), ""},
		{"argon2d", "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "argon2d"},
		{"Werkzeug without a number", "pbkdf2:sha256$salt$" + key32, ""},
		{"Werkzeug of no rounds", "pbkdf2:sha256:0$salt$" + key32, "not a number"},
		{"Werkzeug of another digest", "pbkdf2:md5:1000$salt$" + key32, ""},
		{"Werkzeug with a longer key", "pbkdf2:sha256:1000$salt$" + key32 + "a1", ""},
		{"Werkzeug in capitals", "pbkdf2:sha256:1000$salt$" + strings.ToUpper(key32), ""},
		{"Werkzeug without a salt", "pbkdf2:sha256:1000$$" + key32, ""},
		{"scrypt of no power of two", "scrypt:1000:8:1$salt$" + key32, ""},
		{"scrypt of N 1", "scrypt:1:8:1$salt$" + key32, ""},
		{"digest without a salt", "sha1$$" + strings.Repeat("a1", 20), ""},
		{"digest of another length", "sha256$salt$" + strings.Repeat("a1", 20), ""},
		{"SHA-crypt of 999 rounds", "$6$rounds=999$salt$" + strings.Repeat("a", 86), ""},
		{"SHA-crypt with a long salt", "$5$12345678901234567$" + strings.Repeat("a", 43), ""},
		{"Django bcrypt around something else", "bcrypt$$6$salt$" + strings.Repeat("a", 86), ""},
		{"a megabyte", "pbkdf2:sha256:1000$salt$" + strings.Repeat("a", 1<<20), "longer than"},
		{"a NUL", "sha256$sa\x00lt$" + key32[:62] + "\x00a", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := password.Recognize(tt.hash)
			if !errors.Is(err, password.ErrHash) || errors.Is(err, password.ErrCost) {
				t.Fatalf("Recognize = %v, want ErrHash", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Recognize = %v, want %q in it", err, tt.want)
			}
			if len(tt.hash) > 20 && strings.Contains(err.Error(), tt.hash[len(tt.hash)-20:]) {
				t.Errorf("the error holds the hash: %v", err)
			}
		})
	}
}

// An imported hash waits for the same slots as one of ours.
func TestImportedHashesShareSlots_Attack_E03(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{Slots: 1, Queue: 1, Wait: time.Millisecond})
	defer password.Hold(h)()
	if _, err := h.Verify(context.Background(), known[0].Hash, known[0].Password); !errors.Is(err, password.ErrBusy) {
		t.Errorf("Verify with every slot taken = %v, want ErrBusy", err)
	}
}

// Whatever is read costs no more than the bounds, also when it is hostile.
func FuzzRecognize(f *testing.F) {
	for _, m := range known {
		if _, err := password.Recognize(m.Hash); err != nil {
			f.Fatalf("the seed of %s is not readable: %v", m.Scheme, err)
		}
		f.Add(m.Hash)
	}
	if len(known) < 15 {
		f.Fatalf("only %d seeds", len(known))
	}
	f.Add("$6$rounds=999999999$salt$" + strings.Repeat("a", 86))
	f.Add("scrypt:262144:8:1$salt$" + strings.Repeat("a1", 64))
	f.Fuzz(func(t *testing.T, hash string) {
		scheme, memory, work, err := password.CostOf(hash)
		if err != nil {
			if !errors.Is(err, password.ErrHash) || scheme != "" {
				t.Errorf("%q: %q, %v, want ErrHash", hash, scheme, err)
			}
			return
		}
		if scheme == "" || work <= 0 || memory > password.CapMemory || work > password.CapWork {
			t.Errorf("%q: %s takes %d KiB and %v", hash, scheme, memory, work)
		}
	})
}
