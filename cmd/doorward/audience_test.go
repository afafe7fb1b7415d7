package main

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAudienceOfOthers serves with an audience that is another service's. What is
// Doorward's own stays within reach: the first admin can change the password, and the
// lines that the first start prints work.
func TestAudienceOfOthers(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + addr + "/" // The slash belongs to the name, and to no path below it.
	args := []string{"--audience", "orders", "--issuer", issuer, "--listen", addr}
	first, err := startServer(filepath.Join(t.TempDir(), "data"), nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	lines := first.out.String() // complete, since the process has ended
	s := serve(t, first.dir, args...)
	login := func(secret, audience string) string {
		body := fmt.Sprintf(`{"username":"admin","password":%q,"audience":%q}`, secret, audience)
		return must(t, http.StatusOK, http.MethodPost, s.url+"/login", "", body).member("access_token")
	}
	change := func(old, secret string) string { return fmt.Sprintf(`{"current":%q,"new":%q}`, old, secret) }
	initial, chosen := readPassword(t, s.dir), "correct horse battery staple"
	must(t, http.StatusUnauthorized, http.MethodPost, s.url+"/password", login(initial, ""), change(initial, chosen))

	sh := exec.CommandContext(t.Context(), "sh", "-eu")
	sh.Stdin = strings.NewReader(lines)
	out, err := sh.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"subject":"u_`) || !strings.HasSuffix(string(out), "logged out: 204\n") {
		t.Errorf("%v: %s\n%s", err, out, lines)
	}

	must(t, http.StatusOK, http.MethodPost, s.url+"/password", login(initial, issuer), change(initial, chosen))
	must(t, http.StatusOK, http.MethodGet, s.url+"/admin/v1/users", login(chosen, issuer), "")
}
