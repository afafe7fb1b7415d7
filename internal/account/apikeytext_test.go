package account_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
)

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-. \x00é"

// No key becomes another one by a mistake: every change of one character and every swap of two
// neighbours is refused, and so is every text cut short or made longer.
func TestAPIKeyText(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^` + account.APIKeyPattern + `$`)
	seen := map[string]bool{}
	for range 50 {
		id, text := account.NewAPIKeyText()
		if got, err := account.ParseAPIKey(text); err != nil || got != id || !account.IsAPIKeyID(id) || !form.MatchString(text) || seen[id] {
			t.Fatalf("%s: %s, %v", text, got, err)
		}
		seen[id] = true
		wantNoKey := func(what, text string) {
			t.Helper()
			if id, err := account.ParseAPIKey(text); !errors.Is(err, account.ErrAPIKeyForm) && !errors.Is(err, account.ErrAPIKeySum) || id != "" {
				t.Fatalf("%s: %q is taken for the key %q, %v", what, text, id, err)
			}
		}
		for i := range len(text) {
			for _, c := range []byte(letters) {
				if c != text[i] {
					wantNoKey("one character", text[:i]+string([]byte{c})+text[i+1:])
				}
			}
			if i > 0 && text[i] != text[i-1] {
				wantNoKey("neighbours swapped", text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
			}
			wantNoKey("cut short", text[:i])
			wantNoKey("one left out", text[:i]+text[i+1:])
			wantNoKey("one doubled", text[:i]+text[i:i+1]+text[i:])
		}
		wantNoKey("space", text+" ")
		wantNoKey("upper case", strings.ToUpper(text))
		wantNoKey("longer", text+text)
	}
	if _, err := account.ParseAPIKey(""); !errors.Is(err, account.ErrAPIKeyForm) {
		t.Error(err)
	}
}

// Every digit is about as likely as the others.
func TestAPIKeySecretIsFair(t *testing.T) {
	t.Parallel()
	count := map[rune]int{}
	const keys = 2000
	for range keys {
		_, text := account.NewAPIKeyText()
		for _, c := range strings.Split(text, "_")[2] {
			count[c]++
		}
	}
	mean := keys * 43 / 62
	for c, n := range count {
		if n < mean*8/10 || n > mean*12/10 {
			t.Errorf("%c comes %d times, the mean is %d", c, n, mean)
		}
	}
	if len(count) != 62 {
		t.Errorf("%d digits, want 62", len(count))
	}
}

// What the page tells programs to look for is what keys are.
func TestAPIKeyPatternIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/api-keys.md")
	if err != nil || !strings.Contains(string(page), "\n"+account.APIKeyPattern+"\n") {
		t.Errorf("docs/api-keys.md does not have %s, %v", account.APIKeyPattern, err)
	}
}

func FuzzParseAPIKey(f *testing.F) {
	_, good := account.NewAPIKeyText()
	for _, seed := range []string{good, "", "dwk_", good[:60], good + "\n", strings.Repeat("dwk_", 100), "dwk_" + strings.Repeat("a", 67)} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`\A` + account.APIKeyPattern + `\z`)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := account.ParseAPIKey(text)
		if (err == nil) != (id != "") || err == nil && (!form.MatchString(text) || !strings.HasPrefix(text, id)) {
			t.Errorf("%q: %q, %v", text, id, err)
		}
		if err != nil && text != "" && len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats %q", text)
		}
	})
}
