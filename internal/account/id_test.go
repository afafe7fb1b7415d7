package account_test

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
)

// Nobody is called like the ID of another, whichever way they get their name.
func TestNameLikeAnID_Attack_E05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.add("Bob")
	const hash = "pbkdf2:sha1:1000$CBbf78VA$6cbaf5f354402e4e7dc47f1e7519fcf3db6e7f7e"
	for _, name := range []string{
		bob.ID, strings.ToUpper(bob.ID), "\uff55" + bob.ID[1:], // a wide u
		"dwc_" + bob.ID[2:], "DWC_" + bob.ID[2:], "dwk_" + bob.ID[2:18], "dwa_" + bob.ID[2:],
	} {
		_, err := w.people.Register(t.Context(), account.Registration{Name: name, Password: right}, event)
		w.wantError(err, account.ErrName)
		_, err = w.people.Add(t.Context(), account.NewUser{Name: name, Password: right}, event)
		w.wantError(err, account.ErrName)
		for _, dry := range []bool{true, false} {
			verdicts, err := w.people.Import(t.Context(), []account.Imported{{Name: name, Hash: hash}}, dry, event)
			w.wantError(err, nil)
			w.wantError(verdicts[0], account.ErrName)
		}
	}
	if w.hasher.n.Load() != 1 {
		t.Errorf("%d hashes, want the one of Bob", w.hasher.n.Load())
	}
	for _, name := range []string{"u_bob", bob.ID[2:], bob.ID + "a", bob.ID[:27], "u_" + strings.Repeat("1", 26), "dwc_bob"} {
		w.add(name)
	}
}

// Whoever has such a name from before still logs in, and gets nothing that is meant for the other.
func TestFindTakesAnIDFirst_Attack_E05(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob, eve := w.add("Bob"), w.add("Eve")
	hash, err := w.store.Credential(t.Context(), eve.ID)
	w.wantError(err, nil)
	for _, id := range []string{bob.ID, "u_" + strings.Repeat("a", 26)} {
		_, err = w.store.CreateUser(t.Context(), account.UserRow{ID: "u_of" + id, Name: id, Canonical: id, Hash: hash.Hash}, event)
		w.wantError(err, nil)
		w.mustLogin(id, right)
	}
	for text, want := range map[string]string{
		bob.ID: bob.ID, strings.ToUpper(bob.ID): bob.ID, "\uff55" + bob.ID[1:]: bob.ID, "bob": bob.ID, "ＥＶＥ": eve.ID,
		"u_" + strings.Repeat("a", 26): "u_ofu_" + strings.Repeat("a", 26), // no ID of anybody
	} {
		u, err := w.people.Find(t.Context(), text)
		if err != nil || u.ID != want {
			t.Errorf("Find(%q) = %q, %v, want %q", text, u.ID, err, want)
		}
	}
	for _, text := range []string{"nobody", "u_" + strings.Repeat("b", 26), "", "a\x00"} {
		_, err := w.people.Find(t.Context(), text)
		w.wantError(err, account.ErrNotFound)
	}
}
