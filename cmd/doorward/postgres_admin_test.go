package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// On a database the admin API does what it does on a file, but for backups; the URL with the password is nowhere.
func TestPostgresAdmin(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "doorward.yaml")
	configure := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("admin: {export_hashes: false}\n")
	ns := startNodes(t, 1, "--config", config)
	url := ns.all[0].url + "/admin/v1"
	login := must(t, 200, "POST", ns.all[0].url+"/login", "", credentials("admin", ns.password(t)))
	changed := must(t, 200, "POST", ns.all[0].url+"/password", login.member("access_token"),
		`{"current":"`+ns.password(t)+`","new":"an admin of many quiet words"}`)
	token := changed.member("access_token")

	settings := must(t, 200, "GET", url+"/config", token, "")
	if !strings.Contains(settings.body, `{"key":"database","value":"redacted","origin":"DOORWARD_DATABASE",`) || strings.Contains(settings.body, "hunter2") {
		t.Errorf("%s", settings.body)
	}
	if got := must(t, 200, "GET", url+"/config/check", token, ""); !strings.Contains(got.body, `"good":true`) {
		t.Errorf("%s", got.body)
	}
	for _, call := range []string{"GET /backups", "POST /backups", "DELETE /backups/x"} {
		method, path, _ := strings.Cut(call, " ")
		if got := must(t, 409, method, url+path, token, ""); got.member("error") != "no_backups" || !strings.Contains(got.body, "pg_dump") {
			t.Errorf("%s: %s", call, got.body)
		}
	}
	must(t, 201, "POST", url+"/users", token, `{"username":"bob"}`)
	issued := must(t, 201, "POST", url+"/tokens", token, `{"username":"bob","expires_in":7200}`)
	must(t, 200, "GET", ns.all[0].url+"/me", issued.member("access_token"), "")
	if got := must(t, 200, "POST", url+"/tokens/inspect", token, `{"token":"`+issued.member("access_token")+`"}`); !strings.Contains(got.body, `"verified":true`) {
		t.Errorf("%s", got.body)
	}
	must(t, 403, "POST", url+"/tokens", token, `{"username":"admin"}`)
	if got := must(t, 403, "GET", url+"/users/export", token, ""); got.member("error") != "export_off" {
		t.Errorf("%s", got.body)
	}
	configure("admin: {export_hashes: true}\n")
	if err := ns.all[0].cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	var exported answer
	err := eventually(func() bool {
		got, err := call("GET", url+"/users/export", token, "")
		exported = got
		return err == nil && got.status == 200
	})
	if err != nil || !strings.HasSuffix(exported.body, "{\"type\":\"end\",\"users\":2}\n") || strings.Count(exported.body, "$argon2id$") != 2 {
		t.Errorf("%v: %s", err, exported.body)
	}
	if strings.Contains(ns.all[0].logs.text(), issued.member("access_token")) || strings.Contains(ns.all[0].logs.text(), "hunter2") {
		t.Error("the log holds a secret")
	}
}
