package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
	config := filepath.Join(folder, "doorward.yaml")
	err := os.WriteFile(config, []byte("login: {token_field: token}\ntokens: {header: x-access-token}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(folder, "data"), "--config", config)
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
