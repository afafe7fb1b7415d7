package accounttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/account"
)

func testBulk(f *fixture) {
	ada := newRow("Ada")
	f.create(ada)
	same, other, eve, bob := newRow("ADA"), newRow("aDa"), newRow("Eve", "editor", "admin"), newRow("Bob")
	same.Hash, other.Hash, eve.Disabled = ada.Hash, "$another", true
	rows := []account.UserRow{eve, same, bob, other, newRow("bob")}
	rows[4].Hash = bob.Hash

	made, err := f.store.CreateUsers(f.Context(), rows, true, event)
	f.wantVerdicts(made, err, nil, account.ErrPresent, nil, account.ErrNameTaken, nil)
	if users, err := f.store.Users(f.Context(), account.Query{}); err != nil || len(users) != 1 {
		f.Errorf("%d users after a dry run, %v, want 1", len(users), err)
	}
	made, err = f.store.CreateUsers(f.Context(), rows, false, event)
	f.wantVerdicts(made, err, nil, account.ErrPresent, nil, account.ErrNameTaken, account.ErrPresent)
	made, err = f.store.CreateUsers(f.Context(), rows, false, event)
	f.wantVerdicts(made, err, account.ErrPresent, account.ErrPresent, account.ErrPresent, account.ErrNameTaken, account.ErrPresent)

	list, err := f.again().Credentials(f.Context(), account.Query{After: "ada", Limit: 2})
	if err != nil || len(list) != 2 {
		f.Fatalf("%d credentials, %v, want 2", len(list), err)
	}
	if list[0].User.ID != bob.ID || list[0].Hash != bob.Hash || list[0].User.Email != bob.Email || list[0].User.Disabled {
		f.Errorf("credential %+v of %+v", list[0], bob)
	}
	got := list[1].User
	if diff := cmp.Diff([]string{"admin", "editor"}, got.Roles); diff != "" || !got.Disabled || got.ID != eve.ID || got.CreatedAt.IsZero() {
		f.Errorf("user %+v of %+v", got, eve)
	}
}

// A context that ends while users are made leaves none of them.
func testBulkWhole(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := f.store.CreateUsers(ctx, []account.UserRow{newRow("Ada"), newRow("Bob")}, false, event); err == nil {
		f.Error("no error from a context that has ended")
	}
	hostile := newRow("Eve")
	hostile.Hash = "a\x00b"
	if _, err := f.store.CreateUsers(f.Context(), []account.UserRow{newRow("Ada"), hostile}, false, event); err == nil {
		f.Error("no error for a NUL in a hash")
	}
	if users, err := f.store.Users(f.Context(), account.Query{}); err != nil || len(users) != 0 {
		f.Errorf("%d users, %v, want none", len(users), err)
	}
}

func testBulkTogether(f *fixture) {
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	added := f.together(8, func(_ context.Context, s Store) bool {
		rows := make([]account.UserRow, 20)
		for i := range rows {
			rows[i] = newRow(fmt.Sprintf("user%d", i))
		}
		made, err := s.CreateUsers(ctx, rows, false, event)
		if err != nil {
			f.Error(err)
			return false
		}
		for _, verdict := range made {
			if verdict != nil && !errors.Is(verdict, account.ErrPresent) {
				f.Errorf("verdict %v", verdict)
			}
		}
		return made[0] == nil
	})
	users, err := f.store.Users(f.Context(), account.Query{})
	if added != 1 || len(users) != 20 || err != nil {
		f.Errorf("%d of 8 added the users; %d users, %v", added, len(users), err)
	}
}

func (f *fixture) wantVerdicts(got []error, err error, want ...error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		f.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
