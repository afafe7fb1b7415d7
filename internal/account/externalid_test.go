package account_test

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
)

func TestExternalID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.add("ada")
	longest := strings.Repeat("9", account.MaxExternalID)
	for _, id := range []string{"17", "0", "-1", "507f1f77bcf86cd799439011", "auth0|5f7c8ec7c33c6c004bbafe82", `{"$gt":""}`, "!~", longest} {
		got, err := w.setExternalID(u.ID, id)
		if err != nil || got.ExternalID != id {
			t.Errorf("an edit to %q = %q, %v", id, got.ExternalID, err)
		}
		s, err := w.people.Subject(t.Context(), u.ID)
		if err != nil || len(s.Claims) != 1 || s.Claims[account.ClaimExternalID] != id {
			t.Errorf("the claims of a subject are %v, %v, want %q", s.Claims, err, id)
		}
	}
	for _, id := range []string{" ", "1 7", "17\n", "\x00", "17\r\nDoorward-Roles: admin", "ü", "\xff", "\u202e17", "\x7f", longest + "9", strings.Repeat("9", 1<<20)} {
		_, err := w.setExternalID(u.ID, id)
		w.wantError(err, account.ErrExternalID)
		_, err = w.people.Add(t.Context(), account.NewUser{Name: "bob", ExternalID: id, Password: right}, event)
		w.wantError(err, account.ErrExternalID)
		verdicts, err := w.people.Import(t.Context(), []account.Imported{{Name: "bob", ExternalID: id}}, false, event)
		if err != nil {
			t.Fatal(err)
		}
		w.wantError(verdicts[0], account.ErrExternalID)
	}
	_, err := w.people.Add(t.Context(), account.NewUser{Name: "bob", ExternalID: longest, Password: right}, event)
	w.wantError(err, account.ErrExternalIDTaken)
	root, err := w.people.Add(t.Context(), account.NewUser{Name: "root", ExternalID: "1", Password: right, Roles: []string{account.RoleAdmin}, MustChange: true}, event)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := w.people.Subject(t.Context(), root.ID); err != nil || s.Claims[account.ClaimExternalID] != "1" || s.Claims[account.ClaimChangeRequired] != true {
		t.Errorf("the claims of an admin who must change the password are %v, %v", s.Claims, err)
	}
	if got, err := w.people.ByExternalID(t.Context(), "1"); err != nil || got.ID != root.ID {
		t.Errorf("by the external ID 1: %+v, %v", got, err)
	}
	if _, err := w.setExternalID(u.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", longest, "1 ", "\x00"} {
		_, err := w.people.ByExternalID(t.Context(), id)
		w.wantError(err, account.ErrNotFound)
	}
	if s, err := w.people.Subject(t.Context(), u.ID); err != nil || s.Claims != nil {
		t.Errorf("the claims of a subject without an external ID are %v, %v", s.Claims, err)
	}
}

// A key acts in the name of its owner, also for an API that knows the owner by an ID of its own.
func TestAPIKeyExternalID(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	for _, n := range []account.NewAPIKey{{}, {Everything: true}} {
		ada, _, text := w.key(n)
		for _, want := range []string{"17", "18", ""} {
			if _, err := w.setExternalID(ada.ID, want); err != nil {
				t.Fatal(err)
			}
			set, err := w.exchange(text, account.KeyRequest{})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			found, err := w.wantClaims(set, issuerURL).Extra(account.ClaimExternalID, &got)
			if err != nil || got != want || found != (want != "") {
				t.Errorf("a token of %+v has the external ID %q, %t, %v, want %q", n, got, found, err, want)
			}
		}
	}
}

func (w *world) setExternalID(id, text string) (account.User, error) {
	u, _, err := w.people.Edit(w.Context(), id, account.UserEdit{ExternalID: &text}, event)
	return u, err
}
