package python_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// What would guard nothing by an oversight, or fail with each request, fails where it is written.
func TestNeeds(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	tests := []struct{ needs, want string }{
		{"", ""},
		{"scope='a'", ""},
		{"scope='a b', role='x', within=60", ""},
		{"role=['x', 'y'], optional=True", ""},
		{"role={'x'}", ""},
		{"scope=''", "ValueError doorward: scope "},
		{"scope=['a']", "ValueError doorward: scope "},
		{"role=''", "ValueError doorward: role "},
		{"role=[]", "ValueError doorward: role "},
		{"role=['x', '']", "ValueError doorward: role "},
		{"role=['x', None]", "ValueError doorward: role "},
		{"within='60'", "ValueError doorward: within "},
		{"scopes='a'", "TypeError "},
	}
	uses := []string{"tokens.require(%s)", "doorward.WSGI(None, tokens, %s)", "doorward.ASGI(None, tokens, %s)", "tokens.authenticate([], **{**dict(optional=True), **dict(%s)})"}
	var lines, wants []string
	for _, test := range tests {
		for _, use := range uses {
			lines, wants = append(lines, fmt.Sprintf(use, test.needs)), append(wants, test.want)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/needs.py")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	out, err := cmd.Output()
	got := strings.Split(string(out), "\n")
	if err != nil || len(got) <= len(lines) {
		t.Fatalf("%s: %v", out, err)
	}
	for i, line := range lines {
		if want := wants[i]; want == "" && got[i] != "" || !strings.HasPrefix(got[i], want) {
			t.Errorf("%s: %q, want %q", line, got[i], want)
		}
	}
}
