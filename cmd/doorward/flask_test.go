package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const fromFlask = "../../docs/from-flask-jwt-extended.md"

// What docs/from-flask-jwt-extended.md tells people to write is written, and what it tells them to type is typed.
func TestFromFlaskJWTExtended(t *testing.T) {
	t.Parallel()
	needPython(t, "flask, jwt, cryptography")
	folder := t.TempDir()
	config := filepath.Join(folder, "doorward.yaml")
	if err := os.WriteFile(config, []byte(block(t, fromFlask, "yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startServerIn(folder, "doorward-data", nil, "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	server, app := strings.TrimPrefix(s.url, "http://"), freePort(t)
	writeSamples(t, folder, server)
	rest := typeSamples(t, folder, server, app)
	for _, want := range []string{
		`{"logged_in_as":"alice"}`, `"a token is required"`, "alice\n",
		`{"hello":"stranger"}`, `{"hello":"alice"}`, `{"cleared_by":"u_`,
		"fine", `"missing_token"`, `{"read_by":"alice"}`, "preflight: 200",
		`{"name":"alice","orders":1}`, `{"lines":[]}`, `{"msg":"token not valid"}`,
		"204", "session ended",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			log, _ := os.ReadFile(filepath.Join(folder, "app.log"))
			t.Fatalf("%q does not come in the rest of the output:\n%s\n%s", want, rest, log)
		}
		rest = after
	}
}

// writeSamples writes each Python block into the file that its first line names.
func writeSamples(t *testing.T, folder, server string) {
	t.Helper()
	page, err := os.ReadFile(fromFlask)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, found := range regexp.MustCompile("(?ms)^```python\n# (app|check)\\.py\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		files[found[1]+".py"] += strings.ReplaceAll(found[2], "127.0.0.1:8080", server)
	}
	if len(files) != 2 || strings.Count(string(page), "```python\n") != strings.Count(string(page), "```python\n# ") {
		t.Fatalf("%d files, and a block may belong to none", len(files))
	}
	verifier, err := os.ReadFile("../../clients/python/doorward.py")
	if err != nil {
		t.Fatal(err)
	}
	files["doorward.py"] = string(verifier)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// typeSamples types the shell blocks in one shell, which takes what it has started with it.
func typeSamples(t *testing.T, folder, server, app string) string {
	t.Helper()
	page, err := os.ReadFile(fromFlask)
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\ndoorward() { '%s' \"$@\"; }\n", binary)
	for _, found := range shellBlock.FindAllStringSubmatch(string(page), -1) {
		script += found[1]
	}
	script = strings.NewReplacer("127.0.0.1:8080", server, "127.0.0.1:5000", "127.0.0.1:"+app, "--port 5000", "--port "+app).Replace(script)
	bash := exec.CommandContext(t.Context(), "bash", "-c", script)
	bash.Dir = folder
	bash.Env = append(clean(os.Environ()), "PATH="+filepath.Dir(debianPython)+":"+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1")
	out, err := bash.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(folder, "app.log"))
		t.Fatalf("%v\n%s\n%s", err, out, log)
	}
	return string(out)
}

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err == nil {
		err = ln.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The page names all that Flask-JWT-Extended 4 has.
func TestFromFlaskJWTExtendedIsComplete(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(fromFlask)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(`
		JWTManager init_app add_context_processor jwt_required verify_jwt_in_request create_access_token create_refresh_token decode_token
		get_jwt get_jwt_header get_jwt_identity get_jwt_request_location get_current_user current_user get_jti get_csrf_token
		get_unverified_jwt_headers set_access_cookies set_refresh_cookies unset_access_cookies unset_refresh_cookies unset_jwt_cookies
		optional fresh refresh locations verify_type skip_revocation_check
		additional_claims_loader additional_headers_loader encode_key_loader decode_key_loader user_identity_loader user_lookup_loader
		token_in_blocklist_loader token_verification_loader expired_token_loader invalid_token_loader unauthorized_loader
		needs_fresh_token_loader revoked_token_loader token_verification_failed_loader user_lookup_error_loader
		JWT_ACCESS_COOKIE_NAME JWT_ACCESS_COOKIE_PATH JWT_ACCESS_CSRF_COOKIE_NAME JWT_ACCESS_CSRF_COOKIE_PATH
		JWT_ACCESS_CSRF_FIELD_NAME JWT_ACCESS_CSRF_HEADER_NAME JWT_ACCESS_TOKEN_EXPIRES JWT_ALGORITHM JWT_COOKIE_CSRF_PROTECT
		JWT_COOKIE_DOMAIN JWT_COOKIE_SAMESITE JWT_COOKIE_SECURE JWT_CSRF_CHECK_FORM JWT_CSRF_IN_COOKIES JWT_CSRF_METHODS
		JWT_DECODE_ALGORITHMS JWT_DECODE_AUDIENCE JWT_DECODE_ISSUER JWT_DECODE_LEEWAY JWT_ENCODE_AUDIENCE JWT_ENCODE_ISSUER
		JWT_ENCODE_NBF JWT_ERROR_MESSAGE_KEY JWT_HEADER_NAME JWT_HEADER_TYPE JWT_IDENTITY_CLAIM JWT_JSON_KEY JWT_PRIVATE_KEY
		JWT_PUBLIC_KEY JWT_QUERY_STRING_NAME JWT_QUERY_STRING_VALUE_PREFIX JWT_REFRESH_COOKIE_NAME JWT_REFRESH_COOKIE_PATH
		JWT_REFRESH_CSRF_COOKIE_NAME JWT_REFRESH_CSRF_COOKIE_PATH JWT_REFRESH_CSRF_FIELD_NAME JWT_REFRESH_CSRF_HEADER_NAME
		JWT_REFRESH_JSON_KEY JWT_REFRESH_TOKEN_EXPIRES JWT_SECRET_KEY JWT_SESSION_COOKIE JWT_TOKEN_LOCATION JWT_VERIFY_SUB`) {
		if !regexp.MustCompile("`[^`]*\\b" + name + "\\b[^`]*`").Match(page) {
			t.Errorf("the page does not name %s", name)
		}
	}
}
