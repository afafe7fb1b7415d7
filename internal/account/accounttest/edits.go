package accounttest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

func testEdit(f *fixture) {
	ada := f.create(newRow("Ada", "editor"))
	session := f.login(ada.ID)
	yes, no, roles := true, false, []string{"viewer", "auditor", "viewer"}
	u, cut, err := f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Seen: &ada, Roles: &roles}, event)
	want := ada
	want.Roles = []string{"auditor", "viewer"}
	f.wantUser(u, err, want)
	if cut != (doorward.Revocation{}) {
		f.Errorf("a change of roles alone returns %+v", cut)
	}
	f.wantLive(session)

	_, _, err = f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Seen: &ada, Disabled: &yes}, event) // not what she is now
	f.wantError(err, issuer.ErrConflict)
	f.wantLive(session)
	got, err := f.store.User(f.Context(), ada.ID)
	f.wantUser(got, err, want)

	u, cut, err = f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Seen: &u, Disabled: &yes}, event)
	want.Disabled = true
	f.wantUser(u, err, want)
	f.wantEnded(cut, issuer.ReasonAdmin, session)

	u, cut, err = f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Disabled: &no}, event)
	want.Disabled = false
	f.wantUser(u, err, want)
	if cut != (doorward.Revocation{}) {
		f.Errorf("enabling returns %+v", cut)
	}
	session = f.login(ada.ID)
	_, cut, err = f.store.EditUser(f.Context(), ada.ID, account.UserEdit{End: true}, event)
	f.wantError(err, nil)
	f.wantEnded(cut, issuer.ReasonAdmin, session)
	_, _, err = f.store.EditUser(f.Context(), "u_nobody", account.UserEdit{Disabled: &yes}, event)
	f.wantError(err, account.ErrNotFound)
}

func testEditBounds(f *fixture) {
	ada := f.create(newRow("Ada", "admin"))
	yes, none, many := true, []string{}, append(wide("r", account.MaxRoles), "admin")
	for _, e := range []account.UserEdit{{Disabled: &yes}, {Roles: &none}, {Roles: &none, Disabled: &yes}} {
		_, _, err := f.store.EditUser(f.Context(), ada.ID, e, event)
		f.wantError(err, account.ErrLastAdmin)
	}
	_, _, err := f.store.EditUser(f.Context(), ada.ID, account.UserEdit{Roles: &many}, event)
	f.wantError(err, account.ErrRoleBounds)
	got, err := f.store.User(f.Context(), ada.ID)
	f.wantUser(got, err, ada)
}

// Each editor adds a role to what they saw, and looks again when that has changed: no role is lost.
func testEditTogether(f *fixture) {
	ada := f.create(newRow("Ada"))
	const editors = 8
	words := make(chan string, editors)
	for i := range editors {
		words <- fmt.Sprintf("r%d", i)
	}
	f.together(editors, func(ctx context.Context, s Store) bool {
		word := <-words
		for {
			seen, err := s.User(ctx, ada.ID)
			if err != nil {
				f.Error(err)
				return false
			}
			roles := append(slices.Clone(seen.Roles), word)
			_, _, err = s.EditUser(ctx, ada.ID, account.UserEdit{Seen: &seen, Roles: &roles}, event)
			if err == nil {
				return true
			}
			if !errors.Is(err, issuer.ErrConflict) {
				f.Error(err)
				return false
			}
		}
	})
	got, err := f.store.User(f.Context(), ada.ID)
	for i := range editors {
		ada.Roles = append(ada.Roles, fmt.Sprintf("r%d", i))
	}
	f.wantUser(got, err, ada)
}

func testRoleSeen(f *fixture) {
	seen := f.role("editor", "a")
	f.create(newRow("Ada", "editor")) // who has it is a part of what was seen
	_, err := f.store.ChangeRole(f.Context(), "editor", &seen, account.Change{Add: []string{"b"}}, event)
	f.wantError(err, issuer.ErrConflict)
	seen, err = f.store.Role(f.Context(), "editor")
	f.wantError(err, nil)
	_, err = f.store.ChangeRole(f.Context(), "editor", &seen, account.Change{Add: []string{"b"}}, event)
	f.wantError(err, nil)
	_, err = f.store.ChangeRole(f.Context(), "editor", &seen, account.Change{Add: []string{"c"}}, event)
	f.wantError(err, issuer.ErrConflict)
	seen.Scope = doorward.Scope{"a", "b"}
	got, err := f.store.Role(f.Context(), "editor")
	f.wantRole(got, err, seen)
}

func testClientEdit(f *clients) {
	c := f.create("orders")
	yes, scope, audiences := true, doorward.Scope{"b:read"}, []string{}
	got, cuts, err := f.store.EditClient(f.Context(), c.ID, account.ClientEdit{Seen: &c, Scope: &scope, Audiences: &audiences}, event)
	want := c
	want.Scope, want.Audiences = scope, nil
	f.same(got, err, want)
	if len(cuts) != 0 {
		f.Errorf("a change of scopes ends %+v", cuts)
	}
	_, _, err = f.store.EditClient(f.Context(), c.ID, account.ClientEdit{Seen: &c, Disabled: &yes}, event)
	f.wantError(err, issuer.ErrConflict)
	got, err = f.again().Client(f.Context(), c.ID)
	f.same(got, err, want)
	got, cuts, err = f.store.EditClient(f.Context(), c.ID, account.ClientEdit{Seen: &got, Disabled: &yes}, event)
	want.Disabled = true
	f.same(got, err, want)
	if len(cuts) != 2 {
		f.Errorf("disabling ends %+v", cuts)
	}
	_, _, err = f.store.EditClient(f.Context(), "dwc_nobody", account.ClientEdit{Disabled: &yes}, event)
	f.wantError(err, account.ErrNoClient)
}
