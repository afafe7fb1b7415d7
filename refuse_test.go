package doorward_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
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
		doorward.ErrRole: 403, doorward.ErrStale: 503, errors.New("something else"): 503,
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
