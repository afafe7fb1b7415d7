package doorward_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// What a program that is put together wrongly reads in its log says what is wrong with it.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	unheard := doorward.NewRevocationSet(0)
	for _, tt := range []struct {
		name    string
		change  func(*doorward.Config)
		claims  map[string]any
		before  string // the token
		wantErr error
		want    []string
	}{
		{"issuer", nil, map[string]any{"iss": testIssuer + "/"}, "", doorward.ErrIssuer, []string{`"` + testIssuer + `/"`, `want "` + testIssuer + `"`}},
		{"no issuer", nil, map[string]any{"iss": remove}, "", doorward.ErrIssuer, []string{`iss is ""`}},
		{"audience", nil, map[string]any{"aud": []string{"a", "b"}}, "", doorward.ErrAudience, []string{`["a" "b"]`, `want "` + testAudience + `"`}},
		{"lifetime", nil, map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()}, "", doorward.ErrClaims, []string{"MaxLifetime"}},
		{"the whole header", nil, nil, "bearer ", jwt.ErrMalformed, []string{"the token alone"}},
		{"nobody follows", func(c *doorward.Config) { c.Revocations = unheard }, nil, "", doorward.ErrStale, []string{"does Issuer.Run, or Feed.Run, run"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
				c.Types, c.RequireClaims = []string{"at+jwt", "JWT"}, []string{"sid"} // which may lack iss
				if tt.change != nil {
					tt.change(c)
				}
			})
			_, err := s.v.Verify(t.Context(), tt.before+s.token(t, tt.claims))
			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("error is %v, want %v", err, tt.wantErr)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error is %q, want %q in it", err, part)
				}
			}
		})
	}
}

type onlyAda struct{}

func (onlyAda) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{Active: true}, nil
}

// A program that forgets to run its issuer works for a minute, and is then told.
func TestIssuerThatDoesNotRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss, err := issuer.New(t.Context(), issuer.Config{
			Issuer: testIssuer, Store: doorwardtest.NewStore(), MasterKey: issuer.GenerateMasterKey(), Subjects: onlyAda{},
		})
		if err != nil {
			t.Fatal(err)
		}
		attempt, err := iss.Begin(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := iss.Login(t.Context(), attempt, issuer.LoginRequest{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := doorward.NewVerifier(doorward.Config{Issuer: testIssuer, Audience: testIssuer, Keys: iss.Keys(), Revocations: iss.Revocations()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), tokens.AccessToken); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		if _, err := v.Verify(t.Context(), tokens.AccessToken); !errors.Is(err, doorward.ErrStale) || !strings.Contains(err.Error(), "does Issuer.Run") {
			t.Errorf("error is %v, want ErrStale that asks for Issuer.Run", err)
		}
	})
}

// A request that came by another protocol may have headers and nothing else.
func TestCheckOfHeadersAlone(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Extractors = []doorward.Extractor{doorward.BearerHeader(), doorward.Cookie("a"), doorward.Query("a"), doorward.FormField("a"), doorward.JSONField("a")}
	})
	for token, wantErr := range map[string]error{s.token(t, nil): nil, "x": jwt.ErrMalformed, "": doorward.ErrNoToken} {
		for _, typ := range []string{"", "application/json", "application/x-www-form-urlencoded"} {
			r := &http.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {typ}}}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			claims, refusal := s.v.Check(r, false)
			if wantErr == nil && (refusal != nil || claims == nil) || wantErr != nil && (refusal == nil || !errors.Is(refusal.Err, wantErr)) {
				t.Errorf("token %q, type %q: %v, %+v; want %v", token, typ, claims, refusal, wantErr)
			}
		}
	}
}
