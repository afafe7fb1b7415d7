package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// With few files, strangers who connect and say nothing take none that the server needs for others.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	s, err := startProgram("testdata/few-files", "", filepath.Join(t.TempDir(), "data"), []string{"TEST_PROGRAM=" + binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	if !strings.Contains(s.logs.text(), `"connections":64,"files":128`) {
		t.Errorf("it is not told:\n%s", s.logs.text())
	}
	for range 200 {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 10 {
		command(t, failure.ExitDone, "", "user", "list", "--data", s.dir)
		must(t, 401, "POST", s.url+"/login", "", credentials("nobody", "a password that is wrong"))
	}
	if strings.Contains(s.logs.text(), "too many open files") {
		t.Errorf("no file was left:\n%s", s.logs.text())
	}
}
