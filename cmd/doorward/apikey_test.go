package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// asked is the status of GET with a header.
func asked(t *testing.T, address, name, value string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(name, value)
	got, err := exchange(req)
	if err != nil {
		t.Error(err)
	}
	return got.status
}

// A key that is revoked at one node, or beside all of them, is refused by the gates of the others within the bound.
func TestAPIKeyCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, clusterConfig{nodes: 2, bound: 10 * time.Second, settings: "upstream: " + upstream(t) + "\napi_keys: {header: X-API-Key}\n"})
	login := must(t, 200, "POST", c.nodes[0].address+"/login", "", c.login)
	add := func() (id, key string) {
		made := must(t, 201, "POST", c.nodes[0].address+"/keys", login.member("access_token"), `{"name":"script","everything":true}`)
		return made.member("id"), made.member("key")
	}
	for name, revoke := range map[string]func(id string){
		"by its owner at node 0": func(id string) {
			must(t, 204, "DELETE", c.nodes[0].address+"/keys/"+id, login.member("access_token"), "")
		},
		"by the command":        func(id string) { c.command("apikey", "revoke", id) },
		"with all of its owner": func(string) { c.command("apikey", "revoke", "--all", "alice", "--yes") },
	} {
		id, key := add()
		for _, n := range c.nodes {
			for range 3 {
				if got := asked(t, n.address+"/orders", "X-API-Key", key); got != 200 {
					t.Fatalf("%s: a good key gets %d", name, got)
				}
			}
		}
		revoke(id)
		revoked := time.Now()
		for i, n := range c.nodes {
			err := eventually(func() bool { return asked(t, n.address+"/orders", "Authorization", "Bearer "+key) == 401 })
			if took := time.Since(revoked); err != nil || took > c.bound {
				t.Errorf("%s: node %d goes on for %v, %v", name, i, took, err)
			}
		}
		t.Logf("%s: refused everywhere within %v", name, time.Since(revoked).Round(time.Millisecond))
	}
	_, key := add()
	if got := asked(t, c.nodes[1].address+"/orders", "X-API-Key", key); got != 200 {
		t.Errorf("another key: %d", got)
	}
	c.command("user", "disable", "alice")
	for i, n := range c.nodes {
		if err := eventually(func() bool { return asked(t, n.address+"/orders", "X-API-Key", key) == 401 }); err != nil {
			t.Errorf("node %d lets the key of a disabled user in: %v", i, err)
		}
	}
	c.command("user", "enable", "alice")
	if got := asked(t, c.nodes[1].address+"/orders", "X-API-Key", key); got != 200 {
		t.Errorf("enabled again: %d", got)
	}
}

// No key is in the log, in the data folder or in what the API reads, whether it is good, mistyped or in the wrong place.
func TestAPIKeyLeaks(t *testing.T) {
	t.Parallel()
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "doorward.yaml")
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for name, lines := range r.Header {
			if strings.Contains(strings.Join(lines, " "), "dwk_") {
				t.Errorf("the API reads the key in %s", name)
			}
		}
	}))
	t.Cleanup(api.Close)
	writeFile(t, file, "upstream: "+api.URL+"\nissuer: http://127.0.0.1:8080\nlog: {level: debug}\napi_keys: {header: X-API-Key}\n")
	s := serve(t, dir, "--config", file)
	command(t, failure.ExitDone, "", "role", "add", "staff", "--scope", "orders:read", "--data", dir)
	command(t, failure.ExitDone, "", "user", "add", "alice", "--role", "staff", "--data", dir)
	out, _ := command(t, failure.ExitDone, "", "apikey", "add", "alice", "--name", "script", "--scope", "orders:read", "--data", dir)
	key := firstLine(out)
	secret := strings.Split(key, "_")[2]
	if len(secret) != 43 {
		t.Fatalf("the command printed %q", out)
	}
	for _, at := range []struct {
		header, value string
		want          int
	}{
		{"X-API-Key", key, 200},
		{"Authorization", "Bearer " + key, 200},
		{"Authorization", "Basic " + key, 401},
		{"X-API-Key", key[:70], 401},
		{"X-API-Key", key + "x", 401},
		{"X-API-Key", key[:64] + "_aaaaaa", 401},
		{"Authorization", "Bearer " + key + " " + key, 401},
	} {
		if got := asked(t, s.url+"/orders", at.header, at.value); got != at.want {
			t.Errorf("%s: %d, want %d", at.header, got, at.want)
		}
	}
	must(t, 400, "POST", s.url+"/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, key))
	err := eventually(func() bool {
		list, _ := command(t, failure.ExitDone, "", "apikey", "list", "--json", "--data", dir)
		return strings.Contains(list, `"last_used": "2`)
	})
	if err != nil {
		t.Error("the use of the key is not noted", err)
	}
	if logs := s.logs.text(); strings.Contains(logs, secret) || !strings.Contains(logs, "/orders") && !strings.Contains(logs, "upstream") {
		t.Errorf("the log:\n%s", logs)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("%s holds the key", filepath.Base(name))
		}
	}
}
