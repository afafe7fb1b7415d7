package issuer_test

import (
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// level writes itself as JSON, as types of a program's own do.
type level int

func (l level) MarshalJSON() ([]byte, error) {
	return []byte(`"level ` + string(rune('0'+l)) + `"`), nil
}

func extra[T any](t *testing.T, c *doorward.Claims, name string) T {
	t.Helper()
	var value T
	if found, err := c.Extra(name, &value); !found || err != nil {
		t.Errorf("claim %s: found %v, %v", name, found, err)
	}
	return value
}

// Behaviour_F34, Behaviour_F35, Behaviour_F37, Behaviour_F13: what the subject and the login say is in every access
// token of the session. Where both name a claim the subject's counts, since it is asked anew each time. (A refresh
// token is opaque and carries no claims.)
func TestExtraClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	born := time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)
	w.people.set("eve", issuer.Subject{Active: true, Roles: []string{"editor"}, Claims: map[string]any{"team": "blue", "plan": "of the subject"}})
	set, err := w.loginWith("eve", issuer.LoginRequest{Claims: map[string]any{"plan": "of the login", "born": born, "level": level(7)}})
	if err != nil {
		t.Fatal(err)
	}
	w.people.set("eve", issuer.Subject{Active: true, Claims: map[string]any{"team": "red", "plan": "of the subject"}})
	for team, token := range map[string]string{"blue": set.AccessToken, "red": w.mustRefresh(set.RefreshToken).AccessToken} {
		c := w.wantVerify(token, nil)
		if c.Subject != "eve" || c.HasRole("editor") != (team == "blue") {
			t.Errorf("%s: sub %q, roles %v", team, c.Subject, c.Roles)
		}
		if got := extra[string](t, c, "team"); got != team {
			t.Errorf("team %q, want %q", got, team)
		}
		if got := extra[string](t, c, "plan"); got != "of the subject" {
			t.Errorf("%s: plan %q", team, got)
		}
		if got := extra[time.Time](t, c, "born"); !got.Equal(born) {
			t.Errorf("%s: born %v", team, got)
		}
		if got := extra[string](t, c, "level"); got != "level 7" {
			t.Errorf("%s: level %q", team, got)
		}
	}
}

// Behaviour_B41: no token is made for anything but a text that names somebody.
func TestIdentityIsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, sub := range []any{1234, map[string]any{}, []string{}, false, nil, "root"} {
		set, err := w.loginWith("ada", issuer.LoginRequest{Claims: map[string]any{"sub": sub}})
		if !errors.Is(err, issuer.ErrClaims) || set.AccessToken != "" {
			t.Errorf("sub %v: %v, want ErrClaims", sub, err)
		}
		w.people.set("eve", issuer.Subject{Active: true, Claims: map[string]any{"sub": sub}})
		if set, err := w.loginWith("eve", issuer.LoginRequest{}); !errors.Is(err, issuer.ErrClaims) || set.AccessToken != "" {
			t.Errorf("sub %v of the subject: %v, want ErrClaims", sub, err)
		}
	}
	if _, err := w.Begin(t.Context(), ""); !errors.Is(err, issuer.ErrInactive) {
		t.Errorf("nobody: %v, want ErrInactive", err)
	}
	if list, err := w.Sessions(t.Context(), issuer.SessionQuery{}); err != nil || len(list) != 0 {
		t.Errorf("refused logins left %d sessions, %v", len(list), err)
	}
}

// Behaviour_F32, Standard_R13: lifetimes are what is configured, give or take the 5 % that spread them; by default
// an access token lives far less than the hour of RFC 6750 §5.3.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                         string
		access, idle                 time.Duration
		wantAccess, wantIdle, spread time.Duration
	}{
		{"defaults", 0, 0, 10 * time.Minute, 14 * 24 * time.Hour, 30 * time.Second},
		{"an hour and two", time.Hour, 2 * time.Hour, time.Hour, 2 * time.Hour, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *issuer.Config) { c.AccessTTL, c.IdleTTL = tt.access, tt.idle })
				set := w.login("ada")
				c := w.wantVerify(set.AccessToken, nil)
				life := c.ExpiresAt.Sub(c.IssuedAt)
				if life < tt.wantAccess-tt.spread-time.Second || life > tt.wantAccess+tt.spread || life != set.ExpiresIn {
					t.Errorf("an access token lives %v, says %v, want about %v", life, set.ExpiresIn, tt.wantAccess)
				}
				if idle := time.Until(set.RefreshExpiresAt); idle != tt.wantIdle {
					t.Errorf("a refresh token lives %v, want %v", idle, tt.wantIdle)
				}
			})
		})
	}
}

// Standard_R14: every token has one audience: the issuer itself if nobody names another.
func TestEveryTokenHasAnAudience(t *testing.T) {
	t.Parallel()
	const orders = "https://orders.example"
	w := newWorld(t, func(c *issuer.Config) { c.Audiences = []string{orders} })
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: orders, Keys: w.Keys(), Revocations: w.Revocations()})
	if err != nil {
		t.Fatal(err)
	}
	set := w.login("ada")
	if c := w.wantVerify(set.AccessToken, nil); len(c.Audience) != 1 || c.Audience[0] != issuerURL {
		t.Errorf("audience %q", c.Audience)
	}
	set, err = w.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{Audience: orders})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := v.Verify(t.Context(), set.AccessToken); err != nil || len(c.Audience) != 1 || c.Audience[0] != orders {
		t.Errorf("a token for orders: %v, %v", c, err)
	}
	w.wantVerify(set.AccessToken, doorward.ErrAudience)
}

// Behaviour_B39b: refreshing keeps the claims of the login and never reaches past the session's absolute end.
// (That no other answer makes tokens is a matter of the endpoints: internal/server has that test.)
func TestRefreshStaysWithinTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *issuer.Config) { c.IdleTTL, c.AbsoluteTTL = 20*time.Minute, time.Hour })
		stop := w.start(t)
		defer stop()
		set, err := w.loginWith("ada", issuer.LoginRequest{Claims: map[string]any{"tenant": "t1"}})
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Hour)
		for range 4 {
			time.Sleep(14*time.Minute + 50*time.Second)
			set = w.mustRefresh(set.RefreshToken)
			c := w.wantVerify(set.AccessToken, nil)
			if extra[string](t, c, "tenant") != "t1" || c.ExpiresAt.After(end) || set.RefreshExpiresAt.After(end) {
				t.Errorf("claims %+v until %v, refresh until %v, the session ends at %v", c, c.ExpiresAt, set.RefreshExpiresAt, end)
			}
		}
		time.Sleep(time.Until(end))
		w.wantVerify(set.AccessToken, doorward.ErrExpired)
		w.wantRefreshError(set.RefreshToken, issuer.ErrSessionLapsed)
	})
}

// A subject whose claims the issuer refuses loses nothing by its tries to refresh: its token is not spent. In a
// bubble of time.
func TestRefreshWithRefusedClaims(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, func(c *issuer.Config) { c.StrictRefresh = true })
		set := w.login("ada")
		for _, claims := range []map[string]any{{"sub": "root"}, {"team": func() {}}, {"team": strings.Repeat("a", 6<<10)}} {
			w.people.set("ada", issuer.Subject{Active: true, Claims: claims})
			time.Sleep(time.Minute)
			w.wantRefreshError(set.RefreshToken, issuer.ErrClaims)
		}
		w.people.set("ada", issuer.Subject{Active: true, Claims: map[string]any{"team": "red"}})
		if next := w.mustRefresh(set.RefreshToken); next.SessionID != set.SessionID {
			t.Errorf("another session, %s", next.SessionID)
		}
	})
}

// What no token can say is a mistake of the program: its error says nothing of a token that came, and leaves no session
// behind. The longest token that there can be is made.
func TestClaimsThatNoTokenHolds(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.EdDSA, jwt.RS256} {
		w := newWorld(t, func(c *issuer.Config) { c.Algorithm, c.Username = alg, true })
		role := func(size int) issuer.Subject {
			return issuer.Subject{Active: true, Roles: []string{strings.Repeat("r", size)}}
		}
		var set issuer.TokenSet
		longest := sort.Search(jwt.MaxSize, func(size int) bool {
			w.people.set("eve", role(size+1))
			next, err := w.loginWith("eve", issuer.LoginRequest{})
			if err == nil {
				set = next
			} else if !errors.Is(err, issuer.ErrClaims) {
				t.Errorf("%s: %v, want ErrClaims", alg, err)
			}
			return err != nil
		})
		if got := len(set.AccessToken); got < jwt.MaxSize-2 {
			t.Errorf("%s: the longest token has %d bytes", alg, got)
		}
		for name, subject := range map[string]issuer.Subject{
			"roles": role(longest + 100),
			"scope": {Active: true, Scope: doorward.Scope{strings.Repeat("s", longest+100)}},
			"name":  {Active: true, Name: strings.Repeat("n", longest+100)},
			"twice": {Active: true, Claims: map[string]any{"team": json.RawMessage(`{"a":1,"a":2}`)}},
			"func":  {Active: true, Claims: map[string]any{"team": func() {}}},
		} {
			w.people.set(name, subject)
			_, login := w.loginWith(name, issuer.LoginRequest{})
			_, grant := w.grant(name, client, issuer.GrantRequest{Holder: subject})
			w.people.set(name, issuer.Subject{Active: true})
			_, own := w.loginWith(name, issuer.LoginRequest{Claims: map[string]any{"team": strings.Repeat("t", longest+100)}})
			for _, err := range []error{login, grant, own} {
				if !errors.Is(err, issuer.ErrClaims) || errors.Is(err, jwt.ErrMalformed) {
					t.Errorf("%s, %s: %v, want ErrClaims", alg, name, err)
				}
			}
			if list, err := w.Sessions(t.Context(), issuer.SessionQuery{Subject: name}); err != nil || len(list) != 0 {
				t.Errorf("%s, %s: %d sessions, %v", alg, name, len(list), err)
			}
		}
	}
}

// A word of the subject's that is no scope would be two in the token, or more. It is a mistake of the program, not of the
// client, and ends nothing.
func TestSubjectScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	whole, wrong := issuer.Subject{Active: true, Scope: doorward.Scope{"orders:read"}}, issuer.Subject{Active: true, Scope: doorward.Scope{"orders:read admin"}}
	w.people.set("ada", wrong)
	_, login := w.loginWith("ada", issuer.LoginRequest{})
	_, refresh := w.refresh(set.RefreshToken)
	attempt, err := w.BeginGrant(t.Context(), "dwc_1", "dwc_1")
	if err != nil {
		t.Fatal(err)
	}
	_, grant := w.Grant(t.Context(), attempt, issuer.GrantRequest{Holder: wrong})
	for name, err := range map[string]error{"login": login, "refresh": refresh, "grant": grant} {
		if err == nil || !strings.Contains(err.Error(), `"orders:read admin"`) {
			t.Errorf("%s: %v, want an error that names the word", name, err)
		}
		if errors.Is(err, doorward.ErrScopeSyntax) || errors.Is(err, issuer.ErrScope) || errors.Is(err, issuer.ErrInvalidGrant) {
			t.Errorf("%s: %v: the client reads that it is to blame", name, err)
		}
	}
	w.people.set("ada", whole)
	w.mustRefresh(set.RefreshToken)
}
