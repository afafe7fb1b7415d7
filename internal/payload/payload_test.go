package payload_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/payload"
)

// The issuer's own claims count before the subject's, and those before the session's.
func TestClaims(t *testing.T) {
	t.Parallel()
	token := payload.Token{Issuer: "i", Subject: "s", Audience: "a", ID: "j", ClientID: "c", SessionID: "sid", IssuedAt: time.Unix(1, 0), ExpiresAt: time.Unix(2, 0)}
	claims, err := token.Claims(json.RawMessage(`{"sub":"root","team":"red","plan":1}`), map[string]any{"iss": "x", "team": "blue"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"aud":"a","client_id":"c","exp":2,"iat":1,"iss":"i","jti":"j","plan":1,"sid":"sid","sub":"s","team":"blue"}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := token.Claims(json.RawMessage(`[]`), nil); err == nil {
		t.Error("a session whose claims are no object")
	}
}

func TestExtra(t *testing.T) {
	t.Parallel()
	if raw, err := payload.EncodeExtra(nil); raw != nil || err != nil {
		t.Errorf("nothing: %s, %v", raw, err)
	}
	if raw, err := payload.EncodeExtra(map[string]any{"team": "red"}); string(raw) != `{"team":"red"}` || err != nil {
		t.Errorf("one claim: %s, %v", raw, err)
	}
	for name, claims := range map[string]map[string]any{
		"reserved": {"team": "red", "roles": "admin"}, "not JSON": {"team": func() {}},
	} {
		if raw, err := payload.EncodeExtra(claims); raw != nil || err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
}
