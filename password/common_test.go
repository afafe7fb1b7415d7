package password_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/doorward/doorward/password"
)

var update = flag.Bool("update", false, "make common.bin anew")

// TestCommonFile makes common.bin anew, or checks that it is what the lists give.
func TestCommonFile_Attack_E09(t *testing.T) {
	words := commonPasswords(t)
	digests := make([]string, len(words))
	for i, word := range words {
		digest := sha256.Sum256([]byte(word))
		digests[i] = string(digest[:password.CommonDigest])
	}
	slices.Sort(digests)
	want := strings.Join(slices.Compact(digests), "")
	if *update {
		if err := os.WriteFile("common.bin", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("common.bin")
	if err != nil || string(got) != want || len(want) < 200_000 {
		t.Errorf("common.bin is not made from the lists (%d bytes, want %d): run with -update; %v", len(got), len(want), err)
	}
}

// commonPasswords returns what common.bin is made of.
func commonPasswords(t *testing.T) []string {
	t.Helper()
	seen := map[string]bool{}
	for path, least := range map[string]int{
		"nbp_top10000.txt": 4, "nbp_top100000.txt": password.LeastMin, "zxcvbn_passwords_with_counts.txt": password.LeastMin,
	} {
		for line := range strings.Lines(string(corpus(t, "common-passwords/"+path))) {
			word := strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(path, "zxcvbn") {
				word, _, _ = strings.Cut(word, " ")
			}
			if utf8.ValidString(word) && utf8.RuneCountInString(word) >= least {
				seen[password.FoldCommon(word)] = true
			}
		}
	}
	words := make([]string, 0, len(seen))
	for word := range seen {
		words = append(words, word)
	}
	return words
}

// ASVS_6.2.4: Every password of the lists that is long enough is refused, and so are the ways to make a short one longer.
func TestCommon_Attack_E09_Standard_U10(t *testing.T) {
	t.Parallel()
	refused := 0
	for _, word := range commonPasswords(t) {
		forms := []string{word, strings.ToUpper(word), word + word}
		if strings.TrimFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) == word {
			forms = append(forms, word+"1234567", "!!!"+word+"123")
		}
		for _, text := range forms {
			err := password.Check(text, password.LeastMin)
			if errors.Is(err, password.ErrTooShort) || strings.Contains(text, "SS") { // of the German ß
				continue
			}
			if refused++; !errors.Is(err, password.ErrCommon) {
				t.Errorf("%q: %v, want ErrCommon", text, err)
			}
		}
	}
	if refused < 100_000 {
		t.Errorf("only %d passwords were tried", refused)
	}
}

// ASVS_6.2.11, Standard_Z01.
func TestShapes_Attack_E09_Standard_U10_U11(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, password string
		names          []string
		wantErr        error
	}{
		{name: "one character", password: strings.Repeat("a", 40), wantErr: password.ErrCommon},
		{name: "two characters", password: "abbabaababbabab", wantErr: password.ErrCommon},
		{name: "four emoji", password: strings.Repeat("🦊🐢🦉🐝", 5), wantErr: password.ErrCommon},
		{name: "a short text repeated", password: "hG7!xhG7!xhG7!xhG", wantErr: password.ErrCommon},
		{name: "the digits", password: "123456789012345", wantErr: password.ErrCommon},
		{name: "the digits backwards", password: "9876543210987654", wantErr: password.ErrCommon},
		{name: "the alphabet", password: "ABCdefGHIjklMNOpqr", wantErr: password.ErrCommon},
		{name: "rows", password: "qwertyuiopasdfghjkl", wantErr: password.ErrCommon},
		{name: "rows of other keyboards", password: "azertyuiopqsdfghjklm", wantErr: password.ErrCommon},
		{name: "columns", password: "1qaz2wsx3edc4rfv", wantErr: password.ErrCommon},
		{name: "a common one repeated", password: "Sunshine1Sunshine1", wantErr: password.ErrCommon},
		{name: "a common one and the year", password: "chelsea1234567890", wantErr: password.ErrCommon},
		{name: "wide letters", password: "ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", wantErr: password.ErrCommon},
		{name: "the name twice", password: "alice.smithalice.smith", names: []string{"alice.smith"}, wantErr: password.ErrNamed},
		{name: "the name and some digits", password: "Margarethe-2024!", names: []string{"margarethe"}, wantErr: password.ErrNamed},
		{name: "the name and a row", password: "margarethe1234567890", names: []string{"margarethe"}, wantErr: password.ErrNamed},
		{name: "part of the e-mail address", password: "margarethe-1987", names: []string{"margarethe@example.org"}, wantErr: password.ErrNamed},
		{name: "the product", password: "Doorward-Doorward!", wantErr: password.ErrNamed},
		{name: "the host", password: "auth.acme-widgets.com", wantErr: password.ErrNamed},
		{name: "both", password: "margarethe@acme-widgets", names: []string{"margarethe"}, wantErr: password.ErrNamed},

		{name: "words", password: "correct horse battery staple"},
		{name: "words with the name among them", password: "margarethe likes green tea", names: []string{"margarethe"}},
		{name: "Standard_U05 ASVS_6.2.5 digits", password: "314159265358979"},
		{name: "Standard_U05 small letters", password: "hvzqtrnkxwmbfjy"},
		{name: "words twice", password: "orange turtle orange turtle"},
		{name: "a common one and much else", password: "sunshine 8273 0165 9942"},
		{name: "emoji", password: "🦊🐢🦉🐝🐙🦑🐠🐡🦈🐳🦭🐊🐅🦓🦍"},
		{name: "another script", password: "твёрдая зелёная тень"},
		{name: "a short name", password: "my dog al is called bo", names: []string{"al"}},
	}
	rules := password.Rules{Names: []string{"doorward", "auth.acme-widgets.com"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := rules.Check(tt.password, tt.names...)
			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("Check(%q) = %v, want %v", tt.password, err, tt.wantErr)
			}
			rule, ok := errors.AsType[*password.RuleError](err)
			if err != nil && (!ok || rule.Reason == "" || !strings.Contains(rule.Advice, "unrelated words")) {
				t.Errorf("Check(%q) = %v says nothing to do", tt.password, err)
			}
			if err != nil && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.password)) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// No text takes long to look at, and what is refused is not repeated.
func FuzzRules(f *testing.F) {
	f.Add("qwertyuiopasdfghjkl", "alice")
	f.Add("alicealicealicealice", "alice@example.com")
	f.Add(strings.Repeat("ab", 512), "")
	f.Fuzz(func(t *testing.T, text, name string) {
		err := password.Rules{Names: []string{"doorward"}}.Check(text, name)
		if _, ok := errors.AsType[*password.RuleError](err); err != nil && !ok {
			t.Errorf("Check(%q, %q) = %v, want a RuleError", text, name, err)
		}
	})
}

func TestGeneratedIsAccepted(t *testing.T) {
	t.Parallel()
	for range 10_000 {
		if text := password.Generate(); password.Check(text, 0) != nil {
			t.Fatalf("%s: %v", text, password.Check(text, 0))
		}
	}
}
