package accounttest

import (
	"context"
	"errors"

	"github.com/doorward/doorward/internal/account"
)

func testExternalID(f *fixture) {
	row := newRow("Ada")
	row.ExternalID = "17"
	ada, bob := f.create(row), f.create(newRow("Bob")) // Any number of users may have none.
	eve := f.create(newRow("Eve"))
	if ada.ExternalID != "17" || bob.ExternalID != "" {
		f.Errorf("created with the external IDs %q and %q", ada.ExternalID, bob.ExternalID)
	}
	s := f.login(bob.ID)
	for _, id := range []string{"18", "B", "b", "17x", ""} {
		want := bob
		want.ExternalID = id
		f.wantEdit(account.UserEdit{ExternalID: &id}, want)
	}
	f.wantLive(s)
	got, err := f.store.User(f.Context(), eve.ID)
	f.wantUser(got, err, eve)
	got, err = f.again().UserByExternalID(f.Context(), "17")
	f.wantUser(got, err, ada)
	for _, nobody := range []string{"", "18", "017", "1_", "%"} {
		_, err = f.store.UserByExternalID(f.Context(), nobody)
		f.wantError(err, account.ErrNotFound)
	}

	carol, email := newRow("Carol"), "bob@example.org"
	carol.ExternalID = "17"
	_, err = f.store.CreateUser(f.Context(), carol, event)
	f.wantError(err, account.ErrExternalIDTaken)
	_, _, err = f.store.EditUser(f.Context(), bob.ID, account.UserEdit{ExternalID: &row.ExternalID, Email: &email}, event)
	f.wantError(err, account.ErrExternalIDTaken)
	got, err = f.store.User(f.Context(), bob.ID)
	f.wantUser(got, err, bob)
	got, _, err = f.store.EditUser(f.Context(), ada.ID, account.UserEdit{ExternalID: &row.ExternalID}, event) // their own
	f.wantUser(got, err, ada)
	hostile := "1\x007"
	if _, _, err := f.store.EditUser(f.Context(), bob.ID, account.UserEdit{ExternalID: &hostile}, event); err == nil {
		f.Error("no error for a NUL in an external ID")
	}
	if _, err := f.store.DeleteUser(f.Context(), ada.ID, event); err != nil {
		f.Fatal(err)
	}
	f.create(carol) // It is free again.
}

func testExternalIDBulk(f *fixture) {
	row := func(name, id string) account.UserRow {
		r := newRow(name)
		r.ExternalID = id
		return r
	}
	rows := []account.UserRow{row("Ada", "1"), row("Bob", "1"), row("Carol", ""), row("Dora", ""), row("Eve", "2")}
	made, err := f.store.CreateUsers(f.Context(), rows, false, event)
	f.wantVerdicts(made, err, nil, account.ErrExternalIDTaken, nil, nil, nil)
	later := []account.UserRow{row("Frida", "2"), row("Gerda", "3"), rows[0], rows[0], rows[2], rows[4], rows[4]}
	later[3].ExternalID, later[4].ExternalID, later[5].ExternalID, later[6].ExternalID = "4", "5", "", "1"
	made, err = f.store.CreateUsers(f.Context(), later, true, event)
	f.wantVerdicts(made, err, account.ErrExternalIDTaken, nil,
		account.ErrPresent, account.ErrNameTaken, account.ErrNameTaken, account.ErrPresent, account.ErrNameTaken)
	list, err := f.store.Credentials(f.Context(), account.Query{})
	if err != nil || len(list) != 4 {
		f.Fatalf("%d users, %v, want 4", len(list), err)
	}
	for i, want := range []string{"1", "", "", "2"} {
		if got := list[i].User.ExternalID; got != want {
			f.Errorf("user %s has the external ID %q, want %q", list[i].User.Name, got, want)
		}
	}
}

func testExternalIDTogether(f *fixture) {
	const processes = 8
	ids, id := make(chan string, processes), "17"
	for range processes / 2 {
		ids <- f.create(newRow("u" + string(rune('a'+len(ids))))).ID
		ids <- ""
	}
	given := f.together(processes, func(ctx context.Context, s Store) (won bool) {
		var err error
		if user := <-ids; user != "" {
			_, _, err = s.EditUser(ctx, user, account.UserEdit{ExternalID: &id}, event)
		} else {
			row := newRow("ada")
			row.Name += row.ID
			row.Canonical, row.ExternalID = row.Name, id
			_, err = s.CreateUser(ctx, row, event)
		}
		if err != nil && !errors.Is(err, account.ErrExternalIDTaken) {
			f.Errorf("error %v, want ErrExternalIDTaken", err)
		}
		return err == nil
	})
	if given != 1 {
		f.Errorf("%d users of one external ID, want 1", given)
	}
}
