package issuer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// Attack_D07, Behaviour_B31, Standard_U20.
func TestRefreshCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	for name, cookie := range map[string]*http.Cookie{"set": w.RefreshCookie(set), "clear": w.ClearRefreshCookie()} {
		text := cookie.String()
		for _, attribute := range []string{"__Host-dw_refresh=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age="} {
			if !strings.Contains(text, attribute) {
				t.Errorf("%s: %q lacks %s", name, text, attribute)
			}
		}
		if strings.Contains(text, "Domain") || len(text) > 4096 {
			t.Errorf("%s: %q", name, text)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/refresh", nil)
	if got, err := w.RefreshTokenFrom(r); got != "" || err != nil {
		t.Errorf("no cookie: %q, %v", got, err)
	}
	r.AddCookie(w.RefreshCookie(set))
	if got, err := w.RefreshTokenFrom(r); got != set.RefreshToken || err != nil {
		t.Errorf("cookie: %q, %v", got, err)
	}
	// Attack_D05: a browser keeps the rules of __Host- for the exact name alone, and net/http trims names.
	imitation := httptest.NewRequest(http.MethodPost, "/refresh", nil)
	imitation.Header.Set("Cookie", "a=b; __Host-dw_refresh =planted")
	if got, err := w.RefreshTokenFrom(imitation); got != "" || !errors.Is(err, issuer.ErrTwoCookies) {
		t.Errorf("a name with a space: %q, %v, want ErrTwoCookies", got, err)
	}
	// Attack_D05, Behaviour_B9a, Standard_H07: never the first of two.
	r.Header.Add("Cookie", "__Host-dw_refresh=planted")
	if _, err := w.RefreshTokenFrom(r); !errors.Is(err, issuer.ErrTwoCookies) {
		t.Errorf("two cookies: %v, want ErrTwoCookies", err)
	}
}
