package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// answer is what a client reads.
type answer struct {
	status                           int
	code, reason, retry, description string
}

// answerOf passes an error to a verifier, as a handler of a program does.
func (w *world) answerOf(err error) answer {
	w.t.Helper()
	v, made := doorward.NewVerifier(doorward.Config{
		Issuer: w.URL(), Audience: w.URL(), Keys: w.Keys(), Revocations: w.Revocations(), Logger: slog.New(slog.DiscardHandler),
	})
	if made != nil {
		w.t.Fatal(made)
	}
	rec := httptest.NewRecorder()
	v.Refuse(rec, httptest.NewRequest(http.MethodPost, "/login", http.NoBody), err)
	var body map[string]string
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		w.t.Fatal(err)
	}
	for name, value := range body {
		if value == "" {
			w.t.Errorf("%v: an empty %s", err, name)
		}
	}
	if rec.Header().Get("Cache-Control") != "no-store" || (rec.Code == 401) != strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer ") {
		w.t.Errorf("%v: header %v", err, rec.Header())
	}
	return answer{rec.Code, body["error"], body["reason"], rec.Header().Get("Retry-After"), body["error_description"]}
}

// broken is a store that does not answer.
type broken struct {
	issuer.Store
	err error
}

func (b *broken) Epoch(ctx context.Context, subject string) (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.Store.Epoch(ctx, subject)
}

func (b *broken) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.SwapKeys(ctx, rev, keys, revoked, ev)
}

// A verifier answers every error of an issuer as the doc comment of the package says, and as doorward serve does.
func TestRefuseAnswersAnIssuersErrors(t *testing.T) {
	t.Parallel()
	store := &broken{Store: doorwardtest.NewStore()}
	w := newWorldWith(t, store, func(c *issuer.Config) { c.RefreshLimit = 1; c.StrictRefresh = true })
	w.people.set("bob", issuer.Subject{})
	w.people.set("eve", issuer.Subject{Active: true, Claims: map[string]any{"sub": "root"}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	second := func(_ any, err error) error { return err }
	login := func(subject string, req issuer.LoginRequest) error { return second(w.loginWith(subject, req)) }

	epoch, err := w.Begin(t.Context(), "ada")
	must(err)
	grantEpoch, err := w.BeginGrant(t.Context(), "ada", "dwk_1")
	must(err)
	must(w.RevokeSubject(t.Context(), "ada", issuer.Event{}))
	ended, often, untouched := w.login("ada"), w.login("ada"), w.login("ada")
	must(w.Logout(t.Context(), ended.AccessToken, issuer.Event{}))
	w.mustRefresh(often.RefreshToken)
	other := newWorldWith(t, doorwardtest.NewStore(), nil)
	w.people.set("zoe", issuer.Subject{Active: true})
	zoe := w.login("zoe")
	w.people.set("zoe", issuer.Subject{})
	cookies := httptest.NewRequest(http.MethodPost, "/refresh", http.NoBody)
	cookies.Header.Add("Cookie", issuer.CookieName+"=a; "+issuer.CookieName+"=b")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Now())
	defer stop()

	credentials := answer{401, "invalid_credentials", "", "", "the user name or the password is wrong"}
	grant := func(reason string) answer {
		return answer{400, "invalid_grant", reason, "", "the refresh token is not valid; log in again"}
	}
	stranger := answer{401, "invalid_token", "", "", "token not valid"}
	server := answer{500, "server_error", "", "", "the request could not be answered; the log has the reason under this request id"}
	for _, tt := range []struct {
		name    string
		err     error
		wantErr error
		want    answer
	}{
		{"a wrong password", fmt.Errorf("%w: no match", issuer.ErrCredentials), issuer.ErrCredentials, credentials},
		{"inactive", login("bob", issuer.LoginRequest{}), issuer.ErrInactive, credentials},
		{"unknown", login("nobody", issuer.LoginRequest{}), issuer.ErrInactive, credentials},
		{"no name", login("", issuer.LoginRequest{}), issuer.ErrCredentials, credentials},
		{"ended meanwhile", second(w.Login(t.Context(), epoch, issuer.LoginRequest{})), issuer.ErrEpoch, credentials},
		{"grant ended meanwhile", second(w.Grant(t.Context(), grantEpoch, issuer.GrantRequest{Holder: holder()})), issuer.ErrEpoch, answer{401, "invalid_client", "", "", "the client credentials are wrong"}},
		{"grant inactive", second(w.grant("ada", "dwk_1", issuer.GrantRequest{})), issuer.ErrInactive, answer{401, "invalid_client", "", "", "the client credentials are wrong"}},
		{"grant expired", second(w.grant("ada", "dwk_1", issuer.GrantRequest{Holder: holder(), NotAfter: time.Now()})), issuer.ErrInactive, answer{401, "invalid_client", "", "", "the client credentials are wrong"}},
		{"scope", login("ada", issuer.LoginRequest{Scope: doorward.Scope{"x"}}), issuer.ErrScope, answer{400, "invalid_scope", "", "", "a scope was asked for that the user does not have"}},
		{"scope syntax", second(doorward.ParseScope("a  b")), doorward.ErrScopeSyntax, answer{400, "invalid_scope", "", "", "scope must be words with one space between them"}},
		{"audience", login("ada", issuer.LoginRequest{Audience: "x"}), issuer.ErrAudience, answer{400, "invalid_target", "", "", "this server makes no tokens for that audience"}},
		{"claims of the program", login("eve", issuer.LoginRequest{}), issuer.ErrClaims, server},

		{"refresh after logout", second(w.refresh(ended.RefreshToken)), issuer.ErrSessionEnded, grant("logout")},
		{"refresh of the inactive", second(w.refresh(zoe.RefreshToken)), issuer.ErrInactive, grant("subject_inactive")},
		{"refresh of nobody's token", second(w.refresh("x")), issuer.ErrToken, grant("")},
		{"refresh of another's token", second(w.refresh(other.login("ada").RefreshToken)), issuer.ErrToken, grant("")},
		{"refresh by another client", second(w.Refresh(t.Context(), untouched.RefreshToken, issuer.RefreshRequest{ClientID: "x"})), issuer.ErrClient, grant("")},
		{"refresh too often", second(w.refresh(often.RefreshToken)), issuer.ErrTooMany, answer{429, "too_many_requests", "", "60", "this session is refreshed too often"}},
		{"two cookies", second(w.RefreshTokenFrom(cookies)), issuer.ErrTwoCookies, answer{400, "invalid_request", "", "", "the refresh cookie came twice, or with a space in its name"}},

		{"logout with nothing", w.Logout(t.Context(), "", issuer.Event{}), issuer.ErrToken, stranger},
		{"logout with nonsense", w.Logout(t.Context(), "a.b.c", issuer.Event{}), jwt.ErrMalformed, stranger},
		{"logout with another's token", w.Logout(t.Context(), other.login("ada").AccessToken, issuer.Event{}), issuer.ErrToken, stranger},
		{"logout with another's refresh token", w.Logout(t.Context(), "dwr_x", issuer.Event{}), issuer.ErrToken, grant("")},

		{"given up", second(w.Begin(canceled, "ada")), context.Canceled, answer{503, "unavailable", "", "5", "the request was given up"}},
		{"too late", second(w.Begin(late, "ada")), context.DeadlineExceeded, answer{503, "unavailable", "", "5", "the answer took too long"}},
		{"another issuer's token", w.logoutElsewhere(ended.AccessToken), doorward.ErrIssuer, stranger},
	} {
		if !errors.Is(tt.err, tt.wantErr) {
			t.Errorf("%s: error is %v, want %v", tt.name, tt.err, tt.wantErr)
		}
		if got := w.answerOf(tt.err); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	store.err = fmt.Errorf("%w: no route to host", issuer.ErrUnavailable)
	if got, want := w.answerOf(login("ada", issuer.LoginRequest{})), (answer{503, "unavailable", "", "5", "the store does not answer; try again shortly"}); got != want {
		t.Errorf("no store: %+v, want %+v", got, want)
	}
	store.err = errors.New("not of a store")
	if got := w.answerOf(login("ada", issuer.LoginRequest{})); got != server {
		t.Errorf("another error: %+v, want %+v", got, server)
	}
}

// logoutElsewhere presents a token to an issuer of another name on the same store.
func (w *world) logoutElsewhere(token string) error {
	w.t.Helper()
	renamed := w.cfg
	renamed.Issuer = "https://other.example"
	elsewhere, err := issuer.New(w.t.Context(), renamed)
	if err != nil {
		w.t.Fatal(err)
	}
	return elsewhere.Logout(w.t.Context(), token, issuer.Event{})
}

// What an error says to its client belongs to the answer that was asked for: who writes to it changes no other.
func TestRefusalIsACopy(t *testing.T) {
	t.Parallel()
	known, ok := issuer.ErrTooMany.(interface{ Refusal() *doorward.Refusal })
	if !ok {
		t.Fatal("ErrTooMany has no answer")
	}
	known.Refusal().Header.Set("Retry-After", "1")
	known.Refusal().Status = 200
	if again := known.Refusal(); again.Status != 429 || again.Header.Get("Retry-After") != "60" {
		t.Errorf("%+v", again)
	}
}
