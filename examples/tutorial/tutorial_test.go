package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call sends one request over net/http and returns the status and the outcome's text.
func call(t *testing.T, url, request, body string, headers ...string) response {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := response{Status: resp.StatusCode, Body: string(text)}
	for name, values := range resp.Header {
		for _, value := range values {
			got.Headers = append(got.Headers, [2]string{name, value})
		}
	}
	return got
}

// logIn returns an access token.
func logIn(t *testing.T, a *app, name, password string) string {
	t.Helper()
	p := &replayer{vars: map[string]string{}, last: map[string]string{}}
	got := call(t, a.url, "POST /login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password))
	p.capture(got, map[string]string{"token": a.dialect.token})
	if p.vars["token"] == "" {
		t.Fatalf("login: %d %s", got.Status, got.Body)
	}
	return p.vars["token"]
}

// wantOutcome compares an answer in the form of the table of differences.
func wantOutcome(t *testing.T, got response, origin, want string) {
	t.Helper()
	r := request{}
	if origin != "" {
		r.Headers = [][2]string{{"Origin", origin}}
	}
	if is := outcomeOf(r, got).String(); is != want {
		t.Errorf("got %s, want %s", is, want)
	}
}

// TestNamedOrigin asks what scripts of the origin may do that -origin names, and of its neighbours.
func TestNamedOrigin(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example"
	a := startApp(t, config{dialect: second, origin: origin})
	token := logIn(t, a, "user1", "password123")
	t.Run("Behaviour_B50 preflight without a token", func(t *testing.T) {
		got := call(t, a.url, "OPTIONS /protected", "", "Origin", origin,
			"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "x-access-token")
		wantOutcome(t, got, origin, `204, CORS for https://app.example methods GET headers x-access-token`)
	})
	t.Run("call", func(t *testing.T) {
		got := call(t, a.url, "GET /protected", "", "Origin", origin, "x-access-token", token)
		wantOutcome(t, got, origin, secret2+`, CORS for https://app.example`)
	})
	t.Run("Behaviour_B53 refusal can be read", func(t *testing.T) {
		got := call(t, a.url, "GET /protected", "", "Origin", origin)
		wantOutcome(t, got, origin, `401, "Token is missing!", Bearer, CORS for https://app.example`)
		got = call(t, a.url, "GET /nope", "", "Origin", origin)
		wantOutcome(t, got, origin, `404, "Not found", CORS for https://app.example`)
	})
	t.Run("Behaviour_B54 another method", func(t *testing.T) {
		for _, method := range []string{"DELETE", "ET", "get", ", "} {
			got := call(t, a.url, "OPTIONS /protected", "", "Origin", origin, "Access-Control-Request-Method", method)
			wantOutcome(t, got, origin, `204, no CORS`)
		}
	})
	for _, other := range []string{
		"https://app.example.evil.com", "https://app.example:444", "https://appXexample", "http://app.example",
		"https://app.example/", "null", "https://evil.app.example",
	} {
		t.Run("Behaviour_B47 "+other, func(t *testing.T) {
			got := call(t, a.url, "GET /protected", "", "Origin", other, "x-access-token", token)
			wantOutcome(t, got, other, secret2+`, no CORS`)
			if vary := strings.Join(headerValues(got, "Vary"), ", "); !strings.Contains(vary, "Origin") {
				t.Errorf("Vary %q", vary)
			}
		})
	}
}

func headerValues(got response, name string) (values []string) {
	for _, h := range got.Headers {
		if h[0] == name {
			values = append(values, h[1])
		}
	}
	return values
}

// TestOtherSite sends the requests that a page of another site can make a browser send.
func TestOtherSite(t *testing.T) {
	t.Parallel()
	a := startApp(t, config{dialect: first, locations: true})
	login := call(t, a.url, "POST /login_cookie", `{"username":"test","password":"test"}`)
	jar := accessCookie + "=" + cookieValue(login, accessCookie) + "; __Host-dw_refresh=" + cookieValue(login, "__Host-dw_refresh")
	const refused = `403, "A page of another site sent this request"`
	for _, request := range []string{"POST /protected", "POST /refresh", "POST /logout_cookie"} {
		t.Run(request, func(t *testing.T) {
			wantOutcome(t, call(t, a.url, request, "", "Cookie", jar, "Sec-Fetch-Site", "cross-site"), "", refused)
			wantOutcome(t, call(t, a.url, request, "", "Cookie", jar, "Origin", "https://evil.example"), "", refused)
		})
	}
	wantOutcome(t, call(t, a.url, "POST /protected", "", "Cookie", jar, "Sec-Fetch-Site", "same-origin"), "", secret)
}

// TestRefreshPlaces sends the refresh token in the places where it may be.
func TestRefreshPlaces(t *testing.T) {
	t.Parallel()
	a := startApp(t, config{dialect: second})
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	login := call(t, a.url, "POST /login", `{"username":"user1","password":"password123"}`)
	if err := json.Unmarshal([]byte(login.Body), &tokens); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"refresh_token":%q}`, tokens.Refresh)
	const refreshed = `200, refresh_token + token`
	wantOutcome(t, call(t, a.url, "POST /refresh", body), "", refreshed)
	wantOutcome(t, call(t, a.url, "POST /refresh", "", "x-access-token", tokens.Refresh), "", refreshed)
	wantOutcome(t, call(t, a.url, "POST /refresh", "", "Authorization", "Bearer "+tokens.Refresh), "", refreshed)
	wantOutcome(t, call(t, a.url, "POST /refresh", body, "Authorization", "Bearer "+tokens.Refresh), "", twoTokens)
	wantOutcome(t, call(t, a.url, "DELETE /logout", body, "Authorization", "Bearer "+tokens.Refresh), "", twoTokens)
	wantOutcome(t, call(t, a.url, "POST /refresh", ""), "", `401, "Token is missing!", Bearer`)
}

// TestFreshness shows the token of a login that is an hour old.
func TestFreshness(t *testing.T) {
	t.Parallel()
	a := startApp(t, config{dialect: first})
	f := newForge(t, a, "tokens_t000.json")
	f.now = time.Now().Unix()
	for age, want := range map[int64]string{
		60:   `200, foo=fresh`,
		3600: `401, "Fresh token required", Bearer insufficient_user_authentication`,
	} {
		claims := with(f.good(), member{"auth_time", fmt.Sprint(f.now - age)})
		token := f.sign(recipe{}, f.key, b64.EncodeToString([]byte(f.header(recipe{}, `"at+jwt"`, f.key)))+"."+b64.EncodeToString([]byte(object(claims))))
		wantOutcome(t, call(t, a.url, "GET /fresh", "", "Authorization", "Bearer "+token), "", want)
	}
}

// TestBehaviour_B57 guesses passwords for a name that exists and for one that does not.
func TestBehaviour_B57(t *testing.T) {
	t.Parallel()
	a := startApp(t, config{dialect: first})
	for _, name := range []string{"test", "nobody"} {
		body := fmt.Sprintf(`{"username":%q,"password":"guess"}`, name)
		for range throttleTries {
			wantOutcome(t, call(t, a.url, "POST /login", body), "", `401, "Bad username or password", Bearer`)
		}
		right := fmt.Sprintf(`{"username":%q,"password":"test"}`, name)
		got := call(t, a.url, "POST /login", right)
		wantOutcome(t, got, "", `429, "Too many tries; wait ten minutes"`)
		if after := headerValues(got, "Retry-After"); !cmp.Equal(after, []string{"600"}) {
			t.Errorf("Retry-After %q", after)
		}
	}
}

// TestClients runs the tutorials' Python clients.
func TestClients(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import requests").Run(); err != nil {
		t.Skip("Debian's python3-requests is not installed: the tutorials' clients were not run")
	}
	for _, tt := range []struct {
		script  string
		dialect dialect
		want    []string
	}{
		{"client_first.py", first, []string{
			"Missing Authorization Header", "This is a protected endpoint.", "admins only!", "test",
			"Access token successfully revoked", "401 Token has been revoked",
		}},
		{"client_second.py", second, []string{
			"Welcome to the Flask JWT API!", "Token is missing!", "This is a protected route!", "This is a protected route!",
			"Access token successfully revoked", "401 Token has been revoked!",
		}},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			a := startApp(t, config{dialect: tt.dialect})
			out, err := exec.CommandContext(t.Context(), python, tt.script, a.url).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(tt.want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRestart logs out, stops the program and starts it again on the same folder.
func TestRestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	url, stop := startProgram(t, "-as", "first", "-listen", "127.0.0.1:0", "-data", folder)
	a := &app{config: config{dialect: first, url: url}}
	token := logIn(t, a, "test", "test")
	bearer := []string{"Authorization", "Bearer " + token}
	wantOutcome(t, call(t, url, "GET /protected", "", bearer...), "", secret)
	wantOutcome(t, call(t, url, "DELETE /logout", "", bearer...), "", `200, "Access token successfully revoked"`)
	stop()
	// The same address, since it is the issuer's name in the tokens.
	url, _ = startProgram(t, "-as", "first", "-listen", strings.TrimPrefix(url, "http://"), "-data", folder)
	wantOutcome(t, call(t, url, "GET /protected", "", bearer...), "", revoked)
	logIn(t, a, "test", "test")
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown tutorial", []string{"-as", "third"}, `-as "third" is neither first nor second`},
		{"pattern as origin", []string{"-listen", "127.0.0.1:0", "-origin", "*"}, `-origin "*" must look like https://app.example, without a slash at its end`},
		{"origin with a slash", []string{"-listen", "127.0.0.1:0", "-origin", "https://app.example/"}, `-origin "https://app.example/" must look like https://app.example, without a slash at its end`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := run(t.Context(), tt.args, io.Discard); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// startProgram runs the program as main does, until the test ends or stop is called.
func startProgram(t *testing.T, args ...string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, write)
		write.CloseWithError(errors.Join(io.EOF, err))
		done <- err
	}()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ = strings.Cut(strings.TrimSpace(line), " listens on ")
	return url, stop
}
