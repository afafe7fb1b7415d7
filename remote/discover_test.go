package remote_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// Standard_D10, Standard_D11: where metadata are looked for, and what of them is believed. ISSUER stands for the server under test.
func TestDiscover(t *testing.T) {
	t.Parallel()
	const good = `{"issuer":"ISSUER","jwks_uri":"ISSUER/keys","x":[{}]}`
	for _, tt := range []struct {
		name, path string            // behind the issuer's host
		documents  map[string]string // by path
		want       string            // path of the key set; "" = refused
	}{
		{"RFC 8414", "", map[string]string{"/.well-known/oauth-authorization-server": good}, "/keys"},
		{"RFC 8414 with a path", "/realms/a", map[string]string{"/.well-known/oauth-authorization-server/realms/a": good}, "/realms/a/keys"},
		{"OpenID", "", map[string]string{"/.well-known/openid-configuration": good}, "/keys"},
		{"OpenID with a path", "/realms/a", map[string]string{"/realms/a/.well-known/openid-configuration": good}, "/realms/a/keys"},
		{"slash at the end", "/", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":"ISSUERkeys"}`}, "/keys"},
		{"path and slash at the end", "/a/", map[string]string{"/.well-known/oauth-authorization-server/a": `{"issuer":"ISSUER","jwks_uri":"ISSUERkeys"}`}, "/a/keys"},
		{"escaped question mark", "/a%3Fb", map[string]string{"/.well-known/oauth-authorization-server/a?b": good}, "/a%3Fb/keys"},
		{"the first is of another issuer", "/a", map[string]string{
			"/.well-known/oauth-authorization-server/a": `{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`,
			"/a/.well-known/openid-configuration":       good,
		}, "/a/keys"},
		{"Attack_A27 another issuer", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"https://evil.example","jwks_uri":"ISSUER/keys"}`}, ""},
		{"Attack_A27 a slash more", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER/","jwks_uri":"ISSUER/keys"}`}, ""},
		{"Attack_A27 a slash less", "/", map[string]string{"/.well-known/openid-configuration": `{"issuer":"HOST","jwks_uri":"ISSUERkeys"}`}, ""},
		{"Attack_A27 capitals", "/a", map[string]string{"/a/.well-known/openid-configuration": `{"issuer":"HOST/A","jwks_uri":"ISSUER/keys"}`}, ""},
		{"Attack_A27 a name in capitals", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"https://evil.example","Issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`}, ""},
		{"no issuer", "", map[string]string{"/.well-known/openid-configuration": `{"jwks_uri":"ISSUER/keys"}`}, ""},
		{"issuer twice", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"https://evil.example","issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`}, ""},
		{"jwks_uri twice", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":"ISSUER/keys","jwks_uri":"ISSUER/other"}`}, ""},
		{"something behind", "", map[string]string{"/.well-known/openid-configuration": good + "{}"}, ""},
		{"no jwks_uri", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER"}`}, ""},
		{"jwks_uri is a number", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":1}`}, ""},
		{"jwks_uri is a file", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`}, ""},
		{"jwks_uri over http", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":"http://169.254.169.254/keys"}`}, ""},
		{"jwks_uri with a password", "", map[string]string{"/.well-known/openid-configuration": `{"issuer":"ISSUER","jwks_uri":"https://a:b@id.example/keys"}`}, ""},
		{"a list", "", map[string]string{"/.well-known/openid-configuration": `[` + good + `]`}, ""},
		{"too long", "", map[string]string{"/.well-known/openid-configuration": good + strings.Repeat(" ", 1<<20)}, ""},
		{"redirect", "", map[string]string{"/.well-known/openid-configuration": "REDIRECT", "/elsewhere": good}, ""},
		{"nothing", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var issuer string
			host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, ok := tt.documents[r.URL.Path]
				switch {
				case !ok:
					http.NotFound(w, r)
				case text == "REDIRECT":
					http.Redirect(w, r, "/elsewhere", http.StatusFound)
				default:
					text = strings.ReplaceAll(text, "HOST", "http://"+r.Host)
					typed("application/json", strings.ReplaceAll(text, "ISSUER", issuer))(w, r)
				}
			}))
			defer host.Close()
			issuer = host.URL + tt.path
			got, err := remote.Discover(t.Context(), issuer)
			if tt.want == "" {
				if !errors.Is(err, remote.ErrMetadata) || got != "" {
					t.Errorf("Discover = %q, %v; want %v", got, err, remote.ErrMetadata)
				}
				if tt.name == "nothing" && strings.Count(err.Error(), "404") != 2 {
					t.Errorf("Discover: %v; want what each place has answered", err)
				}
				if named := fmt.Sprintf(": %q, want %q", issuer+"/", issuer); tt.name == "Attack_A27 a slash more" && !strings.Contains(err.Error(), named) {
					t.Errorf("Discover: %v; want both names: %s", err, named)
				}
				return
			}
			if err != nil || got != host.URL+tt.want {
				t.Errorf("Discover = %q, %v; want %q", got, err, host.URL+tt.want)
			}
		})
	}
}

// An issuer that cannot be one is refused, and nobody is asked.
func TestDiscoverRefusesIssuer(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"": "is not an absolute URL", "id.example": "is not an absolute URL", "http://id.example": "is not https", "https://id.example?a=b": "has a query",
		"https://id.example?": "has a query", "https://id.example#a": "has a fragment", "https://a:b@id.example": "has a user name",
	} {
		if got, err := remote.Discover(t.Context(), issuer); !errors.Is(err, remote.ErrMetadata) || got != "" || !strings.Contains(err.Error(), "the issuer "+want) {
			t.Errorf("Discover(%q) = %q, %v; want that it %s", issuer, got, err, want)
		}
	}
}

// With Config.Issuer the set finds its URL by itself, also when the issuer is down at the start and when it moves its keys.
// An https issuer cannot send us to a host without, this machine included.
func TestIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var metadata, keysURL string
		a, b := kids(t, "a"), kids(t, "b")
		f := newFixture(t, func(c *remote.Config) { c.URL, c.Issuer = "", "https://id.example" })
		site := func(r *http.Request) (*http.Response, error) {
			switch r.URL.String() {
			case "https://id.example/.well-known/openid-configuration":
				return response(200, metadata), nil
			case keysURL:
				if r.URL.Host != "id.example" && r.Header.Get("If-None-Match") != "" {
					t.Error("the ETag of one place was sent to another")
				}
				return response(200, a, "ETag", `"1"`), nil
			}
			return response(404, ""), nil
		}
		f.want(t, "a", remote.ErrUnavailable)
		if got := f.outcome().Reason; got != "metadata" {
			t.Errorf("outcome %q", got)
		}
		f.set(site)
		for _, step := range []struct {
			jwks, set, kid string
			wantErr        error
		}{
			{"http://127.0.0.1/keys", a, "a", remote.ErrUnavailable},
			{"https://id.example/keys", a, "a", nil},
			{"https://keys.example/", b, "b", remote.ErrUnavailable}, // the old place fails first
			{"https://keys.example/", b, "b", nil},
		} {
			time.Sleep(31 * time.Second)
			metadata, keysURL, a = `{"issuer":"https://id.example","jwks_uri":"`+step.jwks+`"}`, step.jwks, step.set
			f.want(t, step.kid, step.wantErr)
		}
		f.want(t, "a", jwt.ErrKey)
	})
}

// Who allows plain HTTP has it for the key set too, as inside a cluster whose issuer is https without.
func TestIssuerInsecure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *remote.Config) { c.URL, c.Issuer, c.InsecureAllowHTTP = "", "https://id.example", true })
	set := kids(t, "a")
	f.set(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() == "http://id.internal/keys" {
			return response(200, set), nil
		}
		return response(200, `{"issuer":"https://id.example","jwks_uri":"http://id.internal/keys"}`), nil
	})
	f.want(t, "a", nil)
}
