package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/oauth"
	"github.com/doorward/doorward/issuer"
)

const formMedia = "application/x-www-form-urlencoded"

// program is a client with its secret.
type program struct {
	account.Client
	secret string
}

func (p program) basic() with { return basic(p.ID, p.secret) }

func (w *world) program(name string, scope, audiences []string) program {
	w.t.Helper()
	c, secret, err := w.set.server.Clients.Add(w.t.Context(),
		account.NewClient{Name: name, Scope: scope, Audiences: audiences}, issuer.Event{})
	must(w.t, err)
	w.secret(secret)
	return program{c, secret}
}

// form sends a form, given as pairs.
func (w *world) form(path string, pairs []string, changes ...with) answer {
	w.t.Helper()
	var body []string
	for i := 0; i < len(pairs); i += 2 {
		body = append(body, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return w.rawForm(path, strings.Join(body, "&"), changes...)
}

func (w *world) rawForm(path, body string, changes ...with) answer {
	w.t.Helper()
	media := func(r *http.Request) { r.Header.Set("Content-Type", formMedia) }
	return w.do("POST", path, body, append([]with{media}, changes...)...)
}

// granted gets a token by client_credentials.
func (w *world) granted(p program, pairs ...string) answer {
	w.t.Helper()
	return w.form("/oauth/token", append([]string{"grant_type", "client_credentials"}, pairs...), p.basic()).want(w.t, 200, "")
}

// The token of a client that may have as much as a client may have is one that verifiers read.
func TestClientCredentialsLargest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scope, audience := make([]string, account.MaxClientWords), strings.Repeat(`"`, 1024)
	for i := range scope {
		scope[i] = fmt.Sprintf("s%0*d", account.MaxScope/account.MaxClientWords-2, i)
	}
	token := w.granted(w.program("large", scope, []string{audience})).text("access_token")
	gateway := w.program("gateway", []string{account.ScopeIntrospect}, []string{audience})
	got := w.form("/oauth/introspect", []string{"token", token}, gateway.basic()).want(t, 200, "")
	if got.object["active"] != true || got.text("scope") != strings.Join(scope, " ") {
		t.Errorf("the largest token that a client gets: %s", got.body)
	}
}

// Standard_O08 Standard_O09 Standard_O10 Standard_O14 Standard_N05 Standard_N08: a client gets what it may have, for one
// audience, and no refresh token.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orders := w.program("orders", []string{"read", "write", account.ScopeIntrospect, account.ScopeRevocations}, []string{otherName, "https://b.example"})
	plain := w.program("plain", nil, nil)
	for _, tt := range []struct {
		name          string
		who           program
		ask           []string
		scope, aud    string
		status        int
		code          string
		postedInstead bool
	}{
		{"everything", orders, nil, "read write", otherName, 200, "", false},
		{"by form", orders, nil, "read write", otherName, 200, "", true},
		{"empty counts as absent", orders, []string{"scope", "", "resource", ""}, "read write", otherName, 200, "", false},
		{"narrower", orders, []string{"scope", "write"}, "write", otherName, 200, "", false},
		{"another resource", orders, []string{"resource", "https://b.example"}, "read write", "https://b.example", 200, "", false},
		{"no scope, the default audience", plain, nil, "", issuerURL, 200, "", false},
		{"the default audience by name", plain, []string{"resource", issuerURL}, "", issuerURL, 200, "", false},
		{"unknown parameters are ignored", plain, []string{"requested_token_type", "x", "foo", "bar"}, "", issuerURL, 200, "", false},
		{"an audience", orders, []string{"audience", "https://b.example"}, "read write", "https://b.example", 200, "", false},
		{"audience and resource", orders, []string{"audience", "https://b.example", "resource", "https://b.example"}, "read write", "https://b.example", 200, "", false},
		{"an audience of another", plain, []string{"audience", otherName}, "", "", 400, "invalid_target", false},
		{"an audience and another resource", orders, []string{"audience", "https://b.example", "resource", otherName}, "", "", 400, "invalid_target", false},
		{"two audiences", orders, []string{"audience", otherName, "audience", "https://b.example"}, "", "", 400, "invalid_request", false},
		{"wider", orders, []string{"scope", "read admin"}, "", "", 400, "invalid_scope", false},
		{"scope about Doorward itself", orders, []string{"scope", account.ScopeRevocations}, "", "", 400, "invalid_scope", false},
		{"scope that is none", orders, []string{"scope", `a"b`}, "", "", 400, "invalid_scope", false},
		{"scope with two spaces", orders, []string{"scope", "read  write"}, "", "", 400, "invalid_scope", false},
		{"resource of another", plain, []string{"resource", otherName}, "", "", 400, "invalid_target", false},
		{"the issuer is not among the audiences", orders, []string{"resource", issuerURL}, "", "", 400, "invalid_target", false},
		{"two resources", orders, []string{"resource", otherName, "resource", "https://b.example"}, "", "", 400, "invalid_target", false},
		{"no grant", orders, []string{"grant_type", ""}, "", "", 400, "invalid_request", false},
	} {
		pairs, credentials := append([]string{"grant_type", "client_credentials"}, tt.ask...), tt.who.basic()
		if tt.name == "no grant" {
			pairs = tt.ask
		}
		if tt.postedInstead {
			pairs, credentials = append(pairs, "client_id", tt.who.ID, "client_secret", tt.who.secret), func(*http.Request) {}
		}
		a := w.form("/oauth/token", pairs, credentials)
		if a.status != tt.status || a.text("error") != tt.code {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
		if a.status != 200 {
			continue
		}
		c := w.claims(a.text("access_token"), tt.aud)
		if c.Subject != tt.who.ID || c.ClientID != tt.who.ID || c.Scope.String() != tt.scope || a.text("scope") != tt.scope || len(c.Roles) > 0 {
			t.Errorf("%s: %+v, %s", tt.name, c, a.body)
		}
		if a.text("token_type") != "Bearer" || a.object["refresh_token"] != nil || a.header.Get("Pragma") != "no-cache" || a.object["expires_in"] == nil {
			t.Errorf("%s: %s", tt.name, a.body)
		}
	}
}

// Standard_O02 Standard_O04 Standard_O11: what is wrong in itself. Attack_E15 of forms.
func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.program("orders", nil, nil)
	good := "grant_type=client_credentials"
	for _, tt := range []struct {
		name, body string
		change     with
		status     int
		code       string
	}{
		{"twice", good + "&" + good, nil, 400, "invalid_request"},
		{"an unknown one twice", good + "&x=1&x=2", nil, 400, "invalid_request"},
		{"twice, once empty", good + "&grant_type=", nil, 400, "invalid_request"},
		{"nothing", "", nil, 400, "invalid_request"},
		{"semicolon", good + ";x=1", nil, 400, "invalid_request"},
		{"bad escape", good + "&x=%zz", nil, 400, "invalid_request"},
		{"not UTF-8", good + "&x=%ff", nil, 400, "invalid_request"},
		{"NUL", good + "&x=%00", nil, 400, "invalid_request"},
		{"the password grant", "grant_type=password&username=alice&password=" + aliceWord, nil, 400, "unsupported_grant_type"},
		{"the code grant", "grant_type=authorization_code&code=x", nil, 400, "unsupported_grant_type"},
		{"in capitals", "grant_type=CLIENT_CREDENTIALS", nil, 400, "unsupported_grant_type"},
		{"JSON", `{"grant_type":"client_credentials"}`, func(r *http.Request) { r.Header.Set("Content-Type", jsonMedia) }, 400, "invalid_request"},
		{"no type", good, func(r *http.Request) { r.Header.Del("Content-Type") }, 400, "invalid_request"},
		{"two types", good, header("Content-Type", formMedia), 400, "invalid_request"},
		{"multipart", good, func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, 400, "invalid_request"},
		{"UTF-16", good, func(r *http.Request) { r.Header.Set("Content-Type", formMedia+"; charset=utf-16") }, 400, "invalid_request"},
		{"compressed", good, header("Content-Encoding", "gzip"), 400, "invalid_request"},
		{"a query", good, func(r *http.Request) { r.URL.RawQuery = "x=1" }, 400, "invalid_request"},
		{"the secret in the query", good, func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "client_id=" + p.ID + "&client_secret=" + p.secret
		}, 400, "invalid_request"},
		{"too long", good + "&x=" + strings.Repeat("x", 16<<10), nil, 413, "too_large"},
		{"charset", good, func(r *http.Request) { r.Header.Set("Content-Type", formMedia+"; charset=UTF-8") }, 200, ""},
	} {
		change := tt.change
		if change == nil {
			change = func(*http.Request) {}
		}
		if a := w.rawForm("/oauth/token", tt.body, p.basic(), change); a.status != tt.status || a.text("error") != tt.code {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
}

// Standard_O01 Standard_V10 Standard_I02: POST alone. What a GET carries stands in logs.
func TestOAuthMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.program("orders", []string{account.ScopeIntrospect}, nil)
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			a := w.do(method, path+"?token=x&callback=f", nil, p.basic()).want(t, 405, "method_not_allowed")
			if allow := a.header.Get("Allow"); allow != "OPTIONS, POST" {
				t.Errorf("%s %s: Allow %q", method, path, allow)
			}
		}
	}
}

// Attack_E15 Standard_O03 Standard_O05 Standard_O06 Standard_O12 Standard_O14 Standard_V03 Standard_I01: a client
// authenticates in one way, at each endpoint in the same one; whatever is wrong is 401 with a challenge for Basic.
// Attack_I03: client assertions are not offered, whatever they say.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	p := w.program("orders", []string{account.ScopeIntrospect, account.ScopeRevocations}, nil)
	other := w.program("other", nil, nil)
	raw := func(text string) with {
		return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
	}
	percent := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		return b.String()
	}
	assertion := []string{
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJodHRwczovL2F1dGguZXhhbXBsZSIsImp0aSI6IngifQ.x",
	}
	for _, tt := range []struct {
		name   string
		change with
		form   []string
		status int
		code   string
	}{
		{"Basic", p.basic(), nil, 200, ""},
		{"form-encoded as RFC 6749 asks", raw(percent(p.ID) + ":" + percent(p.secret)), nil, 200, ""},
		{"scheme in another case", header("Authorization", "bAsIc "+base64.StdEncoding.EncodeToString([]byte(p.ID+":"+p.secret))), nil, 200, ""},
		{"form", nil, []string{"client_id", p.ID, "client_secret", p.secret}, 200, ""},
		{"Basic, and the same client_id", p.basic(), []string{"client_id", p.ID}, 200, ""},
		{"both", p.basic(), []string{"client_id", p.ID, "client_secret", p.secret}, 400, "invalid_request"},
		{"Basic, and a secret", p.basic(), []string{"client_secret", p.secret}, 400, "invalid_request"},
		{"Basic, and another client_id", p.basic(), []string{"client_id", other.ID}, 400, "invalid_request"},
		{"two lines", func(r *http.Request) {
			p.basic()(r)
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}, nil, 400, "invalid_request"},
		{"client_id alone", nil, []string{"client_id", p.ID}, 401, "invalid_client"},
		{"secret alone", nil, []string{"client_secret", p.secret}, 401, "invalid_client"},
		{"empty secret", nil, []string{"client_id", p.ID, "client_secret", ""}, 401, "invalid_client"},
		{"nothing", nil, nil, 401, "invalid_client"},
		{"an access token", bearer("x.y.z"), nil, 401, "invalid_client"},
		{"secret of another", basic(p.ID, other.secret), nil, 401, "invalid_client"},
		{"the name for the ID", basic(p.Name, p.secret), nil, 401, "invalid_client"},
		{"no colon", raw(p.ID + p.secret), nil, 401, "invalid_client"},
		{"many colons", raw(p.ID + ":" + p.secret + ":" + p.secret), nil, 401, "invalid_client"},
		{"a colon first", raw(":" + p.ID + ":" + p.secret), nil, 401, "invalid_client"},
		{"no secret", raw(p.ID + ":"), nil, 401, "invalid_client"},
		{"UTF-8", raw("grüße:schlüssel"), nil, 401, "invalid_client"},
		{"not UTF-8", raw("\xff\xfe:\xff"), nil, 401, "invalid_client"},
		{"NUL", raw(p.ID + "\x00:" + p.secret), nil, 401, "invalid_client"},
		{"bad escape", raw(p.ID + ":%zz"), nil, 401, "invalid_client"},
		{"not base64", header("Authorization", "Basic !!!!"), nil, 401, "invalid_client"},
		{"base64 with stray bits", header("Authorization", "Basic YR=="), nil, 401, "invalid_client"},
		{"base64url", header("Authorization", "Basic "+base64.URLEncoding.EncodeToString([]byte{0xfb, 0xff})), nil, 401, "invalid_client"},
		{"nothing after Basic", header("Authorization", "Basic"), nil, 401, "invalid_client"},
		{"12 KB", raw(strings.Repeat("x", 9000) + ":" + p.secret), nil, 401, "invalid_client"},
		{"1 MB", raw(strings.Repeat("x", 1<<20)), nil, 431, "headers_too_large"},
		{"an assertion", nil, assertion, 401, "invalid_client"},
		{"an assertion beside the secret", p.basic(), assertion, 401, "invalid_client"},
		{"half an assertion beside the secret", p.basic(), assertion[2:], 401, "invalid_client"},
		{"the type of an assertion beside the secret", p.basic(), assertion[:2], 401, "invalid_client"},
		{"an assertion with client_id", nil, append([]string{"client_id", p.ID}, assertion...), 401, "invalid_client"},
	} {
		for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect", "/revocations"} {
			change := tt.change
			if change == nil {
				change = func(*http.Request) {}
			}
			pairs := append([]string{"grant_type", "client_credentials", "token", "x"}, tt.form...)
			var a answer
			switch {
			case path != "/revocations":
				a = w.form(path, pairs, change)
			case tt.form != nil: // there Basic alone counts
				continue
			default:
				a = w.do("GET", path, nil, change)
			}
			missing := slices.Contains([]string{"client_id alone", "secret alone", "empty secret", "nothing"}, tt.name)
			if says := strings.HasPrefix(a.text("error_description"), "the client credentials are missing: send "); says != missing {
				t.Errorf("%s at %s: %s", tt.name, path, a.body)
			}
			if a.status != tt.status || a.text("error") != tt.code {
				t.Errorf("%s: %s: %d %s", path, tt.name, a.status, a.body)
			}
		}
	}
}

// Standard_O07 Standard_V09: guessing is limited at each endpoint, by network, and costs no known client anything.
func TestClientGuessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	p, late := w.program("orders", nil, nil), w.program("late", nil, nil)
	w.granted(p)
	paths := []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"}
	refused := 0
	for i := range 130 {
		a := w.form(paths[i%3], []string{"token", "x"}, basic(p.ID, "dws_wrong"))
		if a.status == 429 {
			refused++
			continue
		}
		a.want(t, 401, "invalid_client")
	}
	if refused != 10 {
		t.Errorf("%d of 130 were not looked at, want 10", refused)
	}
	w.form("/oauth/token", []string{"grant_type", "client_credentials"}, late.basic()).want(t, 429, "too_many_requests")
	w.granted(p)
}

// A client that asks for tokens without a pause has to wait, and the others do not. What it asks for here it does not get, so
// that nothing is written. The count begins anew with the minute, which may happen once meanwhile.
func TestClientPace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	busy, other := w.program("busy", nil, nil), w.program("other", nil, nil)
	asked := 0
	for ; asked <= 2*oauth.GrantLimit; asked++ {
		a := w.form("/oauth/token", []string{"grant_type", "client_credentials", "scope", "none"}, busy.basic())
		if a.status == 429 {
			a.want(t, 429, "too_many_requests")
			break
		}
		a.want(t, 400, "invalid_scope")
	}
	if asked < oauth.GrantLimit || asked > 2*oauth.GrantLimit {
		t.Errorf("refused after %d, want %d", asked, oauth.GrantLimit)
	}
	w.granted(other)
}

// A client that is disabled or removed is let in no more, at once, and its tokens end.
func TestClientDisabledEndsTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	judge := w.program("judge", []string{account.ScopeIntrospect}, nil)
	for name, end := range map[string]func(id string) ([]doorward.Revocation, error){
		"disabled": func(id string) ([]doorward.Revocation, error) {
			return w.set.server.Clients.SetDisabled(t.Context(), id, true, issuer.Event{})
		},
		"removed": func(id string) ([]doorward.Revocation, error) {
			return w.set.server.Clients.Remove(t.Context(), id, issuer.Event{})
		},
	} {
		p := w.program(name, nil, nil)
		token := w.granted(p).text("access_token")
		if a := w.form("/oauth/introspect", []string{"token", token}, judge.basic()); a.object["active"] != true {
			t.Fatalf("%s: %s", name, a.body)
		}
		if _, err := end(p.ID); err != nil {
			t.Fatal(err)
		}
		w.form("/oauth/token", []string{"grant_type", "client_credentials"}, p.basic()).want(t, 401, "invalid_client")
		if a := w.form("/oauth/introspect", []string{"token", token}, judge.basic()); a.object["active"] != false {
			t.Errorf("%s: %s", name, a.body)
		}
		w.do("GET", "/me", nil, bearer(token)).want(t, 401, "invalid_token")
	}
}

// What a client's token may do at Doorward itself: nothing that is a person's.
func TestClientTokenAtDoorward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := bearer(w.granted(w.program("orders", []string{"admin", "read"}, nil)).text("access_token"))
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/me", nil, 200},
		{"GET", "/sessions", nil, 403},
		{"POST", "/password", map[string]string{"current": aliceWord, "new": goodWord}, 401},
		{"GET", "/admin/v1/users", nil, 403},
	} {
		if a := w.do(tt.method, tt.path, tt.body, token); a.status != tt.status {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.status, a.body)
		}
	}
	if a := w.do("POST", "/logout", nil, token); a.status != 204 {
		t.Errorf("logout: %d %s", a.status, a.body)
	}
	w.do("GET", "/me", nil, token).want(t, 401, "invalid_token")
}

// Standard_D01 Standard_D02 Standard_D03 Standard_D04 Standard_D05 Standard_D06 Standard_D07: the metadata is true. Each
// endpoint that it names answers, by each method that it names; what is not there is not named.
func TestMetadataIsTrue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ issuer, prefix, where string }{
		{issuerURL, "", "/.well-known/oauth-authorization-server"},
		{issuerURL, "/auth", "/.well-known/oauth-authorization-server"},
		{issuerURL + "/tenant/", "/tenant", "/.well-known/oauth-authorization-server/tenant"},
	} {
		w := newWorld(t, func(s *settings) {
			s.issuer.Issuer, s.server.Prefix, s.direct = tt.issuer, tt.prefix, true
		})
		p := w.program("orders", []string{account.ScopeIntrospect}, nil)
		meta := w.do("GET", tt.where, nil).want(t, 200, "")
		members := []string{
			"grant_types_supported", "introspection_endpoint", "introspection_endpoint_auth_methods_supported", "issuer", "jwks_uri",
			"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "token_endpoint", "token_endpoint_auth_methods_supported",
		}
		for name, value := range meta.object {
			if list, ok := value.([]any); !slices.Contains(members, name) || ok && len(list) == 0 {
				t.Errorf("%s is %v", name, value)
			}
		}
		if len(meta.object) != len(members) || meta.text("issuer") != tt.issuer {
			t.Errorf("%s", meta.body)
		}
		if a := w.do("GET", strings.TrimPrefix(meta.text("jwks_uri"), issuerURL), nil); a.status != 200 {
			t.Errorf("%s: %d", meta.text("jwks_uri"), a.status)
		}
		for _, name := range []string{"token", "revocation", "introspection"} {
			at, ok := strings.CutPrefix(meta.text(name+"_endpoint"), issuerURL)
			if !ok || !strings.HasPrefix(at, tt.prefix+"/") {
				t.Errorf("%s_endpoint is %q", name, meta.text(name+"_endpoint"))
			}
			grants, _ := meta.object["grant_types_supported"].([]any)
			for _, grant := range grants {
				if grant == grantExchange { // of keys, by which no client authenticates: TestKeyExchange
					continue
				}
				body := []string{"token", "x", "refresh_token", "x", "grant_type", grant.(string)}
				methods, _ := meta.object[name+"_endpoint_auth_methods_supported"].([]any)
				for _, method := range methods {
					change, pairs := p.basic(), body
					if method == "client_secret_post" {
						change, pairs = func(*http.Request) {}, append(slices.Clone(body), "client_id", p.ID, "client_secret", p.secret)
					}
					a := w.form(at, pairs, change)
					if a.status != 200 && a.text("error") != "invalid_grant" {
						t.Errorf("%s by %v, %v: %d %s", at, method, grant, a.status, a.body)
					}
				}
				if len(methods) != 2 {
					t.Errorf("%s: methods %v", name, methods)
				}
			}
			if len(grants) != 3 {
				t.Errorf("grants %v", grants)
			}
		}
	}
}
