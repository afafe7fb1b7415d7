package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/postgrestest"
)

// nodes are servers on one database, each with a data folder of its own.
type nodes struct {
	database string
	key      string // file of the master key
	all      []*process
}

// startNodes starts servers at once on a new database.
func startNodes(t *testing.T, n int, args ...string) *nodes {
	t.Helper()
	base := t.TempDir()
	ns := &nodes{database: withPassword(postgrestest.URL(t)), key: filepath.Join(base, "master.key"), all: make([]*process, n)}
	command(t, failure.ExitDone, "", "key", "new-master", ns.key)
	errs := make([]error, n)
	var starting sync.WaitGroup
	for i := range n {
		dir := filepath.Join(base, string(rune('a'+i)))
		starting.Go(func() { ns.all[i], errs[i] = ns.start(dir, args...) })
	}
	starting.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ns.all[i].stop(); err != nil {
				t.Errorf("stop: %v\n%s", err, ns.all[i].logs.text())
			}
		})
	}
	return ns
}

func (ns *nodes) start(dir string, args ...string) (*process, error) {
	return startServer(dir, ns.environment(), append([]string{"--issuer", "http://127.0.0.1:8080"}, args...)...)
}

// command runs a command on the database.
func (ns *nodes) command(t *testing.T, code int, args ...string) (out, errs string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(config, []byte("master_key_file: "+ns.key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return command(t, code, "", append(args, "--config", config, "--database", ns.database)...)
}

// password returns the password of admin, which one node wrote down.
func (ns *nodes) password(t *testing.T) string {
	t.Helper()
	var found []string
	for _, node := range ns.all {
		if _, err := os.Stat(filepath.Join(node.dir, "admin-password")); err == nil {
			found = append(found, node.dir)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d nodes wrote down a password of admin, want 1: %q", len(found), found)
	}
	return readPassword(t, found[0])
}

// withPassword puts a password into a URL, which the test server does not ask for.
func withPassword(url string) string {
	return strings.Replace(url, "doorward@", "doorward:hunter2hunter2@", 1)
}

// Two nodes that start at once on an empty database are one server: one admin, one set of keys, and what one of them
// does holds at the other.
func TestPostgresNodes(t *testing.T) {
	t.Parallel()
	ns := startNodes(t, 2)
	here, there := ns.all[0], ns.all[1]
	admin := credentials("admin", ns.password(t))
	login := must(t, 200, "POST", here.url+"/login", "", admin)
	token := login.member("access_token")
	must(t, 200, "GET", there.url+"/me", token, "")
	refreshed := must(t, 200, "POST", there.url+"/refresh", "", refreshBody(login.member("refresh_token")))
	must(t, 200, "GET", here.url+"/me", refreshed.member("access_token"), "")

	must(t, 204, "POST", here.url+"/logout", token, "")
	returned := time.Now()
	if err := eventually(func() bool {
		got, err := call("GET", there.url+"/me", token, "")
		return err == nil && got.status == 401
	}); err != nil {
		t.Errorf("a logout at one node does not reach the other: %v", err)
	}
	t.Logf("logout at one node, refused at the other after %v", time.Since(returned))

	ns.command(t, failure.ExitDone, "user", "add", "bob")
	out, _ := ns.command(t, failure.ExitDone, "user", "list", "--json")
	var users []struct{ Name string }
	if err := json.Unmarshal([]byte(out), &users); err != nil || len(users) != 2 {
		t.Errorf("users %s, %v", out, err)
	}
	// The settings of the last serve come from the database: there is no data folder here.
	issued, _ := ns.command(t, failure.ExitDone, "token", "issue", "bob")
	must(t, 200, "GET", there.url+"/me", strings.TrimSpace(firstLine(issued)), "")
	_, errs := ns.command(t, failure.ExitRefused, "backup", "copy.db")
	if !strings.Contains(errs, "pg_dump") {
		t.Errorf("backup says %s", errs)
	}
	for _, node := range ns.all {
		if strings.Contains(node.logs.text()+node.out.String(), "hunter2") {
			t.Error("a log holds the password of the database")
		}
	}
}

// A node with another master key refuses to start, and leaves the store as it is.
func TestPostgresOtherMasterKey(t *testing.T) {
	t.Parallel()
	ns := startNodes(t, 1)
	other := *ns
	other.key = filepath.Join(t.TempDir(), "other.key")
	command(t, failure.ExitDone, "", "key", "new-master", other.key)
	s, err := other.start(filepath.Join(t.TempDir(), "data"))
	if err == nil {
		_ = s.stop()
		t.Fatal("a node with another master key serves")
	}
	if !strings.Contains(err.Error(), "is not the master key of this store") {
		t.Errorf("it says %v", err)
	}
	must(t, 200, "POST", ns.all[0].url+"/login", "", credentials("admin", ns.password(t)))
}

// Attack_F02 on one database: a hundred requests present one token to two nodes at once.
func TestAttack_F02_TwoNodes(t *testing.T) {
	t.Parallel()
	rounds := 5
	if soak {
		rounds = 1000
	}
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte("refresh: {limit: 200}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ns := startNodes(t, 2, "--config", file)
	login := credentials("admin", ns.password(t))
	for range rounds {
		first := must(t, 200, "POST", ns.all[0].url+"/login", "", login).member("refresh_token")
		next := oneSuccessor(t, first, ns.all[0].url, ns.all[1].url)
		access := must(t, 200, "POST", ns.all[1].url+"/refresh", "", refreshBody(next)).member("access_token")
		must(t, 200, "GET", ns.all[0].url+"/me", access, "")
	}
}

// Attack_G06: processes that rotate at once make one key, and both nodes publish it before it signs.
func TestAttack_G06_TwoNodes(t *testing.T) {
	t.Parallel()
	ns := startNodes(t, 2)
	var kids [4]string
	var rotating sync.WaitGroup
	for i := range kids {
		rotating.Go(func() {
			out, _ := ns.command(t, failure.ExitDone, "key", "rotate")
			kids[i] = firstLine(out)
		})
	}
	rotating.Wait()
	for _, kid := range kids {
		if kid != kids[0] || kid == "" {
			t.Fatalf("the rotations made %q, want one key", kids)
		}
	}
	for _, node := range ns.all {
		if err := eventually(func() bool {
			got, err := call("GET", node.url+"/.well-known/jwks.json", "", "")
			return err == nil && strings.Count(got.body, `"kid"`) == 2 && strings.Contains(got.body, kids[0])
		}); err != nil {
			t.Errorf("%s does not publish the key and the one before: %v", node.url, err)
		}
	}
	login := must(t, 200, "POST", ns.all[0].url+"/login", "", credentials("admin", ns.password(t)))
	must(t, 200, "GET", ns.all[1].url+"/me", login.member("access_token"), "")
}
