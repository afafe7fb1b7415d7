package doorward_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Behaviour_B1, Standard_H01: a 401 has a challenge, also when a handler writes it.
func TestWriteRefusalChallenges(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	doorward.WriteRefusal(w, r, &doorward.Refusal{Status: 401, Code: "invalid_credentials", Description: "wrong"})
	if got := w.Header().Get("WWW-Authenticate"); got != `Bearer realm="api"` {
		t.Errorf("WWW-Authenticate = %q", got)
	}
}

// A handler of one's own takes the token and refuses in the way of Require.
func TestTokenAndRefuse(t *testing.T) {
	t.Parallel()
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: "https://auth.example", Audience: "api", Keys: key, Revocations: doorward.NoRevocations,
		Extractors: []doorward.Extractor{doorward.BearerHeader(), doorward.Header("x-access-token")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/logout", nil)
	if token, err := v.Token(r); token != "" || err != nil {
		t.Errorf("no token: %q, %v", token, err)
	}
	r.Header.Set("X-Access-Token", "abc")
	if token, err := v.Token(r); token != "abc" || err != nil {
		t.Errorf("one token: %q, %v", token, err)
	}
	for name, value := range map[string]string{"X-Access-Token": "a, b", "Authorization": "Bearer a\"b"} {
		other := httptest.NewRequest(http.MethodPost, "/logout", nil)
		other.Header.Set(name, value)
		if token, err := v.Token(other); token != "" || !errors.Is(err, doorward.ErrRequest) {
			t.Errorf("%s: %s: %q, %v, want ErrRequest", name, value, token, err)
		}
	}
	r.Header.Set("Authorization", "Bearer abc")
	_, err = v.Token(r)
	if !errors.Is(err, doorward.ErrTwoTokens) {
		t.Errorf("two tokens: %v, want ErrTwoTokens", err)
	}

	for err, want := range map[error]int{
		doorward.ErrNoToken: 401, doorward.ErrTwoTokens: 400, doorward.ErrRevoked: 401,
		doorward.ErrRole: 403, doorward.ErrStale: 503, errors.New("something else"): 500,
	} {
		w := httptest.NewRecorder()
		v.Refuse(w, r, err)
		if w.Code != want {
			t.Errorf("%v: status %d, want %d", err, w.Code, want)
		}
		if (want == 401) != (w.Header().Get("WWW-Authenticate") != "") && want != 400 && want != 403 {
			t.Errorf("%v: WWW-Authenticate = %q", err, w.Header().Get("WWW-Authenticate"))
		}
	}
}

// answered is an error that says how it is answered.
type answered struct{ refusal doorward.Refusal }

func (answered) Error() string                { return "shop: sold out" }
func (e answered) Refusal() *doorward.Refusal { return &e.refusal }

type silent struct{}

func (silent) Error() string              { return "shop: closed" }
func (silent) Refusal() *doorward.Refusal { return nil }

// An error of others is answered as it says, and otherwise as a fault of the program, never as tokens that cannot be
// checked. What is known of a token comes before what an error says of itself.
func TestRefuseErrorsOfOthers(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	var seen []string
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
		c.Realm = "shop"
		c.Logger = slog.New(slog.NewJSONHandler(&logs, nil))
		c.Observe = func(o doorward.Outcome) { seen = append(seen, o.Reason) }
	})
	soldOut := answered{doorward.Refusal{
		Status: 409, Code: "sold_out", Description: "no apples", Reason: "winter", Header: http.Header{"Retry-After": {"60"}, "Cache-Control": {"private"}},
	}}
	wrong := answered{doorward.Refusal{Status: 401, Code: "invalid_credentials", Description: `"quoted"`}}
	for _, tt := range []struct {
		name   string
		err    error
		status int
		body   string // without the request id
		header http.Header
		level  string
		reason string // in the log
	}{
		{
			"of another", fmt.Errorf("buy: %w", soldOut), 409, `"error":"sold_out","error_description":"no apples","reason":"winter"`,
			http.Header{"Cache-Control": {"private"}, "Retry-After": {"60"}},
			"INFO", "buy: shop: sold out",
		},
		{
			"401 of another", wrong, 401, `"error":"invalid_credentials","error_description":"\"quoted\""`,
			http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {`Bearer realm="shop"`}},
			"INFO", "shop: sold out",
		},
		{
			"unknown", errors.New("shop: no such table"), 500,
			`"error":"server_error","error_description":"the request could not be answered; the log has the reason under this request id"`,
			http.Header{"Cache-Control": {"no-store"}},
			"ERROR",
			"doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: shop: no such table",
		},
		{
			"none", nil, 500,
			`"error":"server_error","error_description":"the request could not be answered; the log has the reason under this request id"`,
			http.Header{"Cache-Control": {"no-store"}},
			"ERROR",
			"doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: Refuse was called without an error",
		},
		{
			"a success of another",
			answered{doorward.Refusal{Status: 200}},
			500,
			`"error":"server_error","error_description":"the request could not be answered; the log has the reason under this request id"`,
			http.Header{"Cache-Control": {"no-store"}},
			"ERROR", "doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: shop: sold out",
		},
		{
			"no status of another",
			answered{},
			500,
			`"error":"server_error","error_description":"the request could not be answered; the log has the reason under this request id"`,
			http.Header{"Cache-Control": {"no-store"}},
			"ERROR", "doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: shop: sold out",
		},
		{
			"nothing of another",
			silent{},
			500,
			`"error":"server_error","error_description":"the request could not be answered; the log has the reason under this request id"`,
			http.Header{"Cache-Control": {"no-store"}},
			"ERROR", "doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: shop: closed",
		},
		{
			"stale for a reason of others", fmt.Errorf("%w: %w", doorward.ErrStale, soldOut), 503,
			`"error":"unavailable","error_description":"tokens cannot be checked at the moment"`,
			http.Header{"Cache-Control": {"no-store"}, "Retry-After": {"5"}},
			"WARN", "doorward: revocations are out of date: shop: sold out",
		},
		{
			"no keys for a reason of others", fmt.Errorf("%w: %w", doorward.ErrNoKeys, soldOut), 503,
			`"error":"unavailable","error_description":"tokens cannot be checked at the moment"`,
			http.Header{"Cache-Control": {"no-store"}, "Retry-After": {"5"}},
			"WARN", "doorward: keys are not available: jwt: no usable key: shop: sold out",
		},
	} {
		logs.Reset()
		w := httptest.NewRecorder()
		s.v.Refuse(w, httptest.NewRequest(http.MethodPost, "/buy", http.NoBody), tt.err)
		var record struct {
			Level, Reason string
			ID            string `json:"request_id"`
		}
		if err := json.Unmarshal(logs.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		tt.header.Set("Content-Type", "application/json")
		tt.header.Set("X-Content-Type-Options", "nosniff")
		want := fmt.Sprintf(`{%s,"request_id":%q}`, tt.body, record.ID)
		if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != want || fmt.Sprint(w.Header()) != fmt.Sprint(tt.header) {
			t.Errorf("%s: %d %s %v\nwant %d %s %v", tt.name, w.Code, w.Body, w.Header(), tt.status, want, tt.header)
		}
		if record.Level != tt.level || record.Reason != tt.reason {
			t.Errorf("%s: logged %+v, want %s %s", tt.name, record, tt.level, tt.reason)
		}
	}
	if got := fmt.Sprint(seen); got != "[stale keys_unavailable]" {
		t.Errorf("observed %s", got)
	}
	if len(soldOut.refusal.Header) != 2 || soldOut.refusal.Err != nil {
		t.Errorf("the error itself was changed: %+v", soldOut.refusal)
	}
}
