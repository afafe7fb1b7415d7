package password_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/doorward/doorward/password"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	long := ""
	for i := range 300 {
		long += strconv.Itoa(i*i*i) + " "
	}
	tests := []struct {
		name     string
		password string
		least    int
		wantErr  error
		wantText string // in the error
	}{
		{name: "Standard_U01 15 characters", password: "a wide blue sky"},
		{name: "Standard_U01_U11 14 characters", password: "a wide red sky", wantErr: password.ErrTooShort, wantText: "at least 15 characters; four or five unrelated words"},
		{name: "Standard_U11 the reason", password: "abc", wantErr: password.ErrTooShort, wantText: "has 3 characters"},
		{name: "empty", password: "", wantErr: password.ErrTooShort},
		{name: "Standard_U01 8 when configured", password: "xk3 vq9z", least: 8},
		{name: "Standard_U01 7 is below every setting", password: "xk3 vq9", least: 1, wantErr: password.ErrTooShort, wantText: "at least 8 "},
		{name: "more than the default", password: "a wide red sky, look", least: 21, wantErr: password.ErrTooShort, wantText: "at least 21 "},
		{name: "Standard_U02 ASVS_6.2.9 64 characters", password: long[:64]},
		{name: "Standard_U02 1024 bytes", password: long[:1024]},
		{name: "Attack_E02 1025 bytes", password: long[:1025], wantErr: password.ErrTooLong, wantText: "at most 1024 bytes"},
		{name: "Standard_U03 spaces", password: "a b c d e f g h"},
		{name: "Standard_U04_Attack_E05 15 emoji of 4 bytes", password: "🦊🐢🦉🐝🐙🦑🐠🐡🦈🐳🦭🐊🐅🦓🦍"},
		{name: "Standard_U04_Attack_E05 14 emoji of 4 bytes", password: "🦊🐢🦉🐝🐙🦑🐠🐡🦈🐳🦭🐊🐅🦓", wantErr: password.ErrTooShort},
		{name: "Standard_U04 a composed character counts once", password: strings.Repeat("e\u0301", 14), wantErr: password.ErrTooShort, wantText: "has 14 "},
		{name: "Standard_U05 digits only", password: "314159265358979"},
		{name: "not UTF-8", password: "a wide blue sky\xff", wantErr: password.ErrText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := password.Check(tt.password, tt.least)
			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("Check = %v, want %v", err, tt.wantErr)
			}
			if err != nil && !strings.Contains(err.Error(), tt.wantText) {
				t.Errorf("Check = %q, want %q in it", err, tt.wantText)
			}
		})
	}
}

// ASVS_6.4.1.
func TestGenerate_Attack_E10(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^([a-z2-7]{5}-){4}[a-z2-7]{5}$`)
	seen := map[string]bool{}
	for range 100 {
		text := password.Generate()
		if !form.MatchString(text) || seen[text] {
			t.Fatalf("Generate = %q", text)
		}
		if err := password.Check(text, 0); err != nil {
			t.Fatal(err)
		}
		seen[text] = true
	}
}
