package doorward_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Behaviour_F5, Behaviour_F9, Behaviour_F11, Behaviour_B42: a wrong setting stops the start and is named.
func TestNewVerifierRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwt.HS256)
	for _, tt := range []struct {
		name, want string
		change     func(*doorward.Config)
	}{
		{"no issuer", "doorward: Config.Issuer is required", func(c *doorward.Config) { c.Issuer = "" }},
		{"no audience", "Config.Audience is required", func(c *doorward.Config) { c.Audience = "" }},
		{"no keys", "Config.Keys is required", func(c *doorward.Config) { c.Keys = nil }},
		{"no revocations", "Config.Revocations is required", func(c *doorward.Config) { c.Revocations = nil }},
		{"types empty", "Config.Types is empty", func(c *doorward.Config) { c.Types = []string{} }},
		{"JWT alone", "Config.RequireClaims is required", func(c *doorward.Config) { c.Types = []string{"JWT"} }},
		{"JWT too", "Config.RequireClaims is required", func(c *doorward.Config) { c.Types = []string{"at+jwt", "JWT"} }},
		{"no typ", "Config.RequireClaims is required", func(c *doorward.Config) { c.Types = []string{""} }},
		{"required claim empty", "Config.RequireClaims has an empty name", func(c *doorward.Config) { c.RequireClaims = []string{""} }},
		{"leeway negative", "Config.Leeway", func(c *doorward.Config) { c.Leeway = -1 }},
		{"Standard_T06 leeway too large", "Config.Leeway", func(c *doorward.Config) { c.Leeway = 6 * time.Minute }},
		{"expiry leeway negative", "Config.ExpiryLeeway", func(c *doorward.Config) { c.ExpiryLeeway = -1 }},
		{"Standard_T06 expiry leeway too large", "Config.ExpiryLeeway", func(c *doorward.Config) { c.ExpiryLeeway = 61 * time.Second }},
		{"lifetime negative", "Config.MaxLifetime", func(c *doorward.Config) { c.MaxLifetime = -1 }},
		{"Attack_C17 realm", "Config.Realm", func(c *doorward.Config) { c.Realm = "a\"\r\nX: y" }},
		{"no place", "Config.Extractors is empty", func(c *doorward.Config) { c.Extractors = []doorward.Extractor{} }},
		{"nil place", "Config.Extractors[1] is nil", places(doorward.BearerHeader(), nil)},
		{
			"same place twice", "Config.Extractors[1]: header Authorization with scheme bearer is named twice",
			places(doorward.BearerHeader(), doorward.SchemeHeader("authorization", "BEARER")),
		},
		{"header name", "Config.Extractors[0]", places(doorward.Header(""))},
		{"header name with a space", "Config.Extractors[0]", places(doorward.Header("x token"))},
		{"scheme", "Config.Extractors[0]", places(doorward.SchemeHeader("Authorization", ""))},
		{"cookie name", "Config.Extractors[0]", places(doorward.Cookie("a=b"))},
		{"trusted origin", "Config.Extractors[0]: cookie a", places(doorward.Cookie("a", "example.com/path"))},
		{"form field", "Config.Extractors[0]", places(doorward.FormField(""))},
		{"JSON member", "Config.Extractors[0]", places(doorward.JSONField(""))},
		{"query parameter", "Config.Extractors[0]", places(doorward.Query(""))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := doorward.Config{Issuer: testIssuer, Audience: testAudience, Keys: key, Revocations: doorward.NoRevocations}
			if _, err := doorward.NewVerifier(cfg); err != nil {
				t.Fatalf("the configuration without the fault: %v", err)
			}
			tt.change(&cfg)
			v, err := doorward.NewVerifier(cfg)
			if err == nil || v != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewVerifier = %v, %v; want an error with %q", v, err, tt.want)
			}
		})
	}
	if _, err := doorward.NewVerifier(doorward.Config{}); err == nil {
		t.Error("the zero Config is accepted")
	}
}

func places(e ...doorward.Extractor) func(*doorward.Config) {
	return func(c *doorward.Config) { c.Extractors = e }
}
