package doorward_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// What the tests of PyJWT ask of claims, restated: here there is always an issuer, an audience and an expiry.
func TestClaimsAsPyJWTAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		now := time.Now().Unix()
		for _, tt := range []struct {
			name    string
			change  map[string]any
			wantErr error
		}{
			{"Behaviour_P8 aud object", map[string]any{"aud": raw(`{}`)}, doorward.ErrClaims},
			{"Behaviour_P8 aud number", map[string]any{"aud": 1}, doorward.ErrClaims},
			{"Behaviour_P8 aud with a number among its members", map[string]any{"aud": []any{testAudience, 7}}, doorward.ErrClaims},
			{"Behaviour_P10 iss number", map[string]any{"iss": 123}, doorward.ErrClaims},
			{"Behaviour_P12 exp text", map[string]any{"exp": "not-an-int"}, doorward.ErrClaims},
			{"Behaviour_P12 nbf text", map[string]any{"nbf": "not-an-int"}, doorward.ErrClaims},
			{"Behaviour_P12 iat text", map[string]any{"iat": "not-an-int"}, doorward.ErrClaims},
			{"Behaviour_P13 iat later than now", map[string]any{"iat": now + 60}, doorward.ErrNotYet},
			{"Behaviour_P13 iat as digits in a string", map[string]any{"iat": fmt.Sprint(now)}, doorward.ErrClaims},
			{"Behaviour_P14 aud null", map[string]any{"aud": nil}, doorward.ErrClaims},
			{"Behaviour_P17 expired", map[string]any{"iat": now - 9, "exp": now - 1}, doorward.ErrExpired},
			{"Behaviour_P17 immature", map[string]any{"nbf": now + 60}, doorward.ErrNotYet},
			{"Behaviour_P19 one of a list", map[string]any{"aud": []string{"urn:a", testAudience}}, nil},
			{"Behaviour_P20 Standard_N12 wrong aud", map[string]any{"aud": "urn:a"}, doorward.ErrAudience},
			{"Behaviour_P20 Standard_N12 wrong list", map[string]any{"aud": []string{"urn:a", "urn:b"}}, doorward.ErrAudience},
			{"Behaviour_P21 Standard_C12 aud absent", map[string]any{"aud": remove}, doorward.ErrAudience},
			{"Behaviour_P22 Standard_N11 iss other", map[string]any{"iss": "urn:x"}, doorward.ErrIssuer},
			{"Behaviour_P22 iss absent", map[string]any{"iss": remove}, doorward.ErrIssuer},
			{"Behaviour_P22 Standard_T08 a part of iss", map[string]any{"iss": testIssuer[4:]}, doorward.ErrIssuer},
			{"Standard_T08 Standard_N11 iss longer", map[string]any{"iss": testIssuer + "/"}, doorward.ErrIssuer},
			{"Standard_T08 iss upper case", map[string]any{"iss": strings.ToUpper(testIssuer)}, doorward.ErrIssuer},
			{"Standard_T08 aud prefix", map[string]any{"aud": testAudience[:len(testAudience)-1]}, doorward.ErrAudience},
			{"Standard_T08 aud upper case", map[string]any{"aud": strings.ToUpper(testAudience)}, doorward.ErrAudience},
			{"Behaviour_P33 sub text", map[string]any{"sub": "1234567890"}, nil},
			{"Behaviour_P33 sub number", map[string]any{"sub": 1224344}, doorward.ErrClaims},
			{"Behaviour_P33 sub absent", map[string]any{"sub": remove}, doorward.ErrClaims},
			{"Behaviour_P34 jti text", map[string]any{"jti": "unique"}, nil},
			{"Behaviour_P34 jti number", map[string]any{"jti": 1224344}, doorward.ErrClaims},
			{"Behaviour_P34 jti absent", map[string]any{"jti": remove}, doorward.ErrClaims},
			{"Behaviour_P25 exp absent", map[string]any{"exp": remove}, doorward.ErrClaims},
			{"Behaviour_P25 iat absent", map[string]any{"iat": remove}, doorward.ErrClaims},
		} {
			c, err := s.v.Verify(t.Context(), s.token(t, tt.change))
			if !errors.Is(err, tt.wantErr) || (c == nil) != (tt.wantErr != nil) {
				t.Errorf("%s: Verify = %v, %v; want %v", tt.name, c, err, tt.wantErr)
			}
		}
	})
}

// Behaviour_P18: the leeways, a second to either side of each.
func TestLeewayAsPyJWTAsks_Behaviour_P18(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		for leeway, want := range map[time.Duration]error{5 * time.Second: nil, time.Second: doorward.ErrExpired} {
			s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.ExpiryLeeway, c.Leeway = leeway, leeway })
			if _, err := s.v.Verify(t.Context(), s.token(t, map[string]any{"iat": now - 9, "exp": now - 2})); !errors.Is(err, want) {
				t.Errorf("leeway %v, 2 s after exp: %v, want %v", leeway, err, want)
			}
			if want != nil {
				want = doorward.ErrNotYet
			}
			for _, claim := range []string{"nbf", "iat"} {
				if _, err := s.v.Verify(t.Context(), s.token(t, map[string]any{claim: now + 2})); !errors.Is(err, want) {
					t.Errorf("leeway %v, 2 s before %s: %v, want %v", leeway, claim, err, want)
				}
			}
		}
	})
}

// Behaviour_P25, Behaviour_P37: a claim that is required and absent is named.
func TestRequiredClaimIsNamed_Behaviour_P37(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.RequireClaims = []string{"abc"} })
	if _, err := s.v.Verify(t.Context(), s.token(t, nil)); !errors.Is(err, doorward.ErrClaims) || !strings.Contains(err.Error(), "claim abc is required and missing") {
		t.Errorf("%v, want an ErrClaims that names abc", err)
	}
	if _, err := s.v.Verify(t.Context(), s.token(t, map[string]any{"abc": 0})); err != nil {
		t.Error(err)
	}
}

// Behaviour_P15: times are read as UTC, to the second that was written.
func TestTimesAreUTC_Behaviour_P15(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	at := time.Now().Add(time.Minute).In(time.FixedZone("east", 5*3600)).Truncate(time.Second)
	c, err := s.v.Verify(t.Context(), s.token(t, map[string]any{"exp": at.Unix()}))
	if err != nil || !c.ExpiresAt.Equal(at) || c.ExpiresAt.Location() != time.UTC {
		t.Errorf("%v, %v, want %v in UTC", c, err, at)
	}
}

// Behaviour_P30: a Config is only read, and what is done to it later changes nothing.
func TestConfigIsNotKept_Behaviour_P30(t *testing.T) {
	t.Parallel()
	types, claims := []string{"at+jwt"}, []string{"abc"}
	cfg := doorward.Config{
		Issuer: testIssuer, Audience: testAudience, Keys: newKey(t, jwt.HS256), Revocations: doorward.NoRevocations,
		Types: types, RequireClaims: claims, Logger: quiet(),
	}
	before := cfg
	v, err := doorward.NewVerifier(cfg)
	if err != nil || !reflect.DeepEqual(cfg, before) {
		t.Fatalf("%v, %+v, want %+v", err, cfg, before)
	}
	types[0], claims[0] = "JWT", "sub"
	token := sign(t, cfg.Keys.(*jwt.Key), "JWT", changed(nil))
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, jwt.ErrType) {
		t.Errorf("%v, want ErrType", err)
	}
}

// Standard_T20: claims repeated in the header (RFC 7519 §5.3) are ignored.
func TestClaimsInTheHeaderAreIgnored_Standard_T20(t *testing.T) {
	t.Parallel()
	secret := []byte("6Q0w3pN8rT5yU2iK7lZ4xC1vB9mS0dFg")
	key, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.Keys = key })
	for claim, want := range map[string]error{"{}": doorward.ErrClaims, "": nil} {
		payload, _ := json.Marshal(goodClaims())
		if claim != "" {
			payload = []byte(claim)
		}
		header := `{"alg":"HS256","typ":"at+jwt","iss":"` + testIssuer + `","aud":"` + testAudience + `","sub":"eve","exp":1,"jti":"x","iat":1}`
		c, err := s.v.Verify(t.Context(), hs256(header, string(payload), secret))
		if !errors.Is(err, want) || err == nil && c.Subject != "ann" {
			t.Errorf("payload %s: %v, %v, want %v", payload, c, err, want)
		}
	}
}

// hs256 signs any header and payload.
func hs256(header, payload string, secret []byte) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return input + "." + base64.RawURLEncoding.EncodeToString(hmacOf(input, secret))
}

func hmacOf(input string, secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

// Attack_A24: the signature that would have been right is in no error, log line or answer, in no spelling.
func TestRightSignatureIsNotTold_Attack_A24(t *testing.T) {
	t.Parallel()
	secret := []byte("6Q0w3pN8rT5yU2iK7lZ4xC1vB9mS0dFg")
	key, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, func(c *doorward.Config) { c.Keys = key })
	good := sign(t, key, "at+jwt", changed(nil))
	dot := strings.LastIndexByte(good, '.')
	right := hmacOf(good[:dot], secret)
	for _, signature := range []string{"", "AAAA", base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "AAAA" + good[dot+5:]} {
		text := good[:dot+1] + signature
		_, err := a.v.Verify(t.Context(), text)
		if err == nil {
			t.Fatalf("%q is accepted", text)
		}
		got := a.get(t, "/need", text)
		told := fmt.Sprintf("%v %+v %#v %s %v %s", err, err, err, got.body, got.header, a.log.String())
		for _, form := range []string{good[dot+1 : dot+11], base64.StdEncoding.EncodeToString(right)[:10], hex.EncodeToString(right)[:10], fmt.Sprintf("%d", right[:5])} {
			if strings.Contains(told, strings.Trim(form, "[]")) {
				t.Errorf("%q is in %s", form, told)
			}
		}
		if got.status != http.StatusUnauthorized {
			t.Errorf("status %d", got.status)
		}
	}
	if !strings.Contains(a.log.String(), "signature") {
		t.Error("the log says nothing: the test looked at nothing")
	}
}

// Standard_C19: each issuer has its own algorithms, since its verifier has its own keys.
func TestAlgorithmsPerIssuer_Standard_C19(t *testing.T) {
	t.Parallel()
	other, err := newKey(t, jwt.ES256).WithID("k")
	if err != nil {
		t.Fatal(err)
	}
	own, err := newKey(t, jwt.EdDSA).WithID("k")
	if err != nil {
		t.Fatal(err)
	}
	first := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Keys = own })
	second := newSubject(t, jwt.ES256, func(c *doorward.Config) { c.Keys, c.Issuer = other, "https://two.example" })
	claims := changed(nil)
	if _, err := first.v.Verify(t.Context(), sign(t, own, "at+jwt", claims)); err != nil {
		t.Error(err)
	}
	if _, err := first.v.Verify(t.Context(), sign(t, other, "at+jwt", claims)); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("the other issuer's algorithm: %v, want ErrKey", err)
	}
	if _, err := second.v.Verify(t.Context(), sign(t, own, "at+jwt", claims)); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("the first issuer's algorithm: %v, want ErrKey", err)
	}
}

// Standard_C11: a subject that the application has ended is refused, and a subject that is nobody is.
func TestSubjectMustExist_Standard_C11(t *testing.T) {
	t.Parallel()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.Revocations = set })
	token := s.token(t, nil)
	if _, err := s.v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	set.Add(doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: "ffffffff-ffff-7fff-bfff-ffffffffffff"})
	if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, doorward.ErrRevoked) {
		t.Errorf("a deleted subject: %v, want ErrRevoked", err)
	}
	if _, err := s.v.Verify(t.Context(), s.token(t, map[string]any{"sub": ""})); !errors.Is(err, doorward.ErrClaims) {
		t.Errorf("nobody: %v, want ErrClaims", err)
	}
}

// FuzzExtractors: Attack_B15. An extractor finds a token or says what is wrong, never both, and what is found in a header
// is one token of the grammar.
func FuzzExtractors(f *testing.F) {
	for _, seed := range []string{"Bearer a.b.c", "bearer  a.b.c", "Bearer", "Bearer a b", "Basic YTpi", "Bearer a, Bearer b", "Bearer\ta", "Bearer a==", "é", ""} {
		f.Add(seed, "__Host-t="+seed, "t="+seed)
	}
	places := []doorward.Extractor{
		doorward.BearerHeader(), doorward.Header("Authorization"), doorward.SchemeHeader("Authorization", "JWT"),
		doorward.Cookie("__Host-t"), doorward.Query("t"), doorward.FormField("t"), doorward.JSONField("t"),
	}
	f.Fuzz(func(t *testing.T, header, cookie, text string) {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "application/json"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text))
			r.URL.RawQuery = text
			r.Header["Authorization"], r.Header["Cookie"] = []string{header}, []string{cookie}
			r.Header.Set("Content-Type", contentType)
			for i, place := range places {
				token, err := place.Extract(r)
				if err != nil && token != "" {
					t.Fatalf("%T: %q with %v", place, token, err)
				}
				if i < 3 && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != "" {
					t.Fatalf("%T found %q", place, token)
				}
			}
		}
	})
}
