package doorward_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Behaviour_F19, Behaviour_F26, Behaviour_F41, Behaviour_F89, Standard_T10: a good token's claims, in every member.
func TestVerifyClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		now := time.Now().UTC().Truncate(time.Second)
		got, err := s.v.Verify(t.Context(), s.token(t, map[string]any{
			"sub": "an\u00efn\n", "aud": []string{"https://other.example", testAudience}, "team": raw(`{"id": 7}`), "unknown": raw("[null]"),
		}))
		if err != nil {
			t.Fatal(err)
		}
		want := &doorward.Claims{
			Issuer: testIssuer, Subject: "an\u00efn\n", Audience: []string{"https://other.example", testAudience},
			Scope: doorward.Scope{"orders:read", "orders:write"}, Roles: []string{"staff"},
			SessionID: testSession, ClientID: "doorward", ID: "jti-1",
			IssuedAt: now, ExpiresAt: now.Add(600 * time.Second), AuthTime: now, KeyID: s.key.ID(),
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(doorward.Claims{})); diff != "" {
			t.Error(diff)
		}
		var team struct{ ID int }
		if found, err := got.Extra("team", &team); !found || err != nil || team.ID != 7 {
			t.Errorf("Extra(team) = %v, %v, %v", found, err, team)
		}
		var text string
		if found, err := got.Extra("Team", &text); found || err != nil {
			t.Errorf("Extra(Team) = %v, %v; names are exact", found, err)
		}
		if found, err := got.Extra("team", &text); !found || err == nil {
			t.Errorf("Extra into the wrong type = %v, %v", found, err)
		}
		if found, err := (&doorward.Claims{}).Extra("team", &text); found || err != nil {
			t.Errorf("Extra of made-up claims = %v, %v", found, err)
		}
		if !got.HasRole("staff") || got.HasRole("Staff") || got.HasRole("") {
			t.Error("HasRole is not exact")
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		now := time.Now().Unix()
		for _, tt := range []struct {
			name    string
			change  map[string]any
			wantErr error
		}{
			{"Attack_A26 Behaviour_F85 aud missing", map[string]any{"aud": remove}, doorward.ErrAudience},
			{"Attack_A26 Behaviour_F20 Behaviour_F85 aud other", map[string]any{"aud": "https://other.example"}, doorward.ErrAudience},
			{"Attack_A26 aud prefix", map[string]any{"aud": "https://api.exampl"}, doorward.ErrAudience},
			{"Attack_A26 aud suffix", map[string]any{"aud": testAudience + "/"}, doorward.ErrAudience},
			{"Attack_A26 aud case", map[string]any{"aud": "https://API.example"}, doorward.ErrAudience},
			{"Attack_A26 aud look-alike", map[string]any{"aud": "https://\u0430pi.example"}, doorward.ErrAudience},
			{"Attack_A26 aud number", map[string]any{"aud": 1}, doorward.ErrClaims},
			{"Attack_A26 aud array with a number", map[string]any{"aud": []any{testAudience, 1}}, doorward.ErrClaims},
			{"Attack_A26 aud nested", map[string]any{"aud": []any{[]any{testAudience}}}, doorward.ErrClaims},
			{"Standard_T07 aud object", map[string]any{"aud": raw(`{"a":1}`)}, doorward.ErrClaims},
			{"Standard_T07 aud null", map[string]any{"aud": nil}, doorward.ErrClaims},
			{"Behaviour_B17 Behaviour_F18 Behaviour_F21 aud empty array", map[string]any{"aud": []string{}}, doorward.ErrAudience},
			{"Behaviour_F20 aud array of others", map[string]any{"aud": []string{"bar", "baz"}}, doorward.ErrAudience},
			{"Attack_A27 Behaviour_F29 Behaviour_F85 iss missing", map[string]any{"iss": remove}, doorward.ErrIssuer},
			{"Attack_A27 Behaviour_F29 iss slash", map[string]any{"iss": testIssuer + "/"}, doorward.ErrIssuer},
			{"Attack_A27 iss prefix", map[string]any{"iss": testIssuer[:len(testIssuer)-1]}, doorward.ErrIssuer},
			{"Attack_A27 iss longer", map[string]any{"iss": "x" + testIssuer}, doorward.ErrIssuer},
			{"Attack_A27 iss case", map[string]any{"iss": strings.ToUpper(testIssuer)}, doorward.ErrIssuer},
			{"Attack_A27 iss array", map[string]any{"iss": []string{testIssuer}}, doorward.ErrClaims},
			{"Attack_A28 Behaviour_F14 sub missing", map[string]any{"sub": remove}, doorward.ErrClaims},
			{"Attack_A28 Behaviour_B20 sub empty", map[string]any{"sub": ""}, doorward.ErrClaims},
			{"Attack_A28 Behaviour_F28 sub number", map[string]any{"sub": 123}, doorward.ErrClaims},
			{"Behaviour_F28 sub object", map[string]any{"sub": raw("{}")}, doorward.ErrClaims},
			{"Behaviour_F28 sub array", map[string]any{"sub": raw("[]")}, doorward.ErrClaims},
			{"Behaviour_F28 sub false", map[string]any{"sub": false}, doorward.ErrClaims},
			{"Behaviour_F90 sub null", map[string]any{"sub": nil}, doorward.ErrClaims},
			{"Attack_A29 roles string", map[string]any{"roles": "admin"}, doorward.ErrClaims},
			{"Attack_A29 roles object", map[string]any{"roles": raw(`{"admin":true}`)}, doorward.ErrClaims},
			{"Attack_A29 roles nested", map[string]any{"roles": raw(`[["admin"]]`)}, doorward.ErrClaims},
			{"Attack_A29 roles with a number", map[string]any{"roles": raw(`["a",1]`)}, doorward.ErrClaims},
			{"Behaviour_B15a roles true", map[string]any{"roles": true}, doorward.ErrClaims},
			{"Attack_A29 scope array", map[string]any{"scope": []string{"a"}}, doorward.ErrClaims},
			{"Attack_A29 scope tab", map[string]any{"scope": "a\tb"}, doorward.ErrClaims},
			{"Attack_A29 scope double space", map[string]any{"scope": "a  b"}, doorward.ErrClaims},
			{"Attack_A29 scope leading space", map[string]any{"scope": " a"}, doorward.ErrClaims},
			{"Behaviour_B15a scope number", map[string]any{"scope": 1}, doorward.ErrClaims},
			{"sid number", map[string]any{"sid": 1}, doorward.ErrClaims},
			{"client_id array", map[string]any{"client_id": []string{"a"}}, doorward.ErrClaims},
			{"jti number", map[string]any{"jti": 1}, doorward.ErrClaims},
			{"Behaviour_B13 jti missing", map[string]any{"jti": remove}, doorward.ErrClaims},
			{"jti empty", map[string]any{"jti": ""}, doorward.ErrClaims},
			{"iat missing", map[string]any{"iat": remove}, doorward.ErrClaims},
			{"Behaviour_B14 Behaviour_F23 exp missing", map[string]any{"exp": remove}, doorward.ErrClaims},
			{"Attack_B02 Exp instead of exp", map[string]any{"exp": remove, "Exp": now + 600}, doorward.ErrClaims},
			{"Attack_B02 Exp beside an expired exp", map[string]any{"exp": now - 1, "iat": now - 9, "Exp": now + 600, "EXP": now + 600}, doorward.ErrExpired},
			{"Attack_B02 SUB instead of sub", map[string]any{"sub": remove, "SUB": "ann"}, doorward.ErrClaims},
			{"Attack_B04 iat in the future", map[string]any{"iat": now + 60}, doorward.ErrNotYet},
			{"Attack_B04 nbf in the future", map[string]any{"nbf": now + 60}, doorward.ErrNotYet},
			{"Attack_B04 nbf after exp", map[string]any{"nbf": now + 601}, doorward.ErrClaims},
			{"Attack_B04 exp before iat", map[string]any{"iat": now + 700}, doorward.ErrClaims},
			{"Attack_B04 lifetime", map[string]any{"iat": now, "exp": now + 24*3600 + 1}, doorward.ErrClaims},
			{"auth_time string", map[string]any{"auth_time": "now"}, doorward.ErrClaims},
		} {
			if _, err := s.v.Verify(t.Context(), s.token(t, nil)); err != nil {
				t.Fatalf("the token without the fault: %v", err)
			}
			c, err := s.v.Verify(t.Context(), s.token(t, tt.change))
			if !errors.Is(err, tt.wantErr) || c != nil {
				t.Errorf("%s: Verify = %v, %v; want %v", tt.name, c, err, tt.wantErr)
			}
		}
	})
}

// The values of Attack_B03, Standard_T03, Standard_T05, Behaviour_B15, Behaviour_B16 and Behaviour_B18, in exp, nbf, iat and auth_time.
func TestVerifyNumericDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		now := time.Now().Unix() // 2000-01-01 00:00:00 UTC
		s0 := fmt.Sprint(now)
		refused := errors.New("refused for whatever reason")
		for _, tt := range []struct {
			name, claim, value string
			wantErr            error
		}{
			{"string", "exp", `"` + fmt.Sprint(now+9) + `"`, doorward.ErrClaims},
			{"true", "exp", "true", doorward.ErrClaims},
			{"null", "exp", "null", doorward.ErrClaims},
			{"array", "exp", "[]", doorward.ErrClaims},
			{"object", "exp", "{}", doorward.ErrClaims},
			{"1e3", "exp", "1e3", doorward.ErrClaims}, // before iat
			{"1e400", "exp", "1e400", doorward.ErrClaims},
			{"1e30", "exp", "1e30", doorward.ErrClaims},
			{"1e99", "exp", "1e99", doorward.ErrClaims},
			{"-1", "exp", "-1", refused},
			{"0", "exp", "0", refused},
			{"-0", "exp", "-0", refused},
			{"10^400", "exp", "1" + strings.Repeat("0", 400), doorward.ErrClaims},
			{"10^50", "exp", "1" + strings.Repeat("0", 50), doorward.ErrClaims},
			{"max int64", "exp", "9223372036854775807", doorward.ErrClaims},
			{"max int64 + 1", "exp", "9223372036854775808", doorward.ErrClaims},
			{"2^64", "exp", "18446744073709551616", doorward.ErrClaims},
			{"2^64 + soon", "exp", "18446744074656300000", doorward.ErrClaims},
			{"year 10000", "exp", "253402300800", doorward.ErrClaims},
			{"year 9999", "exp", "253402300799", doorward.ErrClaims}, // too long after iat
			{"-62135596800", "exp", "-62135596800", refused},
			{"-1e20", "exp", "-1e20", refused},
			{"now", "exp", s0, doorward.ErrExpired},
			{"now and a hair", "exp", s0 + ".0000000001", nil},
			{"now and a half", "exp", s0 + ".5", nil},
			{"exponent", "exp", fmt.Sprintf("%de-3", now*1000+1), nil},
			{"exponent, now", "exp", fmt.Sprintf("%de-3", now*1000), doorward.ErrExpired},
			{"capital exponent", "exp", fmt.Sprintf("%d.%09dE+2", now/100, now%100*10000000+1), nil},
			{"many zeros", "exp", fmt.Sprint(now+9) + "." + strings.Repeat("0", 40), nil},
			{"too many zeros", "exp", fmt.Sprint(now+9) + "." + strings.Repeat("0", 60), doorward.ErrClaims},
			{"nbf now + leeway", "nbf", fmt.Sprint(now + 30), nil},
			{"nbf a hair later", "nbf", fmt.Sprint(now+30) + ".0000000001", doorward.ErrNotYet},
			{"nbf negative", "nbf", "-1", doorward.ErrClaims},
			{"nbf string", "nbf", `"1"`, doorward.ErrClaims},
			{"nbf null", "nbf", "null", doorward.ErrClaims},
			{"iat now + leeway", "iat", fmt.Sprint(now + 30), nil},
			{"iat a second later", "iat", fmt.Sprint(now + 31), doorward.ErrNotYet},
			{"iat true", "iat", "true", doorward.ErrClaims},
			{"iat 1e400", "iat", "1e400", doorward.ErrClaims},
			{"auth_time []", "auth_time", "[]", doorward.ErrClaims},
		} {
			claims := goodClaims()
			claims["iat"] = now - 60
			claims[tt.claim] = raw(tt.value)
			c, err := s.v.Verify(t.Context(), sign(t, s.key, "at+jwt", claims))
			switch {
			case errors.Is(tt.wantErr, refused):
				if err == nil {
					t.Errorf("%s %s: accepted", tt.claim, tt.name)
				}
			case !errors.Is(err, tt.wantErr):
				t.Errorf("%s %s: Verify = %v, %v; want %v", tt.claim, tt.name, c, err, tt.wantErr)
			}
		}
	})
}

// What the strict reader refuses it refuses also when the signature is good: Attack_B01, Attack_B05, Attack_B08, Attack_B09,
// Standard_T09, Standard_T11, Behaviour_B19, Behaviour_B22.
func TestVerifyStrictJSON(t *testing.T) {
	t.Parallel()
	secret := []byte("6Q0w3pN8rT5yU2iK7lZ4xC1vB9mS0dFg")
	key, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.Keys = key })
	good, err := json.Marshal(goodClaims())
	if err != nil {
		t.Fatal(err)
	}
	with := func(members string) string { return string(good[:len(good)-1]) + members + "}" }
	for _, tt := range []struct {
		name, payload string
		wantErr       error
	}{
		{"good", string(good), nil},
		{"Standard_T10 unknown claim", with(`,"x":[{"y":null}]`), nil},
		{"Attack_B02 other case beside it", with(`,"Sub":"eve","SUB":7`), nil},
		{"Attack_B01 sub twice", with(`,"sub":"eve"`), jwt.ErrMalformed},
		{"Attack_B01 exp twice", with(`,"exp":99999999999`), jwt.ErrMalformed},
		{"Attack_B01 escaped", with(`,"\u0073ub":"eve"`), jwt.ErrMalformed},
		{"Attack_B01 nested", with(`,"x":{"a":1,"a":2}`), jwt.ErrMalformed},
		{"Attack_B05 500 levels", with(`,"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500)), jwt.ErrMalformed},
		{"Attack_B05 open brackets", strings.Repeat("[", 5000), jwt.ErrMalformed},
		{"Attack_B08 invalid UTF-8", with(",\"x\":\"\xff\""), jwt.ErrMalformed},
		{"Attack_B08 lone surrogate", with(`,"x":"\ud800"`), jwt.ErrMalformed},
		{"Attack_B08 BOM", "\ufeff" + string(good), jwt.ErrMalformed},
		{"Attack_B09 trailing", string(good) + "{}", jwt.ErrMalformed},
		{"Attack_B09 comment", with(`/**/`), jwt.ErrMalformed},
		{"Attack_B03 NaN", with(`,"nbf":NaN`), jwt.ErrMalformed},
		{"Attack_B03 Infinity", with(`,"nbf":Infinity`), jwt.ErrMalformed},
		{"Standard_T11 array", "[" + string(good) + "]", jwt.ErrMalformed},
		{"Standard_T11 string", `"x"`, jwt.ErrMalformed},
		{"Standard_T11 null", `null`, jwt.ErrMalformed},
		{"Standard_T11 empty object", `{}`, doorward.ErrClaims},
		{"Behaviour_F84", `{"foo":"bar"}`, doorward.ErrClaims},
	} {
		input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + "." +
			base64.RawURLEncoding.EncodeToString([]byte(tt.payload))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		c, err := s.v.Verify(t.Context(), input+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
		if !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: Verify = %v, %v; want %v", tt.name, c, err, tt.wantErr)
		}
		if err == nil && c.Subject != "ann" {
			t.Errorf("%s: subject %q", tt.name, c.Subject)
		}
	}
}

// Standard_T01, Standard_T02, Standard_T04, Standard_N13, Behaviour_F22, Behaviour_F24, Behaviour_F86: the edges of time, with the clock running.
func TestVerifyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := newSubject(t, jwt.HS256, nil)
		late := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.ExpiryLeeway = 60 * time.Second; c.Leeway = time.Nanosecond })
		now := time.Now().Unix()
		token := func(s subject) string {
			return s.token(t, map[string]any{"iat": now, "nbf": now + 60, "exp": raw(fmt.Sprint(now+120) + ".25")})
		}
		for _, step := range []struct {
			at               time.Duration
			wantErr, wantLax error
		}{
			{30*time.Second - 1, doorward.ErrNotYet, doorward.ErrNotYet},
			{30 * time.Second, nil, doorward.ErrNotYet},
			{60*time.Second - 2, nil, doorward.ErrNotYet},
			{60*time.Second - 1, nil, nil},
			{120*time.Second + 250*time.Millisecond - 1, nil, nil},
			{120*time.Second + 250*time.Millisecond, doorward.ErrExpired, nil},
			{180*time.Second + 250*time.Millisecond - 1, doorward.ErrExpired, nil},
			{180*time.Second + 250*time.Millisecond, doorward.ErrExpired, doorward.ErrExpired},
		} {
			time.Sleep(time.Until(time.Unix(now, 0).Add(step.at)))
			if _, err := strict.v.Verify(t.Context(), token(strict)); !errors.Is(err, step.wantErr) {
				t.Errorf("at %v: %v, want %v", step.at, err, step.wantErr)
			}
			if _, err := late.v.Verify(t.Context(), token(late)); !errors.Is(err, step.wantLax) {
				t.Errorf("at %v with other leeways: %v, want %v", step.at, err, step.wantLax)
			}
		}
	})
}

// One error, one reason, in the fixed order: a token with every fault from one on gets that one's error.
// Standard_T12, Standard_T19, Standard_C06, Behaviour_F83, Behaviour_F88, Behaviour_B24.
func TestVerifyOrder(t *testing.T) {
	t.Parallel()
	revoked := doorward.NewRevocationSet(0)
	revoked.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession})
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Revocations = revoked })
	other := newKey(t, jwt.EdDSA)
	impostor, err := other.WithID(s.key.ID())
	if err != nil {
		t.Fatal(err)
	}
	bad := goodClaims()
	order := []struct {
		name    string
		wantErr error
		token   func() string
	}{
		{"stale", doorward.ErrStale, func() string {
			c := goodClaims()
			c["sid"] = "0193a7b2-1111-7abc-8def-000000000000"
			return sign(t, s.key, "at+jwt", c)
		}},
		{"revoked", doorward.ErrRevoked, func() string { return sign(t, s.key, "at+jwt", bad) }},
		{"audience", doorward.ErrAudience, func() string { bad["aud"] = "x"; return sign(t, s.key, "at+jwt", bad) }},
		{"issuer", doorward.ErrIssuer, func() string { bad["iss"] = "x"; return sign(t, s.key, "at+jwt", bad) }},
		{"not yet", doorward.ErrNotYet, func() string { bad["nbf"] = time.Now().Unix() + 90; return sign(t, s.key, "at+jwt", bad) }},
		{"expired", doorward.ErrExpired, func() string {
			bad["exp"], bad["iat"] = time.Now().Unix()-1, time.Now().Unix()-9
			delete(bad, "nbf")
			return sign(t, s.key, "at+jwt", bad)
		}},
		{"claims", doorward.ErrClaims, func() string { bad["sub"] = 1; return sign(t, s.key, "at+jwt", bad) }},
		{"type", jwt.ErrType, func() string { return sign(t, s.key, "JWT", bad) }},
		{"signature", jwt.ErrSignature, func() string { return sign(t, impostor, "JWT", bad) }},
		{"key", jwt.ErrKey, func() string { return sign(t, other, "JWT", bad) }},
		{"malformed", jwt.ErrMalformed, func() string { return "." + sign(t, other, "JWT", bad) }},
		{"Behaviour_F30", jwt.ErrMalformed, func() string { return "foobarbaz" }},
		{"Behaviour_F83", jwt.ErrMalformed, func() string { return "aaaaa.bbbbb.ccccc" }},
	}
	for _, tt := range order {
		_, err := s.v.Verify(t.Context(), tt.token())
		if !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		for _, other := range order {
			if !errors.Is(tt.wantErr, other.wantErr) && errors.Is(err, other.wantErr) {
				t.Errorf("%s is also %v", tt.name, other.wantErr)
			}
		}
	}
}

// Attack_A25, Standard_C16, Standard_N10, Standard_Z05, Behaviour_B12, Behaviour_F75, Behaviour_F78: tokens of another purpose.
func TestVerifyTypes(t *testing.T) {
	t.Parallel()
	strict := newSubject(t, jwt.HS256, nil)
	lax := newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.Types, c.RequireClaims = []string{"at+jwt", "JWT", ""}, []string{"client_id", "scope"}
	})
	for _, tt := range []struct {
		typ           string
		strict, types error
	}{
		{"at+jwt", nil, nil},
		{"at+JWT", nil, nil},
		{"application/at+jwt", nil, nil},
		{"Application/AT+JWT", nil, nil},
		{"JWT", jwt.ErrType, nil},
		{"", jwt.ErrType, nil},
		{"refresh+jwt", jwt.ErrType, jwt.ErrType},
		{"statuslist+jwt", jwt.ErrType, jwt.ErrType},
		{"dpop+jwt", jwt.ErrType, jwt.ErrType},
		{"token-introspection+jwt", jwt.ErrType, jwt.ErrType},
		{"logout+jwt", jwt.ErrType, jwt.ErrType},
		{"doorward-assertion+jwt", jwt.ErrType, jwt.ErrType},
		{"application/application/at+jwt", jwt.ErrType, jwt.ErrType},
		{"x/at+jwt", jwt.ErrType, jwt.ErrType},
		{"at+jwt ", jwt.ErrType, jwt.ErrType},
	} {
		if _, err := strict.v.Verify(t.Context(), sign(t, strict.key, tt.typ, goodClaims())); !errors.Is(err, tt.strict) {
			t.Errorf("typ %q: %v, want %v", tt.typ, err, tt.strict)
		}
		if _, err := lax.v.Verify(t.Context(), sign(t, lax.key, tt.typ, goodClaims())); !errors.Is(err, tt.types) {
			t.Errorf("typ %q with more types: %v, want %v", tt.typ, err, tt.types)
		}
	}
}

// An ID token has no client_id and no scope; what RequireClaims names must be there and not null. Other issuers' tokens need no jti and no iat.
func TestVerifyRequireClaims(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.Types, c.RequireClaims = []string{"JWT"}, []string{"client_id", "scp"}
	})
	for _, tt := range []struct {
		name    string
		change  map[string]any
		wantErr error
	}{
		{"both", map[string]any{"scp": "a"}, nil},
		{"no jti, no iat", map[string]any{"scp": "a", "jti": remove, "iat": remove}, nil},
		{"no iat and far away", map[string]any{"scp": "a", "iat": remove, "exp": time.Now().Add(25 * time.Hour).Unix()}, doorward.ErrClaims},
		{"none", nil, doorward.ErrClaims},
		{"one", map[string]any{"scp": "a", "client_id": remove}, doorward.ErrClaims},
		{"null", map[string]any{"scp": nil}, doorward.ErrClaims},
		{"nested", map[string]any{"x": map[string]any{"scp": "a"}}, doorward.ErrClaims},
	} {
		if _, err := s.v.Verify(t.Context(), sign(t, s.key, "JWT", changed(tt.change))); !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
	}
}

// Standard_C10, Attack_A19: a key of another issuer does not vouch for this one.
func TestVerifyKeyOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.EdDSA, nil)
	other, err := newKey(t, jwt.EdDSA).WithID(s.key.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.v.Verify(t.Context(), sign(t, other, "at+jwt", goodClaims())); !errors.Is(err, jwt.ErrSignature) {
		t.Errorf("the same kid with another key: %v", err)
	}
}

type keysFunc func(ctx context.Context, kid string) (*jwt.Key, error)

func (f keysFunc) Key(ctx context.Context, kid string) (*jwt.Key, error) { return f(ctx, kid) }

// A key set that does not know is told apart from one that knows there is no such key.
func TestVerifyKeysUnavailable(t *testing.T) {
	t.Parallel()
	down := errors.New("no route to host")
	answer := down
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.Keys = keysFunc(func(context.Context, string) (*jwt.Key, error) { return nil, answer })
	})
	if _, err := s.v.Verify(t.Context(), s.token(t, nil)); !errors.Is(err, doorward.ErrNoKeys) || !errors.Is(err, down) {
		t.Errorf("Verify = %v, want %v", err, doorward.ErrNoKeys)
	}
	answer = fmt.Errorf("unknown: %w", jwt.ErrKey)
	if _, err := s.v.Verify(t.Context(), s.token(t, nil)); !errors.Is(err, jwt.ErrKey) || errors.Is(err, doorward.ErrNoKeys) {
		t.Errorf("Verify = %v, want %v", err, jwt.ErrKey)
	}
}

type revocationsFunc func(c *doorward.Claims) error

func (f revocationsFunc) Check(c *doorward.Claims) error { return f(c) }

// Behaviour_F95, Behaviour_F96: other people's Revocations; an error that says neither counts as "do not know".
func TestVerifyForeignRevocations(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct{ answer, wantErr error }{
		{nil, nil},
		{doorward.ErrRevoked, doorward.ErrRevoked},
		{fmt.Errorf("x: %w", doorward.ErrStale), doorward.ErrStale},
		{broken, doorward.ErrStale},
	} {
		s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
			c.Revocations = revocationsFunc(func(*doorward.Claims) error { return tt.answer })
		})
		_, err := s.v.Verify(t.Context(), s.token(t, nil))
		if !errors.Is(err, tt.wantErr) || errors.Is(err, doorward.ErrStale) != errors.Is(tt.wantErr, doorward.ErrStale) {
			t.Errorf("answer %v: %v, want %v", tt.answer, err, tt.wantErr)
		}
	}
}

func TestObserveVerify(t *testing.T) {
	t.Parallel()
	var got []doorward.Outcome
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Observe = func(o doorward.Outcome) { got = append(got, o) }
	})
	token := s.token(t, nil)
	for _, text := range []string{token, token, "x", s.token(t, map[string]any{"aud": "x"})} {
		_, _ = s.v.Verify(t.Context(), text)
	}
	want := []doorward.Outcome{{Reason: "ok"}, {Reason: "ok", Cached: true}, {Reason: "malformed"}, {Reason: "audience"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Attack_B15: whatever comes, Verify answers with claims or an error, never both, and does not panic.
func FuzzVerify(f *testing.F) {
	s := newSubject(f, jwt.HS256, nil)
	good := s.token(f, nil)
	for _, seed := range []string{"", ".", "..", "...", good, good + ".", strings.ToUpper(good), "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := s.v.Verify(t.Context(), text)
		if (c == nil) == (err == nil) {
			t.Fatalf("Verify(%q) = %v, %v", text, c, err)
		}
		if err == nil && text != good {
			t.Fatalf("%q is accepted too", text)
		}
	})
}

// FuzzClaims signs what the fuzzer makes, so that the claims reader alone decides.
func FuzzClaims(f *testing.F) {
	s := newSubject(f, jwt.HS256, nil)
	for _, seed := range []string{`"exp":1e10`, `"exp":-1`, `"aud":["a"]`, `"scope":"a b"`, `"roles":[]`, `"sub":"\u0061"`, `"exp":0.5E-3`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, members string) {
		token, err := jwt.Sign(s.key, "at+jwt", raw("{"+members+"}"))
		if err != nil {
			return
		}
		c, err := s.v.Verify(t.Context(), token)
		if (c == nil) == (err == nil) {
			t.Fatalf("Verify(%s) = %v, %v", members, c, err)
		}
	})
}
