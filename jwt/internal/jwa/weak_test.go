package jwa_test

import (
	"crypto/sha256"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "make weak.bin anew")

// TestWeakSecretFile makes weak.bin anew, or checks that it is what the list gives.
func TestWeakSecretFile_Attack_A10(t *testing.T) {
	dir := os.Getenv("DOORWARD_CORPORA")
	if dir == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public test data is not read")
	}
	list, err := os.ReadFile(filepath.Join(dir, "weak-jwt-secrets", "jwt.secrets.list"))
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for line := range strings.SplitSeq(string(list), "\n") {
		if len(line) >= 32 {
			digest := sha256.Sum256([]byte(strings.TrimSpace(line)))
			digests = append(digests, string(digest[:8]))
		}
	}
	if len(digests) != 1919 {
		t.Errorf("%d long secrets on the list, want 1919", len(digests))
	}
	slices.Sort(digests)
	want := strings.Join(slices.Compact(digests), "")
	if *update {
		if err := os.WriteFile("weak.bin", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("weak.bin")
	if err != nil || string(got) != want {
		t.Errorf("weak.bin is not made from the list (%d bytes, want %d): run with -update; %v", len(got), len(want), err)
	}
}
