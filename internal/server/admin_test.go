package server_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// adminWorld is a world with an admin, root, and a token of theirs.
func adminWorld(t *testing.T, adjust ...func(*settings)) (w *world, root with, id string) {
	t.Helper()
	w = newWorld(t, append([]func(*settings){func(s *settings) { s.direct = true }}, adjust...)...)
	id = w.addUser("root", adminWord, "admin")
	return w, bearer(w.session(id, issuer.LoginRequest{}).AccessToken), id
}

func ifMatch(tag string) with { return header("If-Match", tag) }

// What an admin does with a user: adds, finds, edits, gives a new password and a link, deletes.
func TestAdminUser(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	a := w.do("POST", "/admin/v1/users", map[string]any{"username": "Carol", "email": "carol@Example.com", "roles": []string{"editor"}}, root).want(t, 201, "")
	w.secret(a.text("password"))
	at := a.header.Get("Location")
	if at != "/admin/v1/users/"+a.text("id") || a.text("password") == "" || a.text("email") != "carol@example.com" {
		t.Fatalf("created %s at %q", a.body, at)
	}
	w.login("carol", a.text("password"))
	got := w.do("GET", at, nil, root).want(t, 200, "")
	if got.header.Get("ETag") != a.header.Get("ETag") || strings.Contains(string(got.body), a.text("password")) {
		t.Errorf("read %s with %q, want %q and no password", got.body, got.header.Get("ETag"), a.header.Get("ETag"))
	}
	list := w.do("GET", "/admin/v1/users?username=CAROL", nil, root).want(t, 200, "")
	if users, _ := list.object["users"].([]any); len(users) != 1 {
		t.Errorf("by name: %s", list.body)
	}
	w.do("POST", "/admin/v1/users", map[string]any{"username": "carol"}, root).want(t, 409, "name_taken")
	w.do("POST", "/admin/v1/users", map[string]any{"username": "c\x00"}, root).want(t, 400, "invalid_name")
	w.do("POST", "/admin/v1/users", map[string]any{"username": "c", "roles": make([]string, account.MaxRoles+1)}, root).want(t, 400, "invalid_request")
	w.do("POST", "/admin/v1/users", map[string]any{"username": "dave", "email": "dave"}, root).want(t, 400, "invalid_email")
	w.do("POST", "/admin/v1/users", map[string]any{"username": "dave", "password": "short"}, root).want(t, 400, "invalid_password")

	w.do("POST", "/admin/v1/users", map[string]any{"username": "dave", "external_id": "1 7"}, root).want(t, 400, "invalid_request")
	dave := w.do("POST", "/admin/v1/users", map[string]any{"username": "dave", "external_id": "17"}, root).want(t, 201, "")
	w.secret(dave.text("password"))
	if dave.text("external_id") != "17" || a.text("external_id") != "" {
		t.Errorf("external IDs: %s and %s", dave.body, a.body)
	}
	w.do("POST", "/admin/v1/users", map[string]any{"username": "erin", "external_id": "17"}, root).want(t, 409, "conflict")
	seen := ifMatch(got.header.Get("ETag"))
	w.do("PATCH", at, map[string]any{"external_id": "17"}, root, seen).want(t, 409, "conflict")
	if got = w.do("PATCH", at, map[string]any{"external_id": "18"}, root, seen).want(t, 200, ""); got.text("external_id") != "18" {
		t.Errorf("numbered: %s", got.body)
	}
	for query, want := range map[string]int{"18": 1, "17": 1, "19": 0, "018": 0, "1%208": 0} {
		list := w.do("GET", "/admin/v1/users?external_id="+query, nil, root).want(t, 200, "")
		if users, _ := list.object["users"].([]any); len(users) != want {
			t.Errorf("with the external ID %s: %s", query, list.body)
		}
	}
	w.do("GET", "/admin/v1/users?external_id=17&username=dave", nil, root).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users?external_id=", nil, root).want(t, 400, "invalid_request")
	carol := w.login("carol", a.text("password"))
	if me := w.do("GET", "/me", nil, header("Authorization", "Bearer "+carol.text("access_token"))).want(t, 200, ""); me.text("external_id") != "18" {
		t.Errorf("/me is %s", me.body)
	}

	edited := w.do("PATCH", at, map[string]any{"email": "", "roles": []string{"viewer"}}, root, ifMatch(got.header.Get("ETag"))).want(t, 200, "")
	if edited.text("email") != "" || edited.text("external_id") != "18" || fmt.Sprint(edited.object["roles"]) != "[viewer]" || edited.header.Get("ETag") == got.header.Get("ETag") {
		t.Errorf("edited: %s", edited.body)
	}
	set := w.do("POST", at+"/password", nil, root).want(t, 200, "")
	w.secret(set.text("password"))
	w.do("POST", "/login", map[string]any{"username": "carol", "password": a.text("password")}).want(t, 401, "invalid_credentials")
	w.login("carol", set.text("password"))
	link := w.do("POST", at+"/reset-link", map[string]any{"expires_in": 60}, root).want(t, 200, "")
	w.secret(link.text("token"))
	w.do("POST", at+"/reset-link", map[string]any{"expires_in": 59}, root).want(t, 400, "invalid_request")
	w.do("POST", "/password/reset", map[string]any{"token": link.text("token"), "new": goodWord}).want(t, 204, "")
	w.login("carol", goodWord)
	w.do("DELETE", at, nil, root, ifMatch("*")).want(t, 400, "invalid_request")
	w.do("DELETE", at, nil, root).want(t, 204, "")
	w.do("GET", at, nil, root).want(t, 404, "not_found")
}

// What was seen is what is changed, or nothing is.
func TestAdminConditions(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	w.do("POST", "/admin/v1/roles", map[string]any{"name": "editor", "scope": "a b"}, root).want(t, 201, "")
	client := w.do("POST", "/admin/v1/clients", map[string]any{"name": "orders"}, root).want(t, 201, "")
	w.secret(client.text("client_secret"))
	for path, change := range map[string]map[string]any{
		"/admin/v1/users/" + w.bob:                      {"roles": []string{"viewer"}},
		"/admin/v1/roles/editor":                        {"scope": "c"},
		"/admin/v1/clients/" + client.text("client_id"): {"scope": "c"},
	} {
		seen := w.do("GET", path, nil, root).want(t, 200, "").header.Get("ETag")
		w.do("PATCH", path, change, root).want(t, 428, "precondition_required")
		for _, other := range []string{`"x"`, "W/" + seen, strings.Trim(seen, `"`), `"x", "y"`, `"x", *`, `*, *`, ""} {
			w.do("PATCH", path, change, root, ifMatch(other)).want(t, 412, "precondition_failed")
		}
		a := w.do("PATCH", path, change, root, ifMatch(`"x", `+seen)).want(t, 200, "")
		w.do("PATCH", path, change, root, ifMatch(seen)).want(t, 412, "precondition_failed")
		if now := w.do("GET", path, nil, root).header.Get("ETag"); now == seen || now != a.header.Get("ETag") {
			t.Errorf("%s: ETag %q, was %q, and %q of the change", path, now, seen, a.header.Get("ETag"))
		}
		w.do("PATCH", path, change, root, ifMatch("*")).want(t, 200, "")
		w.do("PATCH", path, map[string]any{}, root, ifMatch("*")).want(t, 400, "invalid_request")
	}
}

// A condition that nobody would hold against anything is refused, wherever something is deleted.
func TestAdminDeleteTakesNoCondition(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	segment := regexp.MustCompile(`\{\w+\}`)
	n := 0
	for _, route := range (&admin.Admin{}).Routes() {
		if route.Method != http.MethodDelete {
			continue
		}
		n++
		path := segment.ReplaceAllString(route.Path, w.bob)
		for _, condition := range []with{ifMatch("*"), header("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")} {
			w.do("DELETE", path, nil, root, condition).want(t, 400, "invalid_request")
		}
	}
	if n < 10 {
		t.Errorf("%d paths", n)
	}
	w.login("bob", bobWord)
}

// Of changes that were decided at the same sight one is made, and no change is lost.
func TestAdminTogether(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	path := "/admin/v1/users/" + w.bob
	const editors = 6
	var all sync.WaitGroup
	for i := range editors {
		all.Go(func() {
			for {
				seen := w.do("GET", path, nil, root)
				roles, _ := seen.object["roles"].([]any)
				a := w.do("PATCH", path, map[string]any{"roles": append(roles, fmt.Sprint("r", i))}, root, ifMatch(seen.header.Get("ETag")))
				if a.status == 200 {
					return
				}
				if a.status != http.StatusPreconditionFailed {
					t.Errorf("%d %s", a.status, a.body)
					return
				}
			}
		})
	}
	all.Wait()
	if got := w.do("GET", path, nil, root).object["roles"]; fmt.Sprint(got) != "[r0 r1 r2 r3 r4 r5]" {
		t.Errorf("roles %v", got)
	}
}

// Who may do what, to whose: every role at every endpoint with an object of each kind. Only an admin gets
// anything but a refusal, which says the same whether the object is there or not.
func TestAttack_H06_Matrix(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	waiting, err := w.people.Add(t.Context(), account.NewUser{Name: "new", Password: goodWord, Roles: []string{"admin"}, MustChange: true}, issuer.Event{})
	must(t, err)
	client := w.do("POST", "/admin/v1/clients", map[string]any{"name": "orders", "scope": "admin"}, root).want(t, 201, "")
	w.secret(client.text("client_secret"))
	w.do("POST", "/admin/v1/roles", map[string]any{"name": "editor"}, root).want(t, 201, "")
	held := w.apiKeyOf(w.bob, root)
	mine := w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": id, "name": "mine", "everything": true}, root).want(t, 201, "").text("key")
	made, err := w.keys.Exchange(t.Context(), w.issuer, mine, account.KeyRequest{})
	must(t, err)
	alice := w.session(w.alice, issuer.LoginRequest{})
	sid := w.claims(w.session(w.bob, issuer.LoginRequest{}).AccessToken, issuerURL).SessionID
	keys, err := w.issuer.KeyList(t.Context())
	must(t, err)
	real := strings.NewReplacer("u_nobody", w.bob, "norole", "editor", "dwc_nobody", client.text("client_id"),
		"01a201b6-0dbb-7eee-b32a-d40cbc7d92ff", sid, "nokey", keys[0].ID, "dwk_aaaaaaaaaaaaaaaa", held.text("id"))
	callers := map[string][]with{
		"nobody":                 nil,
		"a user":                 {bearer(alice.AccessToken)},
		"a user's other token":   {bearer(w.session(w.alice, issuer.LoginRequest{Audience: otherName}).AccessToken)},
		"an admin's other token": {bearer(w.session(id, issuer.LoginRequest{Audience: otherName}).AccessToken)},
		"an admin who waits":     {bearer(w.session(waiting.ID, issuer.LoginRequest{}).AccessToken)},
		"a client":               {header("Authorization", basicOf(client.text("client_id"), client.text("client_secret")))},
		"a refresh token":        {bearer(alice.RefreshToken)},
		"an admin's API key":     {bearer(mine)},
		"a token made from it":   {bearer(made.AccessToken)},
	}
	tried := 0
	for _, e := range endpoints {
		if !strings.HasPrefix(e.path, "/admin/v1/") {
			continue
		}
		for name, credentials := range callers {
			there := w.do(e.method, real.Replace(e.path), map[string]any{}, credentials...)
			missing := w.do(e.method, e.path, map[string]any{}, credentials...)
			if there.status != 401 && there.status != 403 || there.status != missing.status || there.text("error_description") != missing.text("error_description") {
				t.Errorf("%s at %s %s: %d %s, and %d %s where nothing is", name, e.method, e.path, there.status, there.body, missing.status, missing.body)
			}
			tried++
		}
		// A name is no id, one kind of object is not another, and nothing is found beside the path.
		for _, other := range []string{"alice", w.alice + "%2f..", "..%2f" + w.bob, "%00", strings.Repeat("x", 300), "' OR 1=1 --"} {
			path := samples.Replace(e.path)
			if !strings.Contains(path, "{") {
				continue
			}
			for _, param := range []string{"{id}", "{name}", "{kid}", "{secret}"} {
				path = strings.Replace(path, param, strings.ReplaceAll(other, " ", "%20"), 1)
			}
			if a := w.do(e.method, path, nil, root); a.status < 400 || a.status >= 500 {
				t.Errorf("%s %s: %d %s", e.method, path, a.status, a.body)
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d were tried", tried)
	}
}

// Lists show no more than they say, in pages that end.
func TestAttack_H06_LeastFields(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	client := w.do("POST", "/admin/v1/clients", map[string]any{"name": "orders"}, root).want(t, 201, "")
	w.secret(client.text("client_secret"))
	w.do("POST", "/admin/v1/roles", map[string]any{"name": "editor"}, root).want(t, 201, "")
	key := w.apiKeyOf(w.bob, root).text("key")
	w.apiKeyOf(client.text("client_id"), root)
	members := strings.NewReplacer("audit", "records", "api-keys", "api_keys")
	for path, least := range map[string]int{"users": 3, "roles": 3, "clients": 1, "sessions": 1, "api-keys": 2, "keys": 2, "audit": 5} {
		seen, next := 0, ""
		for page := 0; page == 0 || next != ""; page++ {
			query := "?limit=1" + next
			if path == "keys" {
				query = ""
			}
			a := w.do("GET", "/admin/v1/"+path+query, nil, root).want(t, 200, "")
			for _, secret := range []string{"$argon2", "hash", "digest", "sealed", "handle", client.text("client_secret"), key, key[21:64]} {
				if strings.Contains(string(a.body), secret) {
					t.Errorf("%s shows %q: %s", path, secret, a.body)
				}
			}
			list, _ := a.object[members.Replace(path)].([]any)
			if seen += len(list); path != "keys" && len(list) > 1 || page > 40 {
				t.Fatalf("page %d of %s has %d entries", page, path, len(list))
			}
			next = ""
			if cursor := a.text("next"); cursor != "" {
				next = "&cursor=" + cursor
			}
		}
		if seen < least {
			t.Errorf("%d of %s, want %d at least", seen, path, least)
		}
		if path == "keys" {
			continue
		}
		for _, query := range []string{"limit=0", "limit=501", "limit=-1", "limit=1e3", "limit=", "cursor=", "cursor=%2e%2e", "cursor=AA", "offset=1", "limit=1&limit=1", "cursor=" + strings.Repeat("A", 600)} {
			w.do("GET", "/admin/v1/"+path+"?"+query, nil, root).want(t, 400, "invalid_request")
		}
	}
}

// The last admin cannot be disabled, deleted or left without the role.
func TestAttack_H06_LastAdmin(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	path := "/admin/v1/users/" + id
	w.do("PATCH", path, map[string]any{"disabled": true}, root, ifMatch("*")).want(t, 409, "last_admin")
	w.do("PATCH", path, map[string]any{"roles": []string{}}, root, ifMatch("*")).want(t, 409, "last_admin")
	w.do("DELETE", path, nil, root).want(t, 409, "last_admin")
	w.do("DELETE", "/admin/v1/roles/admin", nil, root).want(t, 409, "conflict")
	w.do("GET", path, nil, root).want(t, 200, "")
	w.addUser("second", goodWord, "admin")
	w.do("PATCH", path, map[string]any{"roles": []string{}}, root, ifMatch("*")).want(t, 200, "")
	w.do("GET", path, nil, root).want(t, 403, "insufficient_scope")
}

// What nobody may set is no member of any request.
func TestAttack_E11_AdminMassAssignment(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	before := w.do("GET", "/admin/v1/users/"+w.bob, nil, root).want(t, 200, "")
	good := map[string]map[string]any{
		"POST /admin/v1/users":                          {"username": "carol"},
		"PATCH /admin/v1/users/" + w.bob:                {"disabled": false},
		"POST /admin/v1/roles":                          {"name": "editor"},
		"POST /admin/v1/clients":                        {"name": "orders"},
		"POST /admin/v1/users/" + w.bob + "/password":   {"password": goodWord},
		"POST /admin/v1/users/" + w.bob + "/reset-link": {"expires_in": 60},
		"POST /admin/v1/keys":                           {},
		"POST /admin/v1/api-keys":                       {"owner": w.bob, "name": "report"},
		"POST /admin/v1/tokens":                         {"username": "bob"},
		"POST /admin/v1/tokens/inspect":                 {"token": "x"},
	}
	for call, body := range good {
		method, path, _ := strings.Cut(call, " ")
		for _, member := range []string{
			"id", "is_admin", "admin", "email_verified", "must_change", "password_change_required", "created_at", "hash", "canonical",
			"client_id", "client_secret", "users", "Username", "Roles", "__proto__", "kid", "sub",
			"key", "digest", "never_expires", "expires_at", "revoked_at",
		} {
			more := maps.Clone(body)
			more[member] = true
			w.do(method, path, more, root, ifMatch("*")).want(t, 400, "invalid_request")
		}
		w.do(method, path, `{"x":{"roles":["admin"]}}`, root, ifMatch("*")).want(t, 400, "invalid_request")
		w.do(method, path, "roles=admin", root, ifMatch("*"), media("application/x-www-form-urlencoded")).want(t, 415, "unsupported_media_type")
	}
	w.do("PATCH", "/admin/v1/users/"+w.bob, `{"roles":["a"],"roles":["admin"]}`, root, ifMatch("*")).want(t, 400, "invalid_request")
	after := w.do("GET", "/admin/v1/users/"+w.bob, nil, root).want(t, 200, "")
	if string(after.body) != string(before.body) {
		t.Errorf("bob is %s, was %s", after.body, before.body)
	}
}

// Every text that goes to the store is a value there: after all of them the store holds what it held.
func TestAttack_E14_Admin(t *testing.T) {
	t.Parallel()
	texts := lists(t, "fuzzdb/sql-injection/detect/*")
	w, root, _ := adminWorld(t, func(s *settings) { s.issuer.MaxStaleness = time.Hour })
	state := func() string {
		var text string
		for _, path := range []string{"users", "roles", "clients", "api-keys", "keys"} {
			text += string(w.do("GET", "/admin/v1/"+path, nil, root).want(t, 200, "").body)
		}
		return text
	}
	w.apiKeyOf(w.bob, root)
	before := state()
	for _, hostile := range texts {
		if regexp.MustCompile(`^[a-z0-9][a-z0-9_.:-]*$`).MatchString(hostile) {
			continue // A word that anybody may take for a role.
		}
		escaped := escapePath(hostile)
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/admin/v1/users?username=" + escaped, nil},
			{"GET", "/admin/v1/users?cursor=" + escaped, nil},
			{"GET", "/admin/v1/sessions?user=" + escaped, nil},
			{"GET", "/admin/v1/users/" + escaped, nil},
			{"GET", "/admin/v1/audit?subject=" + escaped + "&kind=" + escaped + "&request_id=" + escaped, nil},
			{"DELETE", "/admin/v1/roles/" + escaped, nil},
			{"DELETE", "/admin/v1/clients/" + escaped, nil},
			{"DELETE", "/admin/v1/clients/dwc_" + escaped + "/secrets/" + escaped, nil},
			{"DELETE", "/admin/v1/sessions/" + escaped, nil},
			{"DELETE", "/admin/v1/keys/" + escaped, nil},
			{"GET", "/admin/v1/api-keys?owner=" + escaped, nil},
			{"GET", "/admin/v1/api-keys/" + escaped, nil},
			{"DELETE", "/admin/v1/api-keys/" + escaped, nil},
			{"DELETE", "/admin/v1/users/" + escaped + "/api-keys", nil},
			{"DELETE", "/admin/v1/clients/dwc_" + escaped + "/api-keys", nil},
			{"POST", "/admin/v1/api-keys", map[string]any{"owner": hostile, "name": "k"}},
			{"POST", "/admin/v1/api-keys", map[string]any{"owner": w.bob, "name": "k", "scope": "x " + hostile}},
			{"POST", "/admin/v1/tokens", map[string]any{"username": hostile}},
			{"POST", "/admin/v1/tokens", map[string]any{"username": "bob", "audience": hostile}},
			{"POST", "/admin/v1/tokens", map[string]any{"username": "bob", "scope": "x " + hostile}},
			{"POST", "/admin/v1/roles", map[string]any{"name": hostile}},
			{"POST", "/admin/v1/clients", map[string]any{"name": hostile, "scope": hostile}},
			{"PATCH", "/admin/v1/users/" + w.bob, map[string]any{"roles": []string{hostile}}},
			{"PATCH", "/admin/v1/users/" + w.bob, map[string]any{"email": hostile}},
		} {
			a := w.do(c.method, c.path, c.body, root, ifMatch("*"))
			if a.status >= 500 || a.status < 300 && c.method != "GET" {
				t.Errorf("%s %s %v: %d %s", c.method, c.path, c.body, a.status, a.body)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("the store holds\n%s\nand held\n%s", after, before)
	}
}

// When what an admin does takes effect: at the next request, or by the bound that docs/admin-api.md states.
func TestAttack_F18_Effect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		do     func(w *world, root, held with)
		me     int // of the token that bob holds
		refr   int // of his refresh token
		scoped string
	}{
		{"disable", func(w *world, root, _ with) {
			w.do("PATCH", "/admin/v1/users/"+w.bob, map[string]any{"disabled": true}, root, ifMatch("*")).want(w.t, 200, "")
		}, 401, 400, ""},
		{"delete", func(w *world, root, _ with) { w.do("DELETE", "/admin/v1/users/"+w.bob, nil, root).want(w.t, 204, "") }, 401, 400, ""},
		{"end the sessions", func(w *world, root, _ with) {
			w.do("DELETE", "/admin/v1/users/"+w.bob+"/sessions", nil, root).want(w.t, 204, "")
		}, 401, 400, ""},
		{"set the password", func(w *world, root, _ with) {
			w.do("POST", "/admin/v1/users/"+w.bob+"/password", map[string]any{"password": goodWord}, root).want(w.t, 200, "")
		}, 401, 400, ""},
		{"roles, at the next refresh", func(w *world, root, _ with) {
			w.do("PATCH", "/admin/v1/users/"+w.bob, map[string]any{"roles": []string{"editor"}}, root, ifMatch("*")).want(w.t, 200, "")
		}, 200, 200, "orders:read"},
		{"roles, at once", func(w *world, root, _ with) {
			w.do("PATCH", "/admin/v1/users/"+w.bob+"?end_sessions=true", map[string]any{"roles": []string{"editor"}}, root, ifMatch("*")).want(w.t, 200, "")
		}, 401, 400, ""},
		{"a role, at once", func(w *world, root, held with) {
			w.do("PATCH", "/admin/v1/roles/viewer?end_sessions=true", map[string]any{"scope": "x"}, root, ifMatch("*")).want(w.t, 200, "")
			for deadline := time.Now().Add(10 * time.Second); w.do("GET", "/me", nil, held).status == 200 && time.Now().Before(deadline); {
			} // Its members are found in the store, of which each node reads four times a second.
		}, 401, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, _, _ := adminWorld(t, func(s *settings) { s.direct = false })
			root := bearer(w.login("root", adminWord).text("access_token"))
			w.do("POST", "/admin/v1/roles", map[string]any{"name": "editor", "scope": "orders:read"}, root).want(t, 201, "")
			w.do("POST", "/admin/v1/roles", map[string]any{"name": "viewer", "scope": "v"}, root).want(t, 201, "")
			w.do("PATCH", "/admin/v1/users/"+w.bob, map[string]any{"roles": []string{"viewer"}}, root, ifMatch("*")).want(t, 200, "")
			bob := w.login("bob", bobWord)
			held := bearer(bob.text("access_token"))
			c.do(w, root, held)
			if a := w.do("GET", "/me", nil, held); a.status != c.me {
				t.Errorf("the token: %d %s, want %d", a.status, a.body, c.me)
			}
			a := w.do("POST", "/refresh", map[string]any{"refresh_token": bob.text("refresh_token")})
			if a.status != c.refr || a.status == 200 && a.text("scope") != c.scoped {
				t.Errorf("the refresh: %d %s, want %d with %q", a.status, a.body, c.refr, c.scoped)
			}
		})
	}
}

// An admin who is one no more can do nothing from the next request on, although the token still says admin.
func TestAttack_F18_AdminNoMore(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	second := w.addUser("second", goodWord, "admin")
	token := bearer(w.session(second, issuer.LoginRequest{}).AccessToken)
	w.do("GET", "/admin/v1/users", nil, token).want(t, 200, "")
	w.do("PATCH", "/admin/v1/users/"+second, map[string]any{"roles": []string{"staff"}}, root, ifMatch("*")).want(t, 200, "")
	w.do("GET", "/admin/v1/users", nil, token).want(t, 403, "insufficient_scope")
	w.do("GET", "/me", nil, token).want(t, 200, "") // for everything else the bound is the token's lifetime
}

// A change wants a login of the last minutes, and so does the whole record; a look does not.
func TestAdminRecentLogin(t *testing.T) {
	t.Parallel()
	w, _, id := adminWorld(t)
	old := bearer(w.session(id, issuer.LoginRequest{AuthTime: time.Now().Add(-6 * time.Minute)}).AccessToken)
	for _, e := range endpoints {
		if !strings.HasPrefix(e.path, "/admin/v1/") {
			continue
		}
		a := w.do(e.method, e.path, nil, old)
		if refused := a.text("error") == "insufficient_user_authentication"; refused != (e.method != "GET" && e.path != inspecting || e.path == exporting || e.path == exportingUsers) {
			t.Errorf("%s %s: %d %s", e.method, e.path, a.status, a.body)
		}
	}
}

// Who did it, from where, in which request: in the audit record, beside what was done.
func TestAdminEvents(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	a := w.do("PATCH", "/admin/v1/users/"+w.bob, map[string]any{"disabled": true, "roles": []string{"x"}}, root, ifMatch("*")).want(t, 200, "")
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Actor: id, Subject: w.bob})
	must(t, err)
	var kinds []issuer.EventKind
	for _, r := range records {
		kinds = append(kinds, r.Kind)
		if r.Address != "127.0.0.1" || len(w.logs.about(r.RequestID)) == 0 {
			t.Errorf("recorded %+v", r)
		}
	}
	if want := []issuer.EventKind{account.EventUserDisable, account.EventUserRoles}; !slices.Equal(kinds, want) {
		t.Errorf("recorded %q for %s, want %q", kinds, a.body, want)
	}
	for kind, found := range map[string]int{"user_roles": 1, "user_roles,user_disable": 2, "user_roles&kind=user_disable": 2, "user_roles,user_email": 1} {
		list, _ := w.do("GET", "/admin/v1/audit?subject="+w.bob+"&kind="+kind, nil, root).want(t, 200, "").object["records"].([]any)
		if len(list) != found {
			t.Errorf("%d records of %s, want %d", len(list), kind, found)
		}
	}
	w.do("GET", "/admin/v1/audit?kind=user_roles,", nil, root).want(t, 400, "invalid_request")
}

// In front of an API, and wherever it has a listener of its own, the admin API is nowhere else.
func TestAdminApart(t *testing.T) {
	t.Parallel()
	upstream := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTeapot)
	})
	w := newWorld(t, func(s *settings) { s.server.AdminApart = true })
	root := bearer(w.session(w.addUser("root", adminWord, "admin"), issuer.LoginRequest{}).AccessToken)
	w.do("GET", "/admin/v1/users", nil, root).want(t, 404, "not_found")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.ServeAdmin(ctx, l) }()
	beside := &world{t: t, set: w.set, address: l.Addr().String()}
	beside.do("GET", "/admin/v1/users", nil, root).want(t, 200, "")
	beside.do("GET", "/admin/v1/users", nil).want(t, 401, "missing_token")
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://"+beside.address+"/login", nil)
	r.RequestURI = ""
	if response := beside.exchange(r); response.StatusCode != http.StatusNotFound || response.Body.Close() != nil {
		t.Errorf("/login beside: %d", response.StatusCode)
	}

	set := w.set.server
	set.Upstream = upstream
	next, err := server.New(set)
	must(t, err)
	w.server.Become(next)
	beside.do("GET", "/admin/v1/users", nil, root).want(t, 200, "") // the successor's
	set.AdminApart = false
	front, err := server.New(set)
	must(t, err)
	recorder := httptest.NewRecorder()
	r = httptest.NewRequestWithContext(t.Context(), "GET", "/admin/v1/users", nil)
	root(r)
	front.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusTeapot {
		t.Errorf("in front of an API: %d", recorder.Code)
	}
	stop()
	must(t, <-ended)
}

// basicOf is the Authorization of a client.
func basicOf(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	return r.Header.Get("Authorization")
}

// escapePath writes a text as a part of a path or of a query.
func escapePath(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&out, "%%%02X", b)
	}
	return out.String()
}
