package gate_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
)

// withID is a user of the upstream.
func withID(id any) issuer.Subject {
	return issuer.Subject{Active: true, Name: "somebody", Claims: map[string]any{"external_id": id}}
}

// numbered is an issuer whose users are those of an upstream that numbers them, and an upstream's token for them.
func numbered(t *testing.T, claims map[string]any) (*world, gate.Config) {
	w := newWorld(t, func(c *issuer.Config) {
		c.Subjects = people{
			"u_17": withID("17"), "u_0": withID("0"), "u_most": withID("9007199254740991"), "u_more": withID("9007199254740992"),
			"u_padded": withID("017"), "u_less": withID("-1"), "u_plus": withID("+1"), "u_half": withID("1.5"), "u_exp": withID("1e3"), "u_huge": withID(strings.Repeat("9", 128)),
			"u_word": withID("auth0|5f\"%"), "u_none": {Active: true, Name: "17"}, "u_odd": withID(17),
		}
	})
	return w, gate.Config{
		Audience: apiName,
		Token:    &gate.Dialect{Header: "X-Token", Secret: []byte("abcdefghijklmnopqrstuvwxyz012345"), Claims: claims},
		Routes:   []gate.Route{{Path: "/open", Access: gate.AccessPublic}, {Path: "/maybe", Access: gate.AccessOptional}},
	}
}

// TestExternalID compares what an upstream that numbers its users is told with what their tokens say.
func TestExternalID(t *testing.T) {
	t.Parallel()
	w, cfg := numbered(t, map[string]any{"id": "{external_id}"})
	text := w.guard(cfg)
	cfg.Token = &gate.Dialect{Header: "X-Token", Secret: cfg.Token.Secret, Claims: map[string]any{"id": "{external_id:number}"}}
	number := w.guard(cfg)
	for _, test := range []struct {
		user, text, number string // claims of the token, "" if the request is refused
		header             string
	}{
		{"u_17", `"17"`, `17`, "17"},
		{"u_0", `"0"`, `0`, "0"},
		{"u_most", `"9007199254740991"`, `9007199254740991`, "9007199254740991"},
		{"u_more", `"9007199254740992"`, "", "9007199254740992"},
		{"u_padded", `"017"`, "", "017"},
		{"u_less", `"-1"`, "", "-1"},
		{"u_plus", `"+1"`, "", "+1"},
		{"u_half", `"1.5"`, "", "1.5"},
		{"u_exp", `"1e3"`, "", "1e3"},
		{"u_huge", `"` + strings.Repeat("9", 128) + `"`, "", strings.Repeat("9", 128)},
		{"u_word", `"auth0|5f\"%"`, "", `auth0|5f"%25`},
		{"u_none", "", "", ""},
	} {
		claims := text.Decide(ask(t, "GET", "/x", bearer(w.token(test.user))...)).Claims
		for g, want := range map[*gate.Guard]string{text: test.text, number: test.number} {
			h := http.Header{}
			err := g.SetIdentity(h, claims)
			if want == "" {
				if !errors.Is(err, gate.ErrExternalID) || len(h) != 0 {
					t.Errorf("%s: %v, want ErrExternalID; the upstream is told %v", test.user, err, h)
				}
				continue
			}
			must(t, err)
			if got := memberOf(t, h.Get("X-Token"), "id"); got != want || h.Get("Doorward-External-Id") != test.header {
				t.Errorf("%s: the token has %s and the header %q, want %s and %q", test.user, got, h.Get("Doorward-External-Id"), want, test.header)
			}
			if got := memberOf(t, h.Get("Doorward-Assertion"), "external_id"); got != test.text {
				t.Errorf("%s: the assertion has %s, want %s", test.user, got, test.text)
			}
		}
	}
	odd := text.Decide(ask(t, "GET", "/x", bearer(w.token("u_odd"))...)).Claims
	if err := text.SetIdentity(http.Header{}, odd); err == nil || errors.Is(err, gate.ErrExternalID) {
		t.Errorf("an external ID that is no text: %v, want another error", err)
	}
	nobody := w.guard(gate.Config{}).Decide(ask(t, "GET", "/x", bearer(w.token("u_none"))...)).Claims
	h := http.Header{}
	must(t, w.guard(gate.Config{}).SetIdentity(h, nobody))
	if _, told := h["Doorward-External-Id"]; told {
		t.Errorf("of a user without an external ID is told %v", h)
	}
}

// memberOf returns a member of the claims of a token, as JSON.
func memberOf(t *testing.T, token, name string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var members map[string]json.RawMessage
	must(t, json.Unmarshal(payload, &members))
	return string(members[name])
}

// TestDialectForms writes tokens in the forms of several APIs.
func TestDialectForms(t *testing.T) {
	t.Parallel()
	w, cfg := numbered(t, nil)
	nested := map[string]any{"user": map[string]any{"id": "{external_id:number}", "kind": "person", "session": "{nobody"}}
	for _, test := range []struct {
		header, scheme string
		prefix         string
	}{
		{"Authorization", "", "Bearer "},
		{"Authorization", "Token", "Token "},
		{"Authorization", gate.NoScheme, ""},
		{"X-Token", "", ""},
		{"X-Token", "JWT", "JWT "},
		{"X-Token", gate.NoScheme, ""},
	} {
		cfg.Token = &gate.Dialect{Header: test.header, Scheme: test.scheme, Secret: cfg.Token.Secret, Claims: nested}
		g, h := w.guard(cfg), http.Header{}
		must(t, g.SetIdentity(h, g.Decide(ask(t, "GET", "/x", bearer(w.token("u_17"))...)).Claims))
		token, ok := strings.CutPrefix(h.Get(test.header), test.prefix)
		if got := memberOf(t, token, "user"); !ok || strings.Contains(token, " ") || got != `{"id":17,"kind":"person","session":"{nobody"}` {
			t.Errorf("%s of %q: %q with %s", test.header, test.scheme, h.Get(test.header), got)
		}
		if err := g.SetIdentity(http.Header{}, g.Decide(ask(t, "GET", "/x", bearer(w.token("u_none"))...)).Claims); !errors.Is(err, gate.ErrExternalID) {
			t.Errorf("nobody that the API knows: %v, want ErrExternalID", err)
		}
	}
}

// TestExternalIDRefused sends a user whom the upstream does not know to it, and to forward-auth.
func TestExternalIDRefused(t *testing.T) {
	t.Parallel()
	w, cfg := numbered(t, map[string]any{"id": "{external_id}"})
	var asked atomic.Int64
	f := newFront(w, cfg, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/open" {
			asked.Add(1)
		}
	}))
	for path, want := range map[string]int{"/x": 403, "/maybe": 403, "/open": 200} {
		res, body := f.call("GET", path, nil, bearer(w.token("u_none"))...)
		if res.StatusCode != want || want == 403 && (!strings.Contains(body, `"error":"unknown_user"`) || res.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the upstream was asked %d times by a user that it does not know", asked.Load())
	}
	if got := f.logs.String(); !strings.Contains(got, "u_none") || !strings.Contains(got, gate.ErrExternalID.Error()) {
		t.Errorf("the log says %s", got)
	}
	if res, body := f.call("GET", "/maybe", nil); res.StatusCode != 200 {
		t.Errorf("nobody on an address for everybody: %d %s", res.StatusCode, body)
	}
	g, answer := w.guard(cfg), http.Header{}
	r := ask(t, "GET", "/x", bearer(w.token("u_none"))...)
	v := g.Decide(r)
	if refused := g.Tell(answer, &v, r); refused == nil || refused.Status != 403 || !errors.Is(refused.Err, gate.ErrExternalID) || len(answer) != 0 {
		t.Errorf("forward-auth: %+v %v", refused, answer)
	}
}
