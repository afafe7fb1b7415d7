package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
)

// What the documents tell people to type is typed here, block by block in one shell.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: run make deps", tool)
		}
	}
	tests := []struct {
		document string
		want     []string // in this order
	}{
		{"README.md", []string{`"message"`, "logged out: 204"}},
		{"docs/start.md", []string{"alice", `"username":"alice"`, `"access_token"`, "session ended"}},
		{"docs/revocations.md", []string{"client_id", "dwc_", "client_secret", "dws_", `"snapshot":true`}},
		{"docs/oauth.md", []string{
			`"access_token":"eyJ`, `"scope":"reports:read"`, "revoked: 200", `{"active":false}`, `{"active":true`, `"scope":"reports:read"`,
			"last used", "never used",
		}},
		{"docs/operate.md", []string{"data:", `"name": "bob"`, "current", "is published", "eyJ", "does not hold the master key"}},
		{"docs/api-keys.md", []string{`"scope":"orders:read"`, `"client_id":"dwk_`, "backup", `"issued_token_type"`, "has ended"}},
		{"docs/admin-api.md", []string{`"password":`, `"next":`, `"disabled":true`, "precondition_failed", `"dry_run":true`, `"added":2`, `"error":"export_off"`, `"kind":"access_token","verified":true`, `"verified":true`, "is in it", `"backups":[{"name":"doorward-`, `"platform":`, `"settings":`, `"good":true`}},
		{"docs/audit.md", []string{"user_add", "verified, from block 1 on", "is in it", "verified, from block 1 on"}},
	}
	for _, test := range tests {
		t.Run(filepath.Base(test.document), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			s, err := startServerIn(folder, "doorward-data", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			})
			rest := typed(t, test.document, folder, strings.TrimPrefix(s.url, "http://"))
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("%q does not come in the rest of the output:\n%s", want, rest)
				}
				rest = after
			}
		})
	}
}

// The table of docs/operate.md has every setting, and nothing that is none.
func TestDocumentsHaveEverySetting(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n| key | default | what it does |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	listed := map[string]bool{}
	for line := range strings.Lines(table) {
		for i, word := range strings.Split(strings.Split(line, "|")[1], "`") {
			if i%2 == 1 {
				listed[word] = true
			}
		}
	}
	if !found || len(listed) < 50 {
		t.Fatalf("the table has %d settings", len(listed))
	}
	for _, s := range config.Settings() {
		if !listed[s.Key] && !strings.Contains(table, "`"+s.Key+": ") {
			t.Errorf("the table does not have %s", s.Key)
		}
		delete(listed, s.Key)
	}
	for key := range listed {
		t.Errorf("%s is no setting", key)
	}
}

// docs/operate.md names the settings, or their groups, that SIGHUP reads again, and what of a group it does not.
func TestDocumentsNameWhatIsReloaded(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sentence, found := strings.Cut(string(page), "Without a restart change ")
	sentence, _, _ = strings.Cut(sentence, "If anything else")
	reloaded, settled, excepted := strings.Cut(sentence, "other than")
	if !found || !excepted {
		t.Fatal("the sentence is not there")
	}
	for _, s := range config.Settings() {
		group, _, _ := strings.Cut(s.Key, ".")
		named := strings.Contains(reloaded, "`"+s.Key+"`") || strings.Contains(reloaded, "`"+group+"`")
		if named = named && !strings.Contains(settled, "`"+s.Key+"`"); named != s.Live {
			t.Errorf("%s: reloaded %v, and as docs/operate.md says it %v", s.Key, s.Live, named)
		}
	}
}

// What the unit of docs/operate.md says, systemd knows, and it takes from the service what that does not need.
func TestDocumentsUnitOfSystemd(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here: run make deps")
	}
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, unit, found := strings.Cut(string(page), "```ini\n")
	unit, _, _ = strings.Cut(unit, "```")
	file := filepath.Join(t.TempDir(), "doorward.service")
	writeFile(t, file, unit)
	const most = "20" // tenths
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+most, file).CombinedOutput()
	if err != nil || !found || strings.Contains(string(out), "Unknown") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The Python of docs/start.md takes a token of this server.
func TestPythonOfStart(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run(); err != nil {
		t.Skipf("%s has no modules jwt and cryptography: run make deps", python)
	}
	page, err := os.ReadFile("../../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```python\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("docs/start.md has no python block")
	}
	s, _ := serveEmpty(t)
	token, _ := command(t, 0, "", "token", "issue", "admin", "--data", s.dir)
	script := "import jwt, sys\ntoken = sys.stdin.read().strip()\n" +
		strings.ReplaceAll(block, "http://127.0.0.1:8080", s.url) + "print(claims['preferred_username'])\n"
	check := exec.CommandContext(t.Context(), python, "-c", script)
	check.Stdin = strings.NewReader(token)
	if out, err := check.CombinedOutput(); err != nil || string(out) != "admin\n" {
		t.Errorf("%v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(token, ".")
	check = exec.CommandContext(t.Context(), python, "-c", script)
	check.Stdin = strings.NewReader(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"doorward-assertion+jwt"}`)) + "." + rest)
	if out, err := check.CombinedOutput(); err == nil || !strings.Contains(string(out), "InvalidTokenError: not an access token") {
		t.Errorf("what is no access token: %v\n%s", err, out)
	}
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// typed runs the shell blocks of a document against the server at address and
// returns what they print. The server itself runs already.
func typed(t *testing.T, document, folder, address string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", document))
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("set -euo pipefail\ndoorward() { '%s' \"$@\"; }\n", binary)
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatalf("%s has no sh block", document)
	}
	for _, block := range blocks {
		if strings.Contains(block[1], "doorward serve\n") || strings.HasPrefix(block[1], "make ") {
			continue
		}
		script += strings.ReplaceAll(block[1], "127.0.0.1:8080", address)
	}
	bash := exec.CommandContext(t.Context(), "bash", "-c", script)
	bash.Dir, bash.Env = folder, clean(os.Environ())
	out, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", document, err, out)
	}
	return string(out)
}

// Every code that a client can read has a heading in the page on troubles.
func TestTroubleshootingNamesEveryCode(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := []string{"../../refusal.go"}
	for _, folder := range []string{"server", "endpoint", "admin", "apikey", "oauth", "gate", "forward"} {
		more, err := filepath.Glob("../../internal/" + folder + "/*.go")
		if err != nil || len(more) == 0 {
			t.Fatalf("%d sources in %s, %v", len(more), folder, err)
		}
		sources = append(sources, more...)
	}
	code := regexp.MustCompile(`(?:(?:code|Code)\w*(?::|\s*=)\s*|refusal\(http\.\w+, |badRequest\()"([a-z_]+)"`)
	found := map[string]bool{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range code.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	if len(found) < 15 {
		t.Fatalf("only %d codes found: %v", len(found), found)
	}
	for word := range found {
		if !strings.Contains(string(page), "\n## "+word+"\n") {
			t.Errorf("docs/troubleshooting.md has no heading %q", word)
		}
	}
}
