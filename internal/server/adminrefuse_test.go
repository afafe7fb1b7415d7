package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// A search for what can never be is refused, with the parameter that is wrong: an empty answer would read as if nothing had
// happened.
func TestAdminAuditSearchRefused(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	for query, says := range map[string]string{
		"kind=logn_failed":     "kind is none that is recorded; login_failed is one",
		"kind=login,Login":     "kind is none that is recorded; login is one",
		"kind=refresh":         "kind must be one of api_key_add, ",
		"kind=foo":             "kind must be one of api_key_add, ",
		"kind=":                "kind must not be empty",
		"kind=login,":          "kind must not be empty",
		"kind=login&kind=":     "kind must not be empty",
		"actor=":               "actor must not be empty",
		"subject=":             "subject must not be empty",
		"since=":               "since must not be empty",
		"subject=alice":        "subject must be the id of a user, ",
		"actor=alice":          "actor must be the id of a user, ",
		"actor=u_%00":          "actor is too long, or no text",
		"request_id=%ff":       "request_id is too long, or no text",
		"address=bogus":        "address must be an IP address",
		"address=127.0.0.1:80": "address must be an IP address",
		"session=" + w.bob:     "session must be the id of a session",
		"since=yesterday":      "since must be a time such as",
		"since=2027-01-01T00:00:00Z&until=2026-01-01T00:00:00Z": "until must be after since",
		"since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z": "until must be after since",
		"actor=doorward&actor=doorward":                         "actor comes twice",
		"address=" + strings.Repeat("1", 600):                   "address is too long, or no text",
	} {
		a := w.do("GET", "/admin/v1/audit?"+query, nil, root).want(t, 400, "invalid_request")
		if !strings.HasPrefix(a.text("error_description"), says) {
			t.Errorf("%s: %q, want %q", query, a.text("error_description"), says)
		}
	}
	// What may be and is not is an empty list, and one address is found in each way to write it.
	for query, found := range map[string]bool{
		"subject=u_gone": false, "actor=cli:root": false, "subject=role:editor": false, "subject=dwa_a": false,
		"session=01a201b6-0dbb-7eee-b32a-d40cbc7d92ff": false, "until=2026-01-01T00:00:00Z": false, "address=2001:DB8::1": false,
		"kind=user_add": true, "address=::ffff:127.0.0.1": true,
	} {
		w.do("POST", "/login", map[string]any{"username": "bob", "password": "wrong"}).want(t, 401, "invalid_credentials")
		a := w.do("GET", "/admin/v1/audit?"+query, nil, root).want(t, 200, "")
		if list, _ := a.object["records"].([]any); len(list) > 0 != found {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

// A name where an id is wanted is refused: a list without an entry would say that nobody is logged in.
func TestAdminNameIsNoID(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	w.session(w.alice, issuer.LoginRequest{})
	for query, says := range map[string]string{
		"sessions?user=alice":     "user must be the id of a user, ",
		"sessions?user=":          "user must not be empty",
		"sessions?user=dwc_a":     "user must be the id of a user, ",
		"api-keys?owner=alice":    "owner must be the id of a user, ",
		"api-keys?owner=":         "owner must not be empty",
		"users?username=":         "username must not be empty",
		"users?limit=1&username=": "username must not be empty",
	} {
		a := w.do("GET", "/admin/v1/"+query, nil, root).want(t, 400, "invalid_request")
		if !strings.HasPrefix(a.text("error_description"), says) {
			t.Errorf("%s: %q, want %q", query, a.text("error_description"), says)
		}
	}
	w.do("POST", "/admin/v1/api-keys", map[string]any{"owner": "alice", "name": "k"}, root).want(t, 400, "invalid_request")
	for _, query := range []string{"sessions?user=" + w.alice, "users?username=alice"} {
		if a := w.do("GET", "/admin/v1/"+query, nil, root).want(t, 200, ""); !strings.Contains(string(a.body), w.alice) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

// What is not there is told from an address that is none.
func TestAdminNoSuchThing(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	client := w.do("POST", "/admin/v1/clients", map[string]any{"name": "orders"}, root).want(t, 201, "")
	w.secret(client.text("client_secret"))
	const none = "01a201b6-0dbb-7eee-b32a-d40cbc7d92ff"
	for path, says := range map[string]string{
		"users/u_nobody": "there is no such user", "users/alice": "there is no such user",
		"roles/norole":                  "there is no such role",
		"sessions/" + none:              "there is no such session",
		"sessions/x":                    "there is no such session",
		"clients/dwc_none":              "there is no such client",
		"clients/orders":                "there is no such client",
		"api-keys/x":                    "there is no such API key",
		"api-keys/dwk_aaaaaaaaaaaaaaaa": "there is no such API key",
		"keys/x":                        "there is no such key",
		"backups/x":                     "there is no such backup",
		"clients/" + client.text("client_id") + "/secrets/x":   "the client has no such secret",
		"clients/" + client.text("client_id") + "/secrets/old": "the client has no such secret",
		"nothing": "there is nothing at this address",
	} {
		methods := []string{"GET", "DELETE"}
		if strings.Contains(path, "/secrets/") {
			methods = methods[1:]
		}
		for _, method := range methods {
			a := w.do(method, "/admin/v1/"+path, nil, root).want(t, 404, "not_found")
			if got := a.text("error_description"); got != says {
				t.Errorf("%s %s: %q, want %q", method, path, got, says)
			}
		}
	}
	alice := bearer(w.session(w.alice, issuer.LoginRequest{}).AccessToken)
	for path, says := range map[string]string{
		"/sessions/" + none: "you have no such session", "/sessions/x": "you have no such session",
		"/keys/dwk_aaaaaaaaaaaaaaaa": "you have no such API key", "/keys/x": "you have no such API key",
	} {
		if got := w.do("DELETE", path, nil, alice).want(t, 404, "not_found").text("error_description"); got != says {
			t.Errorf("%s: %q, want %q", path, got, says)
		}
	}
}

// A cursor belongs to its list.
func TestAdminCursorOfAnotherList(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	w.session(w.alice, issuer.LoginRequest{})
	for _, name := range []string{"a", "b"} {
		w.do("POST", "/admin/v1/roles", map[string]any{"name": name}, root).want(t, 201, "")
		c := w.do("POST", "/admin/v1/clients", map[string]any{"name": name}, root).want(t, 201, "")
		w.secret(c.text("client_secret"))
		w.apiKeyOf(w.bob, root)
	}
	next, lists := map[string]string{}, []string{"users", "roles", "clients", "sessions", "api-keys", "audit"}
	for _, list := range lists {
		if next[list] = w.do("GET", "/admin/v1/"+list+"?limit=1", nil, root).want(t, 200, "").text("next"); next[list] == "" {
			t.Fatalf("%s has one page", list)
		}
	}
	for _, list := range lists {
		for of, cursor := range next {
			status, code := 400, "invalid_request"
			if of == list {
				status, code = 200, ""
			}
			w.do("GET", "/admin/v1/"+list+"?cursor="+cursor, nil, root).want(t, status, code)
		}
	}
}

// With which roles a user was made, and what a client may have, is in the record: who has made an admin can be found.
func TestAdminEventsSayWhat(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	eve := w.do("POST", "/admin/v1/users", map[string]any{"username": "eve", "roles": []string{"editor", "admin", "editor"}}, root).want(t, 201, "")
	w.secret(eve.text("password"))
	w.do("POST", "/admin/v1/users/import", `{"username":"frida","password_hash":"$2b$04$0aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6","roles":["reader","admin"]}`,
		root, media("application/jsonl")).want(t, 200, "")
	orders := w.do("POST", "/admin/v1/clients", map[string]any{"name": "orders", "scope": "a b", "audiences": []string{otherName}}, root).want(t, 201, "")
	w.secret(orders.text("client_secret"))
	path := "/admin/v1/clients/" + orders.text("client_id")
	w.do("PATCH", path, map[string]any{"scope": "c", "audiences": []string{}, "disabled": true}, root, ifMatch("*")).want(t, 200, "")
	long := strings.Repeat("long-", 40)
	w.do("PATCH", path, map[string]any{"audiences": []string{long + "1", long + "2", long + "3", long + "4", long + "5", long + "6"}}, root, ifMatch("*")).want(t, 200, "")
	for _, c := range []struct{ kind, says string }{
		{"user_add&subject=" + eve.text("id"), "[admin,editor]"},
		{"user_import", "[admin,reader]"},
		{"client_add", "[a b audience=" + otherName + "]"},
		{"client_set&limit=1", "[c audience=" + long + "1 audience=" + long + "2 audience=" + long + "3 audience=" + long + "4 audience=" + long[:169] + "…]"},
		{"client_disable", "[]"},
	} {
		var reasons []string
		list, _ := w.do("GET", "/admin/v1/audit?kind="+c.kind, nil, root).want(t, 200, "").object["records"].([]any)
		for _, r := range list {
			reason, _ := r.(map[string]any)["reason"].(string)
			reasons = append(reasons, reason)
		}
		if got := fmt.Sprint(reasons); got != c.says {
			t.Errorf("%s: %s, want %s", c.kind, got, c.says)
		}
	}
}
