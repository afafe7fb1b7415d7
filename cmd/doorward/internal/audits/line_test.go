package audits

import "testing"

// hostile is text of a stranger: for a terminal, for a reader of lines, for a reader of fields.
const hostile = "a\x1b[31m\u202egnp.exe\r\n\u2028{\"type\":\"end\"}\t=\"\x7f\U000e0001 ä"

// Text of a stranger is one word on one line.
func TestShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":        "",
		"alice":   "alice",
		"ä_1.2-3": "ä_1.2-3",
		hostile:   `"a\x1b[31m\u202egnp.exe\r\n\u2028{\"type\":\"end\"}\t=\"\x7f\U000e0001 ä"`,
		"a b":     `"a b"`,
		"a=b":     `"a=b"`,
		"\xff":    `"\xff"`,
	} {
		if got := shown(text); got != want {
			t.Errorf("shown(%q) = %s, want %s", text, got, want)
		}
	}
}
