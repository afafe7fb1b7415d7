package server_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// apiKeyOf makes an API key of a user or a client.
func (w *world) apiKeyOf(owner string, root with) answer {
	w.t.Helper()
	return w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": owner, "name": "report"}, root).want(w.t, 201, "")
}

// tokenOf exchanges the key of an answer.
func (w *world) tokenOf(made answer) with {
	w.t.Helper()
	set, err := w.keys.Exchange(w.t.Context(), w.issuer, made.text("key"), account.KeyRequest{})
	must(w.t, err)
	w.secret(set.AccessToken)
	return bearer(set.AccessToken)
}

// clientNamed adds a client with the scope a.
func (w *world) clientNamed(name string, root with) string {
	w.t.Helper()
	c := w.do("POST", "/admin/v1/clients", map[string]any{"name": name, "scope": "a", "audiences": []string{issuerURL}}, root).want(w.t, 201, "")
	w.secret(c.text("client_secret"))
	return c.text("client_id")
}

// An admin makes a key of somebody else's, which is shown once, and finds it again.
func TestAdminAPIKey(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	w.do("POST", "/admin/v1/roles", map[string]any{"name": "editor", "scope": "a b"}, root).want(t, 201, "")
	w.do("PATCH", "/admin/v1/users/"+w.bob, map[string]any{"roles": []string{"editor"}}, root, ifMatch("*")).want(t, 200, "")
	body := map[string]any{"owner": w.bob, "name": "report", "scope": "a", "audiences": []string{issuerURL}, "expires_in": 60}
	made := w.do("POST", "/admin/v1/api-keys", body, root).want(t, 201, "")
	at := made.header.Get("Location")
	if got, err := account.ParseAPIKey(made.text("key")); err != nil || at != "/admin/v1/api-keys/"+got || made.text("id") != got ||
		made.text("owner") != w.bob || made.text("scope") != "a" {
		t.Errorf("%v: %s at %q", err, made.body, at)
	}
	if left := time.Until(timeOf(t, made, "expires_at")); left > time.Minute || left < time.Second {
		t.Errorf("expires in %v", left)
	}
	me := w.do("GET", "/me", nil, bearer(made.text("key"))).want(t, 200, "")
	if me.text("subject") != w.bob || me.text("client_id") != made.text("id") || me.text("scope") != "a" {
		t.Errorf("/me: %s", me.body)
	}
	must(t, w.store.UseAPIKey(t.Context(), made.text("id")))
	seen := w.do("GET", at, nil, root).want(t, 200, "")
	if used := timeOf(t, seen, "last_used"); used.Before(timeOf(t, seen, "created_at")) || !used.Equal(used.Truncate(time.Hour)) && !used.Equal(timeOf(t, seen, "created_at")) {
		t.Errorf("last used %v, want it to the hour, and not before %s", used, seen.text("created_at"))
	}
	if strings.Contains(string(seen.body), `"key"`) || seen.text("owner") != w.bob || seen.text("name") != "report" || seen.object["everything"] != false {
		t.Errorf("seen: %s", seen.body)
	}
	usual := w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": w.clientNamed("orders", root), "name": "k", "everything": true}, root).want(t, 201, "")
	if left := time.Until(timeOf(t, usual, "expires_at")); left > account.APIKeyLifetime || left < account.APIKeyLifetime-time.Hour || usual.object["everything"] != true {
		t.Errorf("%s expires in %v", usual.body, left)
	}
	longest := w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": w.bob, "name": "k", "expires_in": 31622400}, root).want(t, 201, "")

	for query, want := range map[string][]string{
		"":                              {made.text("id"), usual.text("id"), longest.text("id")},
		"?owner=" + w.bob:               {made.text("id"), longest.text("id")},
		"?owner=" + usual.text("owner"): {usual.text("id")},
		"?owner=u_nobody":               nil,
		"?owner=" + w.bob + "&cursor=" + cursorAt(max(made.text("id"), longest.text("id"))): nil,
		"?owner=" + w.bob + "&cursor=" + cursorAt(min(made.text("id"), longest.text("id"))): {max(made.text("id"), longest.text("id"))},
	} {
		slices.Sort(want)
		if got := w.keyIDs(query, root); !slices.Equal(got, want) {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"owner=", "owner=a%20b", "user=" + w.bob, "cursor=" + cursorAt("x"), "cursor=" + cursorAt(w.bob)} {
		w.do("GET", "/admin/v1/api-keys?"+query, nil, root).want(t, 400, "invalid_request")
	}
	w.wantKeyRecord(audit.Query{Actor: id, Subject: w.bob, Kinds: []issuer.EventKind{account.EventAPIKeyAdd}}, made.text("id")+" a", longest.text("id"))
}

// A key has the bounds that it has everywhere, and never expires only at the command line.
func TestAdminAPIKeyBounds(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	orders := w.clientNamed("orders", root)
	for _, c := range []struct {
		change map[string]any
		status int
		code   string
	}{
		{map[string]any{"owner": ""}, 400, "invalid_request"},
		{map[string]any{"owner": "bob smith"}, 400, "invalid_request"},
		{map[string]any{"owner": "bob"}, 400, "invalid_request"}, // A name is no id.
		{map[string]any{"owner": "dwc_nobody"}, 404, "not_found"},
		{map[string]any{"name": ""}, 400, "invalid_name"},
		{map[string]any{"name": " k"}, 400, "invalid_name"},
		{map[string]any{"name": strings.Repeat("k", 65)}, 400, "invalid_name"},
		{map[string]any{"scope": "a b"}, 400, "invalid_scope"}, // The caller may, the owner does not have it.
		{map[string]any{"scope": "admin"}, 400, "invalid_scope"},
		{map[string]any{"scope": " "}, 400, "invalid_scope"},
		{map[string]any{"scope": "a", "everything": true}, 400, "invalid_request"},
		{map[string]any{"audiences": []string{"a b"}}, 400, "invalid_request"},
		{map[string]any{"audiences": []string{otherName}}, 400, "invalid_target"}, // The issuer has it, the owner does not.
		{map[string]any{"expires_in": 0}, 400, "invalid_request"},
		{map[string]any{"expires_in": 59}, 400, "invalid_request"},
		{map[string]any{"expires_in": -60}, 400, "invalid_request"},
		{map[string]any{"expires_in": 31622401}, 400, "invalid_request"},
		{map[string]any{"expires_in": int64(1 << 62)}, 400, "invalid_request"},
		{map[string]any{"expires_in": int64(18446744073710)}, 400, "invalid_request"}, // 0.4 s in nanoseconds that overflow
		{map[string]any{"expires_in": "never"}, 400, "invalid_request"},
		{map[string]any{"expires_in": nil}, 400, "invalid_request"},
	} {
		body := map[string]any{"owner": orders, "name": "k"}
		for member, value := range c.change {
			body[member] = value
		}
		if a := w.do("POST", "/admin/v1/api-keys", body, root); a.status != c.status || a.text("error") != c.code {
			t.Errorf("%v: %d %s, want %d %s", c.change, a.status, a.body, c.status, c.code)
		}
	}
	w.do("POST", "/admin/v1/api-keys?owner=x", map[string]any{"owner": orders, "name": "k"}, root).want(t, 400, "invalid_request")
	if got := w.keyIDs("", root); got != nil {
		t.Fatalf("what was refused made %q", got)
	}
	for range account.MaxAPIKeys {
		_, _, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: orders, Name: "k"}, issuer.Event{})
		must(t, err)
	}
	w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": orders, "name": "k"}, root).want(t, 409, "conflict")
}

// What ends a key ends the tokens made from it, here at once, and nothing beside it.
func TestAdminAPIKeyEnds(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	orders, billing := w.clientNamed("orders", root), w.clientNamed("billing", root)
	owners := []string{w.bob, w.bob, w.bob, w.alice, orders, orders, billing}
	var made []answer
	var tokens []with
	for _, owner := range owners {
		made = append(made, w.apiKeyOf(owner, root))
		tokens = append(tokens, w.tokenOf(made[len(made)-1]))
	}
	login := bearer(w.session(w.bob, issuer.LoginRequest{}).AccessToken)
	ended := map[int]bool{}
	for _, step := range []struct {
		path string
		ends []int
	}{
		{"/api-keys/" + made[0].text("id"), []int{0}},
		{"/api-keys/" + made[0].text("id"), nil}, // It may be done again.
		{"/users/" + w.bob + "/api-keys", []int{1, 2}},
		{"/users/" + w.bob + "/api-keys", nil},
		{"/clients/" + orders + "/api-keys", []int{4, 5}},
	} {
		w.do("DELETE", "/admin/v1"+step.path, nil, root, ifMatch("*")).want(t, 400, "invalid_request")
		w.do("DELETE", "/admin/v1"+step.path+"?all=true", nil, root).want(t, 400, "invalid_request")
		w.do("DELETE", "/admin/v1"+step.path, nil, root).want(t, 204, "")
		for _, i := range step.ends {
			ended[i] = true
		}
		for i, token := range tokens {
			want := map[bool]int{false: 200, true: 401}[ended[i]]
			if a := w.do("GET", "/me", nil, token); a.status != want {
				t.Errorf("after %s: the token of key %d: %d %s, want %d", step.path, i, a.status, a.body, want)
			}
			shown := w.do("GET", "/admin/v1/api-keys/"+made[i].text("id"), nil, root).want(t, 200, "")
			if (shown.object["revoked_at"] != nil) != ended[i] {
				t.Errorf("after %s: key %d is %s", step.path, i, shown.body)
			}
		}
	}
	w.do("GET", "/me", nil, bearer(made[0].text("key"))).want(t, 401, "invalid_token")
	w.do("GET", "/me", nil, login).want(t, 200, "")
	for _, path := range []string{
		"/api-keys/dwk_aaaaaaaaaaaaaaaa", "/api-keys/" + made[3].text("key"), "/api-keys/" + w.alice, "/users/" + billing + "/api-keys", "/clients/" + w.alice + "/api-keys",
	} {
		w.do("DELETE", "/admin/v1"+path, nil, root).want(t, 404, "not_found")
	}
	revoked := audit.Query{Actor: id, Subject: w.bob, Kinds: []issuer.EventKind{account.EventAPIKeyRevoke}}
	w.wantKeyRecord(revoked, made[0].text("id"), made[1].text("id"), made[2].text("id"))
}

// wantKeyRecord wants these reasons on record, in any order, from this machine and in a request that was logged.
func (w *world) wantKeyRecord(q audit.Query, want ...string) {
	w.t.Helper()
	records, err := w.store.SearchAudit(w.t.Context(), q)
	must(w.t, err)
	var got []string
	for _, r := range records {
		got = append(got, r.Reason)
		if r.Address != "127.0.0.1" || len(w.logs.about(r.RequestID)) == 0 {
			w.t.Errorf("recorded %+v", r)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("recorded %q, want %q", got, want)
	}
}

// keyIDs are the keys that a list shows, in its order.
func (w *world) keyIDs(query string, root with) (ids []string) {
	w.t.Helper()
	list, _ := w.do("GET", "/admin/v1/api-keys"+query, nil, root).want(w.t, 200, "").object["api_keys"].([]any)
	for _, entry := range list {
		ids = append(ids, entry.(map[string]any)["id"].(string))
	}
	return ids
}

func cursorAt(position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("api-keys " + position))
}

func timeOf(t *testing.T, a answer, name string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, a.text(name))
	must(t, err)
	return at
}
