package doorward_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

const otherIssuer = "https://login.other.example/"

// memoryKeys is a key set with a network behind it: fetch is asked for what it does not know.
type memoryKeys struct {
	jwt.KeySet
	fetch func(kid string) (*jwt.Key, error)
}

func (m memoryKeys) Known(ctx context.Context, kid string) (*jwt.Key, error) {
	return m.KeySet.Key(ctx, kid)
}

func (m memoryKeys) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	if key, err := m.Known(ctx, kid); err == nil {
		return key, nil
	}
	return m.fetch(kid)
}

// pair is two issuers joined. Their keys share a kid if sameKid is set.
type pair struct {
	a, b, stranger subject // stranger has no verifier among those joined
	v              *doorward.Verifier
	fetched        []string
	down           error // of b's network
}

func newPair(t *testing.T, algA, algB jwt.Algorithm, sameKid bool) *pair {
	t.Helper()
	p := &pair{}
	names := [3]string{"a", "b", "stranger"}
	if sameKid {
		names = [3]string{"1", "1", "1"}
	}
	p.a = named(t, algA, names[0], nil)
	p.b = named(t, algB, names[1], func(c *doorward.Config) {
		c.Issuer, c.Types, c.RequireClaims = otherIssuer, []string{"JWT"}, []string{"client_id"}
		c.Keys = memoryKeys{c.Keys, func(kid string) (*jwt.Key, error) {
			p.fetched = append(p.fetched, kid)
			if p.down != nil {
				return nil, p.down
			}
			return nil, jwt.ErrKey
		}}
	})
	p.stranger = named(t, algB, names[2], nil)
	var err error
	if p.v, err = doorward.AnyOf(p.a.v, p.b.v); err != nil {
		t.Fatal(err)
	}
	return p
}

// named is a subject whose key has the kid.
func named(t *testing.T, alg jwt.Algorithm, kid string, change func(*doorward.Config)) subject {
	t.Helper()
	key, err := newKey(t, alg).WithID(kid)
	if err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, alg, func(c *doorward.Config) {
		c.Keys = key
		if public, err := key.Public(); err == nil {
			c.Keys = public
		}
		if change != nil {
			change(c)
		}
	})
	s.key = key
	return s
}

// Attack_A19, Attack_A27, Standard_C10: a key speaks for its own issuer alone, whether the issuers share a kid or not, and
// whatever kinds their keys are.
func TestAnyOf(t *testing.T) {
	t.Parallel()
	past := time.Now().Unix() - 60
	of := func(issuer string, more map[string]any) map[string]any {
		claims := map[string]any{"iss": issuer}
		for name, value := range more {
			claims[name] = value
		}
		return claims
	}
	for _, kinds := range [][2]jwt.Algorithm{{jwt.EdDSA, jwt.EdDSA}, {jwt.EdDSA, jwt.ES256}, {jwt.HS256, jwt.RS256}, {jwt.HS256, jwt.HS256}} {
		for _, sameKid := range []bool{false, true} {
			t.Run(fmt.Sprint(kinds, sameKid), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, kinds[0], kinds[1], sameKid)
				notSigned := jwt.ErrKey
				if sameKid {
					notSigned = jwt.ErrSignature
				}
				for _, tt := range []struct {
					name    string
					signer  subject
					typ     string
					claims  map[string]any
					wantErr error
				}{
					{"of A", p.a, "at+jwt", nil, nil},
					{"of B", p.b, "JWT", of(otherIssuer, nil), nil},
					{"A with iss B", p.a, "at+jwt", of(otherIssuer, nil), doorward.ErrIssuer},
					{"B with iss A", p.b, "JWT", of(testIssuer, nil), doorward.ErrIssuer},
					{"B with iss A and A's type", p.b, "at+jwt", of(testIssuer, nil), jwt.ErrType},
					{"A with B's type", p.a, "JWT", nil, jwt.ErrType},
					{"B with a slash less", p.b, "JWT", of(strings.TrimSuffix(otherIssuer, "/"), nil), doorward.ErrIssuer},
					{"A with a slash more", p.a, "at+jwt", of(testIssuer+"/", nil), doorward.ErrIssuer},
					{"A with a prefix", p.a, "at+jwt", of(testIssuer[:9], nil), doorward.ErrIssuer},
					{"A in capitals", p.a, "at+jwt", of(strings.ToUpper(testIssuer), nil), doorward.ErrIssuer},
					{"A without iss", p.a, "at+jwt", of("", map[string]any{"iss": remove}), doorward.ErrIssuer},
					{"A expired", p.a, "at+jwt", map[string]any{"iat": past - 9, "exp": past}, doorward.ErrExpired},
					{"B expired", p.b, "JWT", of(otherIssuer, map[string]any{"iat": past - 9, "exp": past}), doorward.ErrExpired},
					{"B for another audience", p.b, "JWT", of(otherIssuer, map[string]any{"aud": "x"}), doorward.ErrAudience},
					{"B without what it requires", p.b, "JWT", of(otherIssuer, map[string]any{"client_id": remove}), doorward.ErrClaims},
					{"stranger with iss A", p.stranger, "at+jwt", nil, notSigned},
					{"stranger with iss B", p.stranger, "JWT", of(otherIssuer, nil), notSigned},
				} {
					raw := sign(t, tt.signer.key, tt.typ, changed(tt.claims))
					for range 2 { // the second time with a warm cache
						c, err := p.v.Verify(t.Context(), raw)
						if !errors.Is(err, tt.wantErr) || (c == nil) == (err == nil) {
							t.Errorf("%s: Verify = %v, %v; want %v", tt.name, c, err, tt.wantErr)
						}
					}
				}
			})
		}
	}
}

// Which error wins, and who is asked to fetch: nobody for a token whose key is in memory.
func TestAnyOfFetches(t *testing.T) {
	t.Parallel()
	down := errors.New("no route to host")
	for _, tt := range []struct {
		name    string
		sameKid bool
		down    error
		token   func(p *pair) string
		wantErr error
		fetches int // at least; 0 = none at all
	}{
		{"of A, B down", false, down, func(p *pair) string { return p.a.token(t, nil) }, nil, 0},
		{"of A, expired, B down", false, down, func(p *pair) string {
			return p.a.token(t, map[string]any{"iat": 1, "exp": 2})
		}, doorward.ErrExpired, 0},
		{"garbage", false, down, func(*pair) string { return "x.y.z" }, jwt.ErrMalformed, 0},
		{"of a stranger", false, nil, func(p *pair) string { return p.stranger.token(t, nil) }, jwt.ErrKey, 1},
		{"of a stranger, B down", false, down, func(p *pair) string { return p.stranger.token(t, nil) }, doorward.ErrNoKeys, 1},
		{"forged with A's kid, B down", false, down, func(p *pair) string {
			forged, err := p.stranger.key.WithID("a")
			if err != nil {
				t.Fatal(err)
			}
			return sign(t, forged, "at+jwt", goodClaims())
		}, doorward.ErrNoKeys, 1},
		{"forged with both's kid, B down", true, down, func(p *pair) string { return p.stranger.token(t, nil) }, jwt.ErrSignature, 0},
		{"A with iss B, B down", false, down, func(p *pair) string { return p.a.token(t, map[string]any{"iss": otherIssuer}) }, doorward.ErrIssuer, 1},
	} {
		p := newPair(t, jwt.EdDSA, jwt.EdDSA, tt.sameKid)
		p.down = tt.down
		raw := tt.token(p)
		turned, err := doorward.AnyOf(p.b.v, p.a.v) // the order does not matter
		if err != nil {
			t.Fatal(err)
		}
		if _, err := turned.Verify(t.Context(), raw); !errors.Is(err, tt.wantErr) {
			t.Errorf("%s, turned round: %v, want %v", tt.name, err, tt.wantErr)
		}
		_, err = p.v.Verify(t.Context(), raw)
		if !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if (len(p.fetched) > 0) != (tt.fetches > 0) {
			t.Errorf("%s: fetched %q", tt.name, p.fetched)
		}
		for _, other := range []error{doorward.ErrNoKeys, jwt.ErrSignature, doorward.ErrIssuer, doorward.ErrExpired, jwt.ErrMalformed} {
			if !errors.Is(other, tt.wantErr) && errors.Is(err, other) {
				t.Errorf("%s is also %v", tt.name, other)
			}
		}
	}
}

// Of several issuers whose keys are not in memory, one that knows the key decides: no other is asked, and none undoes it.
func TestAnyOfFetchesUntilDecided(t *testing.T) {
	t.Parallel()
	var fetched []string
	away := func(kid, issuer string) subject {
		return named(t, jwt.EdDSA, kid, func(c *doorward.Config) {
			keys := c.Keys
			c.Issuer, c.Keys = issuer, memoryKeys{&jwt.Set{}, func(asked string) (*jwt.Key, error) {
				fetched = append(fetched, kid)
				return keys.Key(t.Context(), asked)
			}}
		})
	}
	a, b := away("a", testIssuer), away("b", otherIssuer)
	both, err := doorward.AnyOf(a.v, b.v)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, raw string
		wantErr   error
		want      []string
	}{
		{"good", a.token(t, nil), nil, []string{"a"}},
		{"expired", a.token(t, map[string]any{"iat": 1, "exp": 2}), doorward.ErrExpired, []string{"a"}},
		{"of the second", b.token(t, map[string]any{"iss": otherIssuer}), nil, []string{"a", "b"}},
	} {
		fetched = nil
		if _, err := both.Verify(t.Context(), tt.raw); !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if diff := cmp.Diff(tt.want, fetched); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// The verified-token cache is each verifier's own: what one has verified another, with another
// policy, judges anew, alone or joined.
func TestCacheIsNotShared(t *testing.T) {
	t.Parallel()
	outcomes := map[string]doorward.Outcome{}
	a, _ := watched(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Observe = func(o doorward.Outcome) { outcomes["a"] = o }
	})
	public, err := a.key.Public()
	if err != nil {
		t.Fatal(err)
	}
	strict := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Keys, c.RequireClaims = public, []string{"tenant"}
		c.Observe = func(o doorward.Outcome) { outcomes["strict"] = o }
	})
	other := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Keys, c.Issuer = public, otherIssuer })
	both, err := doorward.AnyOf(strict.v, other.v)
	if err != nil {
		t.Fatal(err)
	}
	token := a.token(t, nil)
	for range 2 {
		if _, err := a.v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if !outcomes["a"].Cached {
		t.Fatal("not cached")
	}
	for name, v := range map[string]*doorward.Verifier{"alone": strict.v, "joined": both} {
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, doorward.ErrClaims) || outcomes["strict"].Cached {
			t.Errorf("%s: %v, cached %v", name, err, outcomes["strict"].Cached)
		}
	}
	// Two issuers with one key: iss decides between them.
	token = a.token(t, map[string]any{"iss": otherIssuer})
	if _, err := both.Verify(t.Context(), token); err != nil {
		t.Errorf("a key that two issuers share: %v", err)
	}
}

// A joined verifier does all that a verifier does, with the first one's manners.
func TestAnyOfRequests(t *testing.T) {
	t.Parallel()
	var seen []doorward.Outcome
	a := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Realm, c.Observe = "first", func(o doorward.Outcome) { seen = append(seen, o) }
	})
	b := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Issuer = otherIssuer })
	c := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Issuer = "https://c.example" })
	inner, err := doorward.AnyOf(b.v, c.v)
	if err != nil {
		t.Fatal(err)
	}
	v, err := doorward.AnyOf(a.v, inner)
	if err != nil {
		t.Fatal(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if c, ok := doorward.ClaimsFrom(r.Context()); ok {
			w.Header().Set("Iss", c.Issuer)
		}
	}
	own := func(w http.ResponseWriter, r *http.Request) {
		raw, err := v.Token(r)
		if err == nil {
			_, err = v.Verify(r.Context(), raw)
		}
		if err != nil {
			v.Refuse(w, r, err)
		}
	}
	// One token each: two that are made in different seconds differ.
	tokenB, tokenC := b.token(t, map[string]any{"iss": otherIssuer}), c.token(t, map[string]any{"iss": "https://c.example"})
	for _, tt := range []struct {
		name    string
		handler http.Handler
		token   string
		want    string
	}{
		{"A", v.Require()(http.HandlerFunc(handler)), a.token(t, nil), "200 " + testIssuer},
		{"B", v.Require(doorward.HasScope("orders:read"))(http.HandlerFunc(handler)), tokenB, "200 " + otherIssuer},
		{"C", v.Optional()(http.HandlerFunc(handler)), tokenC, "200 https://c.example"},
		{
			"C without scope", v.Require(doorward.HasScope("x"))(http.HandlerFunc(handler)), tokenC,
			`403 Bearer realm="first", error="insufficient_scope", error_description="the token does not have the scope", scope="x"`,
		},
		{"none", v.Optional()(http.HandlerFunc(handler)), "", "200 "},
		{
			"A of B", v.Require()(http.HandlerFunc(handler)), a.token(t, map[string]any{"iss": otherIssuer}),
			`401 Bearer realm="first", error="invalid_token", error_description="token not valid"`,
		},
		{"own", http.HandlerFunc(own), tokenB, "200 "},
		{"own, refused", http.HandlerFunc(own), b.token(t, nil), `401 Bearer realm="first", error="invalid_token", error_description="token not valid"`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		w := httptest.NewRecorder()
		tt.handler.ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate")+w.Header().Get("Iss")); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	want := []doorward.Outcome{
		{Reason: "ok"},
		{Reason: "ok"},
		{Reason: "ok"},
		{Reason: "scope", Cached: true},
		{Reason: "anonymous"},
		{Reason: "issuer"},
		{Reason: "ok", Cached: true},
		{Reason: "issuer"},
		{Reason: "issuer"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestAnyOfRefuses(t *testing.T) {
	t.Parallel()
	a := newSubject(t, jwt.EdDSA, nil)
	again := newSubject(t, jwt.ES256, nil)
	elsewhere := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Issuer, c.Extractors = otherIssuer, []doorward.Extractor{doorward.Header("x-access-token")}
	})
	for name, verifiers := range map[string][]*doorward.Verifier{
		"needs a verifier":         nil,
		"verifier 1 is nil":        {a.v, nil},
		"two verifiers of":         {a.v, again.v},
		"in other places than the": {a.v, elsewhere.v},
	} {
		if v, err := doorward.AnyOf(verifiers...); v != nil || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("AnyOf = %v, %v; want an error with %q", v, err, name)
		}
	}
}

// Verifiers are joined if they look in the same places, and not if Vary alone is the same.
func TestAnyOfPlaces(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	bearer := doorward.BearerHeader()
	for name, test := range map[string]struct {
		first, second []doorward.Extractor
		good          bool
	}{
		"the same":             {[]doorward.Extractor{bearer, doorward.Query("token")}, []doorward.Extractor{doorward.BearerHeader(), doorward.Query("token")}, true},
		"the same cookie":      {[]doorward.Extractor{doorward.Cookie("c", app)}, []doorward.Extractor{doorward.Cookie("c", app)}, true},
		"a query more":         {[]doorward.Extractor{bearer, doorward.Query("token")}, []doorward.Extractor{bearer}, false},
		"another form field":   {[]doorward.Extractor{doorward.FormField("a")}, []doorward.Extractor{doorward.FormField("b")}, false},
		"another cookie":       {[]doorward.Extractor{doorward.Cookie("c")}, []doorward.Extractor{doorward.Cookie("d")}, false},
		"of one's own":         {[]doorward.Extractor{own{"a"}}, []doorward.Extractor{own{"a"}}, true},
		"a function's":         {[]doorward.Extractor{finder(nil)}, []doorward.Extractor{finder(nil)}, true},
		"a scheme in capitals": {[]doorward.Extractor{bearer}, []doorward.Extractor{doorward.SchemeHeader("Authorization", "BEARER")}, true},
		"another scheme":       {[]doorward.Extractor{bearer}, []doorward.Extractor{doorward.SchemeHeader("Authorization", "JWT")}, false},
		"of somebody else":     {[]doorward.Extractor{bearer}, []doorward.Extractor{own{"a"}}, false},
		"first of one's own":   {[]doorward.Extractor{own{"a"}}, []doorward.Extractor{bearer}, false},
		"another's function":   {[]doorward.Extractor{finder(nil)}, []doorward.Extractor{seeker(nil)}, false},
		"another of one's own": {[]doorward.Extractor{own{"a"}}, []doorward.Extractor{own{"b"}}, false},
	} {
		first := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Extractors = test.first })
		second := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Issuer, c.Extractors = otherIssuer, test.second })
		if _, err := doorward.AnyOf(first.v, second.v); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// own is an extractor that is not of the package's.
type own struct{ name string }

func (own) Extract(*http.Request) (string, error) { return "", nil }

type finder func(*http.Request) (string, error)

func (f finder) Extract(r *http.Request) (string, error) { return f(r) }

type seeker func(*http.Request) (string, error)

func (s seeker) Extract(r *http.Request) (string, error) { return s(r) }
