package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
)

// The tutorials' own clients, written with Python's requests, log in to this server
// and call its protected resource.
func TestTutorialClients(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import requests").Run(); err != nil {
		t.Skipf("%s has no module requests: run make deps", python)
	}
	folder := t.TempDir()
	settings := filepath.Join(folder, "doorward.yaml")
	err := os.WriteFile(settings, []byte("login: {token_field: token}\ntokens: {header: x-access-token}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(folder, "data"), "--config", settings)
	command(t, 0, "the tutorial said test", "user", "add", "test", "--password-stdin", "--data", s.dir)
	for _, client := range []string{"first.py", "second.py"} {
		out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", client), s.url).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", client, err, out)
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(got) != 2 || !strings.HasPrefix(got[0], "200 ") || got[1] != "401" {
			t.Errorf("%s printed %q, want 200 with a message, then 401", client, got)
		}
	}
}

// What a member of the answer is called already, the access token cannot be called too: the check of a configuration
// knows each of them, as the server does that would refuse to start.
func TestTokenFieldIsNoMember(t *testing.T) {
	t.Parallel()
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	command(t, 0, "a word of the answer", "user", "add", "ann", "--password-stdin", "--data", s.dir)
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(must(t, 200, "POST", s.url+"/login", "", credentials("ann", "a word of the answer")).body), &members); err != nil {
		t.Fatal(err)
	}
	if _, first := members["device"]; !first || len(members) < 6 {
		t.Fatalf("not all members: %d", len(members))
	}
	for name := range members {
		cfg, err := config.Load(config.Source{Flags: map[string]string{"login.token_field": name}})
		if err == nil || !strings.Contains(err.Error(), name+" is a member of the answer already") {
			t.Errorf("%s: %v, %v", name, cfg != nil, err)
		}
	}
}
