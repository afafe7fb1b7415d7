package account_test

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

func TestEmail_Attack_E05_E11(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.add("ada")
	label, local := strings.Repeat("d", 63), strings.Repeat("l", 64)
	long := local + "@" + label + "." + label + "." + strings.Repeat("d", 254-65-128-1-3) + ".de" // 254 bytes
	for text, want := range map[string]string{
		"":                          "",
		"ada@example.com":           "ada@example.com",
		"Ada.Byron+x@EXAMPLE.Com":   "Ada.Byron+x@example.com",
		"o'neil=a@mail-1.example":   "o'neil=a@mail-1.example",
		"a@xn--bcher-kva.example":   "a@xn--bcher-kva.example",
		"a@1.2.3.example":           "a@1.2.3.example",
		long:                        long,
		local + "@example.com":      local + "@example.com",
		"!#$%&'*+-/=?^_`{|}~@a.b":   "!#$%&'*+-/=?^_`{|}~@a.b",
		"a@" + label + ".example":   "a@" + label + ".example",
		"postmaster@a.b.c.d.e.f.gh": "postmaster@a.b.c.d.e.f.gh",
	} {
		got, err := w.setEmail(u.ID, text)
		if err != nil || got.Email != want {
			t.Errorf("an edit to %q = %q, %v, want %q", text, got.Email, err, want)
		}
	}
	kept, err := w.setEmail(u.ID, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"ada", "@", "ada@", "@example.com", "ada@example", "ada@localhost", "a@b@example.com",
		".ada@example.com", "ada.@example.com", "a..b@example.com", `"a b"@example.com`, "a b@example.com", "a(x)@example.com",
		" ada@example.com", "ada@example.com ", "ada@example.com.", "ada@.example.com", "ada@example..com", "ada@-a.example", "ada@a-.example",
		"ada@[192.0.2.1]", "ada@192.0.2.1", "ada@exa_mple.com", "ada@ex%61mple.com", "ada@example.com,eve@example.com",
		"Ada <ada@example.com>", "mailto:ada@example.com@x", "ada@bücher.example", "ádá@example.com", "аda@example.com", "ada@example.cοm",
		"ada@example.com\n", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\x00", "ada\u200b@example.com", "ada@example.com\u202e", "\xff@example.com",
		"l" + local + "@example.com", "a@d" + label + ".example", long[:60] + "x" + long[60:], "a@" + strings.Repeat("d.", 200) + "de", strings.Repeat("a", 1<<20) + "@example.com",
	} {
		_, err := w.setEmail(u.ID, text)
		w.wantError(err, account.ErrEmail)
		if err == nil {
			t.Errorf("%.80q is taken", text)
		}
		_, err = w.people.Add(t.Context(), account.NewUser{Name: "bob", Email: text, Password: right}, event)
		w.wantError(err, account.ErrEmail)
	}
	if got, err := w.people.ByID(t.Context(), u.ID); err != nil || got.Email != kept.Email {
		t.Errorf("a refused address changed it to %q, %v", got.Email, err)
	}
	_, err = w.setEmail("u_nobody", "x@example.com")
	w.wantError(err, account.ErrNotFound)
	// It is no login name, and what a name is has not changed.
	_, err = w.enter("ada@example.com", right)
	w.wantError(err, account.ErrCredentials)
	// It is in no token.
	if s, err := w.people.Subject(t.Context(), u.ID); err != nil || s.Claims != nil {
		t.Errorf("the claims of a subject are %v, %v", s.Claims, err)
	}
}

func (w *world) setEmail(id, text string) (account.User, error) {
	u, _, err := w.people.Edit(w.Context(), id, account.UserEdit{Email: &text}, event)
	return u, err
}

// Whoever registers with somebody else's address takes nothing from them, and learns nothing.
func TestEmailIsShared_Attack_E01(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"ada", "bob"} {
		if _, err := w.people.Register(t.Context(), account.Registration{Name: name, Email: "ada@example.com", Password: right}, issuer.Event{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
