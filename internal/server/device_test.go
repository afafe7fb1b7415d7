package server_test

import (
	"net/http"
	"testing"

	"github.com/doorward/doorward/internal/account"
)

const (
	deviceName   = "Doorward-Device"
	deviceCookie = "__Host-dw_device"
)

func (a answer) deviceCookie() *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == deviceCookie {
			return c
		}
	}
	return nil
}

// guess sends a wrong password.
func (w *world) guess(name string, changes ...with) answer {
	w.t.Helper()
	return w.do("POST", "/login", map[string]any{"username": name, "password": "wrong wrong wrong"}, changes...)
}

// While strangers guess, a device that its user has logged in on before gets in, by its secret alone.
func TestAttack_E07_DeviceHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	device := w.login("alice", aliceWord).text("device")
	known := header(deviceName, device)
	login := map[string]any{"username": "alice", "password": aliceWord}
	if a := w.do("POST", "/login", login, known).want(t, 200, ""); a.text("device") != "" {
		t.Errorf("a known device gets another secret: %s", a.text("device"))
	}
	if a := w.do("POST", "/login", map[string]any{"username": "bob", "password": bobWord}, known).want(t, 200, ""); a.text("device") == "" {
		t.Error("alice's device is known as one of bob")
	}
	for range account.TryLimit {
		w.guess("alice").want(t, 401, "invalid_credentials")
	}
	for name, change := range map[string]with{
		"none": func(*http.Request) {}, "never made": header(deviceName, "dwd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		"no secret": header(deviceName, "yes"), "empty": header(deviceName, ""),
		"twice": func(r *http.Request) { known(r); known(r) },
	} {
		if a := w.do("POST", "/login", login, change); a.status != 429 {
			t.Errorf("a device that is %s: %d, want 429", name, a.status)
		}
	}
	w.do("POST", "/login", login, known).want(t, 200, "")
	w.do("POST", "/login", login).want(t, 429, "too_many_requests") // Its success is no credit to strangers.
	// Its own budget ends too, and that of strangers is not touched by it.
	for range account.TryLimit {
		w.guess("alice", known).want(t, 401, "invalid_credentials")
	}
	w.do("POST", "/login", login, known).want(t, 429, "too_many_requests")
}

// In cookie mode the browser keeps the secret of the device, and each login lets it keep it for longer.
func TestAttack_E07_DeviceCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	login := map[string]any{"username": "alice", "password": aliceWord, "cookie": true}
	c := w.do("POST", "/login", login).want(t, 200, "").deviceCookie()
	if c == nil || c.MaxAge != 400*24*3600 {
		t.Fatalf("cookie %v", c)
	}
	w.secret(c.Value)
	checkCookie(t, c)
	for range account.TryLimit {
		w.guess("alice")
	}
	w.do("POST", "/login", login).want(t, 429, "too_many_requests")
	again := w.do("POST", "/login", login, header("Cookie", deviceCookie+"="+c.Value)).want(t, 200, "")
	if next := again.deviceCookie(); next == nil || next.Value != c.Value || again.text("device") != "" {
		t.Errorf("the cookie is not set again: %v", next)
	}
	// Two cookies of the name: one was planted.
	w.do("POST", "/login", login, header("Cookie", deviceCookie+"=x; "+deviceCookie+"="+c.Value)).want(t, 429, "too_many_requests")
}

// Who is logged in can change the password while strangers guess.
func TestAttack_E07_PasswordWhileGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	for range account.TryLimit + 1 {
		w.guess("alice")
	}
	w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(token)).want(t, 200, "")
}
