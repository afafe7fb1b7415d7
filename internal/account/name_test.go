package account_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/doorward/doorward/internal/account"
)

func TestParseName_Attack_E05_E08(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain", "ada", "ada"},
		{"case", "Ada", "ada"},
		{"mail address", "Ada.Lovelace+x@example.com", "ada.lovelace+x@example.com"},
		{"space inside", "Ada Lovelace", "ada lovelace"},
		{"digit first", "3com", "3com"},
		{"punctuation", "-a_b/c", "-a_b/c"},
		{"composed", "Zo\u00eb", "zo\u00eb"},
		{"decomposed", "Zoe\u0308", "zo\u00eb"},
		{"full width", "\uff21\uff44\uff41", "ada"},
		{"Kelvin sign", "\u212aate", "kate"},
		{"ligature", "\ufb01fi", "fifi"},
		{"sharp s", "Stra\u00dfe", "strasse"},
		{"capital sharp s", "STRA\u1e9eE", "strasse"},
		{"long s", "\u017fam", "sam"},
		{"final sigma", "\u039f\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c2", "\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c3"},
		{"Cyrillic", "\u0418\u0432\u0430\u043d", "\u0438\u0432\u0430\u043d"},
		{"Hebrew", "\u05d3\u05d5\u05d3", "\u05d3\u05d5\u05d3"},
		{"Hebrew, two words", "\u05d3\u05d5\u05d3 \u05d1\u05df", "\u05d3\u05d5\u05d3 \u05d1\u05df"},
		{"Arabic", "\u0639\u0644\u064a", "\u0639\u0644\u064a"},
		{"Devanagari", "\u0930\u0935\u093f", "\u0930\u0935\u093f"},
		{"Japanese", "\u5c71\u7530\u30bf\u30ed\u30fc taro", "\u5c71\u7530\u30bf\u30ed\u30fc taro"},
		{"Korean", "\uae40\ucca0\uc218 kim", "\uae40\ucca0\uc218 kim"},
		{"64 characters", strings.Repeat("\u00e9", 64), strings.Repeat("\u00e9", 64)},
		{"64 characters, decomposed", strings.Repeat("e\u0301", 64), strings.Repeat("\u00e9", 64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name, canonical, err := account.ParseName(tt.text)
			if err != nil || canonical != tt.want || name != norm.NFC.String(tt.text) {
				t.Errorf("ParseName(%+q) = %+q, %+q, %v, want %+q", tt.text, name, canonical, err, tt.want)
			}
		})
	}
}

func TestParseNameRefuses_Attack_E05_E08(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text string }{
		{"empty", ""},
		{"space", " "},
		{"65 characters", strings.Repeat("a", 65)},
		{"33 that fold to 66", strings.Repeat("\u00df", 33)},
		{"65 when a letter of 18 is folded", "\ufdfa\ufdfa\ufdfa\ufdfa"},
		{"a megabyte", strings.Repeat("a", 1<<20)},
		{"not UTF-8", "ada\xff"},
		{"surrogate", "ada\xed\xa0\x80"},
		{"space at the end", "admin "},
		{"space at the start", " admin"},
		{"two spaces", "ad  min"},
		{"NUL", "admin\x00"},
		{"tab", "ad\tmin"},
		{"line end", "admin\n"},
		{"escape", "\x1b[31madmin"},
		{"delete", "admin\x7f"},
		{"C1 control", "admin\u0085"},
		{"no-break space", "admin\u00a0"},
		{"ideographic space", "admin\u3000x"},
		{"line separator", "admin\u2028"},
		{"soft hyphen", "ad\u00admin"},
		{"zero width space", "ad\u200bmin"},
		{"zero width joiner", "ad\u200dmin"},
		{"word joiner", "ad\u2060min"},
		{"byte order mark", "\ufeffadmin"},
		{"right-to-left override", "\u202enimda"},
		{"isolate", "\u2066admin\u2069"},
		{"left-to-right mark", "admin\u200e"},
		{"combining grapheme joiner", "ad\u034fmin"},
		{"variation selector", "admin\ufe0f"},
		{"variation selector supplement", "admin\U000e0101"},
		{"tag", "admin\U000e0061"},
		{"Hangul filler", "\u3164"},
		{"half width Hangul filler", "admin\uffa0"},
		{"Khmer vowel inherent", "\u1780\u17b4"},
		{"mark first", "\u0301admin"},
		{"mark after a space", "ad \u0301min"},
		{"Greek ypogegrammeni, a space in NFKC", "a\u037a"},
		{"private use", "admin\ue000"},
		{"unassigned", "admin\u0378"},
		{"noncharacter", "admin\uffff"},
		{"replacement character", "admin\ufffd"},
		{"emoji", "admin\U0001f600"},
		{"superscript", "admin\u00b2"},
		{"trade mark", "admin\u2122"},
		{"curly quote", "o\u2019brien"},
		{"Cyrillic a in Latin", "\u0430dmin"},
		{"Greek omicron in Latin", "r\u03bf\u03bft"},
		{"Cherokee in Latin", "\u13aadmin"},
		{"mathematical letter beside Cyrillic", "\U0001d41a\u0431"},
		{"Hebrew beside Latin", "\u05d3admin"},
		{"Arabic digit in Hebrew order", "\u05d3\u0661a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name, canonical, err := account.ParseName(tt.text)
			if !errors.Is(err, account.ErrName) || name != "" || canonical != "" {
				t.Errorf("ParseName(%+q) = %+q, %+q, %v, want ErrName", tt.text, name, canonical, err)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func FuzzParseName(f *testing.F) {
	seeds := []string{
		"ada", "Ada Lovelace", "Zoe\u0308", "\uff21\uff44\uff41", "Stra\u00dfe", "\u0130stanbul", "\u1fb3", "\u03b0",
		"\u05d3\u05d5\u05d3", "\u5c71\u7530 taro", "admin\x00", "\u0430dmin", "", "\xff", "\ufdfa", "\u1e9b\u0323",
	}
	read := 0
	for _, s := range seeds {
		if _, _, err := account.ParseName(s); err == nil {
			read++
		}
		f.Add(s)
	}
	if read < 8 || read == len(seeds) {
		f.Fatalf("%d of %d seeds are names", read, len(seeds))
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, canonical, err := account.ParseName(s)
		if err != nil {
			if !errors.Is(err, account.ErrName) {
				t.Errorf("%+q: %v, want ErrName", s, err)
			}
			return
		}
		// A name and its canonical form are spellings of themselves.
		for _, again := range []string{name, canonical, norm.NFD.String(name), strings.ToUpper(canonical)} {
			if _, c, err := account.ParseName(again); err == nil && c != canonical && again != strings.ToUpper(canonical) || again == canonical && err != nil {
				t.Errorf("%+q is %+q, but its spelling %+q is %+q, %v", s, canonical, again, c, err)
			}
		}
		for _, form := range []string{name, canonical} {
			if n := utf8.RuneCountInString(form); n == 0 || n > account.MaxName || strings.TrimSpace(form) != form {
				t.Errorf("%+q: form %+q", s, form)
			}
			for _, r := range form {
				if unicode.In(r, unicode.C, unicode.Z) && r != ' ' || unicode.Is(unicode.Bidi_Control, r) {
					t.Errorf("%+q holds %U", s, r)
				}
			}
		}
	})
}
