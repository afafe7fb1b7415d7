package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFlaskBehind puts each tutorial's app behind the binary, as examples/flask-behind says, and runs its client.
func TestFlaskBehind(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), debianPython, "-c", "import flask, flask_cors, jwt, requests").Run(); err != nil {
		t.Skipf("%s has no flask, flask_cors, jwt or requests: run make deps", debianPython)
	}
	tests := []struct {
		name      string
		login     string
		field     string // of the token in the answer of /login
		forgotten string // the route that the app shows to everybody
		want      string // what the client prints
	}{
		{"first", `{"username":"test","password":"test"}`, "access_token", "/report", "200 This is a protected endpoint. test\n"},
		{"second", `{"username":"user1","password":"password123"}`, "token", "/users", "Welcome to the home page!\n200 This is a protected route! user1\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := flaskFolder(t)
			app := runApp(t, folder, test.name)
			config := filepath.Join(folder, test.name+".yaml")
			s := serveBefore(t, folder, config, app)
			command(t, 0, "", "user", "import", "--from", filepath.Join(folder, "users.csv"), "--data", s.dir)
			client := exec.CommandContext(t.Context(), debianPython, "client_"+test.name+".py", s.url)
			client.Dir = folder
			if out, err := client.CombinedOutput(); err != nil || string(out) != test.want {
				t.Fatalf("the client prints %q, want %q: %v\n%s", out, test.want, err, s.logs.text())
			}
			must(t, 401, "GET", s.url+"/protected", "", "")
			must(t, 401, "GET", s.url+test.forgotten, "", "")
			must(t, 200, "GET", "http://"+app+test.forgotten, "", "")
			token := must(t, 200, "POST", s.url+"/login", "", test.login).member(test.field)
			must(t, 200, "GET", s.url+test.forgotten, token, "")
			must(t, 200, "GET", s.url+"/protected", token, "")
			theirs := must(t, 200, "POST", "http://"+app+"/login", "", test.login).member(test.field)
			must(t, 401, "GET", s.url+"/protected", theirs, "")
			if direct, err := call("GET", "http://"+app+"/protected", token, ""); err != nil || direct.status == 200 {
				t.Errorf("the app takes a token of Doorward's: %v %d", err, direct.status)
			}
			must(t, 204, "POST", s.url+"/logout", token, "")
			must(t, 401, "GET", s.url+"/protected", token, "")
		})
	}
}

// TestSimpleJWTBehind puts an API that numbers its users behind the binary, as it is: it reads the number of each in the
// token that Doorward makes.
func TestSimpleJWTBehind(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), debianPython, "-c", "import rest_framework_simplejwt").Run(); err != nil {
		t.Skipf("%s has no rest_framework_simplejwt: run make deps", debianPython)
	}
	const program = "app_of_simplejwt"
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", program+".py"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, program+".py"), string(text))
	makeSecret(t, folder)
	app := runApp(t, folder, program)
	config := filepath.Join(folder, "doorward.yaml")
	writeFile(t, config, "upstream: http://127.0.0.1:5000\naccounts.registration: open\n"+
		`upstream.token: {header: Authorization, secret_file: app-secret, claims: {token_type: access, user_id: "{external_id:number}"}}`)
	s := serveBefore(t, folder, config, app)
	command(t, 0, "", "user", "import", "--data", s.dir, "--from", "sqlite:"+filepath.Join(folder, "db.sqlite3"), "--table", "auth_user",
		"--hash-col", "password", "--active-col", "is_active", "--external-id-col", "id")
	for name, want := range map[string]string{"olga": `{"id":1,"username":"olga"}`, "dana": `{"id":2,"username":"dana"}`} {
		token := must(t, 200, "POST", s.url+"/login", "", credentials(name, name+"'s old password")).member("access_token")
		if got := must(t, 200, "GET", s.url+"/whoami", token, ""); got.body != want {
			t.Errorf("to the API %s is %s, want %s", name, got.body, want)
		}
		if direct := must(t, 401, "GET", "http://"+app+"/whoami", token, ""); !strings.Contains(direct.body, "token_not_valid") {
			t.Errorf("the API is sent Doorward's own token: %s", direct.body)
		}
		must(t, 204, "POST", s.url+"/logout", token, "")
		must(t, 401, "GET", s.url+"/whoami", token, "")
	}
	must(t, 401, "POST", s.url+"/api/token/", "", credentials("olga", "olga's old password")) // the API's own login is closed

	// Whoever takes the number of a user for their name is nobody to the API, until an operator says who they are.
	must(t, 201, "POST", s.url+"/register", "", credentials("1", "four unrelated words"))
	token := must(t, 200, "POST", s.url+"/login", "", credentials("1", "four unrelated words")).member("access_token")
	if got := must(t, 403, "GET", s.url+"/whoami", token, ""); got.member("error") != "unknown_user" {
		t.Errorf("somebody who calls themselves 1: %s", got.body)
	}
	command(t, 3, "", "user", "set", "1", "--external-id", "2", "--data", s.dir)
	command(t, 0, "", "user", "delete", "dana", "--yes", "--data", s.dir)
	command(t, 0, "", "user", "set", "1", "--external-id", "2", "--now", "--data", s.dir)
	token = must(t, 200, "POST", s.url+"/login", "", credentials("1", "four unrelated words")).member("access_token")
	if got := must(t, 200, "GET", s.url+"/whoami", token, ""); got.member("username") != "dana" {
		t.Errorf("the new owner of an external ID is %s", got.body)
	}
}

// flaskFolder copies the example to a folder of its own and makes the secret.
func flaskFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	files, err := filepath.Glob("../../examples/flask-behind/*")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, filepath.Base(file)), string(text))
	}
	makeSecret(t, folder)
	return folder
}

// makeSecret makes what an app and Doorward share, as examples/flask-behind says.
func makeSecret(t *testing.T, folder string) {
	t.Helper()
	secret := exec.CommandContext(t.Context(), "sh", "-c", "umask 077; head -c 24 /dev/urandom | base64 > app-secret")
	secret.Dir = folder
	if out, err := secret.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// runApp runs the Python program of this name until the test ends, and returns its address.
func runApp(t *testing.T, folder, name string) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	app := exec.CommandContext(ctx, debianPython, name+".py")
	app.Dir, app.Env = folder, append(os.Environ(), "PORT="+port)
	app.Stderr = io.Discard
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = app.Wait() // It was killed.
	})
	ready := func() bool {
		res, err := http.Get("http://" + address + "/")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	}
	for range 10 { // Python starts slowly on a busy machine.
		if eventually(ready) == nil {
			return address
		}
	}
	t.Fatalf("%s.py does not answer at %s", name, address)
	return ""
}

// serveBefore serves with a configuration that names 127.0.0.1:5000, before the app at another address.
func serveBefore(t *testing.T, folder, config, app string) *process {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, config, strings.ReplaceAll(string(text), "127.0.0.1:5000", app))
	s, err := startServerIn(folder, filepath.Join(folder, "doorward-data"), nil, "--config", config, "--issuer", "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
