package password_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/password"
)

// The vectors of the reference implementation: argon2id and argon2i of version 19
// within the caps are verified and hashed anew, everything else is refused unread.
func TestVectors_Attack_E04_Standard_W01(t *testing.T) {
	t.Parallel()
	var file struct {
		Vectors []struct {
			Type     string `json:"type"`
			Memory   uint32 `json:"m_kib"`
			Password string `json:"password"`
			Encoded  string `json:"encoded"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(corpus(t, "argon2-phc/vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	good, refused := 0, 0
	for _, v := range file.Vectors {
		rehash, err := hasher.Verify(t.Context(), v.Encoded, v.Password)
		if v.Type == "argon2d" || !strings.Contains(v.Encoded, "$v=19$") || v.Memory > password.CapMemory {
			refused++
			if !errors.Is(err, password.ErrHash) {
				t.Errorf("%s: %v, want ErrHash", v.Encoded, err)
			}
			continue
		}
		good++
		if err != nil || !rehash { // their salt has 8 bytes
			t.Errorf("%s: rehash %v, %v", v.Encoded, rehash, err)
		}
		if _, err := hasher.Verify(t.Context(), v.Encoded, v.Password+"x"); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("%s with another password: %v, want ErrMismatch", v.Encoded, err)
		}
	}
	if good < 5 || refused < 2 {
		t.Errorf("%d vectors verified and %d refused: the corpus is not what it was", good, refused)
	}
}

func TestRehash_Behaviour_B59_Standard_U12(t *testing.T) {
	t.Parallel()
	// Made by the reference implementation, argon2 20190702, password "password".
	const weak = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	rehash, err := hasher.Verify(t.Context(), weak, "password")
	if err != nil || !rehash {
		t.Errorf("Verify of a weak hash = %v, %v, want rehash", rehash, err)
	}
	rehash, err = hasher.Verify(t.Context(), weak, "wrong")
	if !errors.Is(err, password.ErrMismatch) || rehash {
		t.Errorf("Verify of a wrong password = %v, %v, want no rehash and ErrMismatch", rehash, err)
	}
}

func FuzzPHC(f *testing.F) {
	seeds := []string{
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=65536,t=8,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=,t=,p=$$", "$argon2id$v=19$", "", "$$$$$$",
	}
	read := 0
	for _, s := range seeds {
		if _, err := password.Roundtrip(s); err == nil {
			read++
		}
		f.Add(s)
	}
	if read != 2 {
		f.Fatalf("%d of the seeds are readable, want 2", read)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again, err := password.Roundtrip(s)
		if err != nil {
			if !errors.Is(err, password.ErrHash) {
				t.Errorf("%q: %v, want ErrHash", s, err)
			}
			return
		}
		if again != s {
			t.Errorf("%q is a second text of %q", s, again)
		}
		m, tm, p, _ := password.Costs(s)
		if m > password.CapMemory || tm > password.CapTime || p > password.CapThreads || tm == 0 || p == 0 || m < 8*uint32(p) {
			t.Errorf("%q: costs %d %d %d are out of bounds", s, m, tm, p)
		}
	})
}
