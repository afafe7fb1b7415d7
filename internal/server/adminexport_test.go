package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

const exportingUsers = "/admin/v1/users/export"

// credentialReader reads users with their hashes in the place of the store, which it may ask.
type credentialReader func(ctx context.Context, q account.Query, store account.BulkStore) ([]account.Credential, error)

// bulk is a store with another reader of users, if there is one.
type bulk struct {
	account.BulkStore

	read credentialReader
}

func (b bulk) Credentials(ctx context.Context, q account.Query) ([]account.Credential, error) {
	if b.read == nil {
		return b.BulkStore.Credentials(ctx, q)
	}
	return b.read(ctx, q, b.BulkStore)
}

func allowed(s *settings) { s.exportHashes = true }

// What one server exports another one imports as it is, and people log in there; who took it is on record. Nobody gets what opens an
// admin's account that nobody has opened yet.
func TestAdminUsersExport(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t, allowed)
	no := true
	_, _, err := w.people.Edit(t.Context(), w.alice, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
	must(t, err)
	_, err = w.people.Add(t.Context(), account.NewUser{Name: "waits", Password: goodWord, Roles: []string{"admin"}, MustChange: true}, issuer.Event{})
	must(t, err)
	a := w.do("GET", exportingUsers, nil, root).want(t, 200, "")
	lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
	if len(lines) != 5 || lines[4] != `{"type":"end","users":4}` || a.header.Get("Content-Type") != "application/jsonl" ||
		!strings.Contains(lines[0], `"username":"alice"`) || !strings.Contains(lines[0], `"disabled":true`) || strings.Count(string(a.body), "$argon2id$") != 3 ||
		!strings.Contains(lines[3], `"password_hash":"","roles":["admin"]`) {
		t.Errorf("%s\n%s", a.header, a.body)
	}
	there, otherRoot, _ := adminWorld(t)
	there.do("DELETE", "/admin/v1/users/"+there.bob, nil, otherRoot).want(t, 204, "")
	got := there.do("POST", importing, string(a.body), otherRoot, media(lineMedia)).want(t, 200, "")
	if got.object["rows"] != 4.0 || got.object["added"] != 1.0 || got.object["refused"] != 1.0 {
		t.Errorf("imported %s", got.body)
	}
	there.login("bob", bobWord)
	if b := w.do("HEAD", exportingUsers, nil, root); b.status != 200 {
		t.Errorf("HEAD: %d", b.status)
	}
	w.do("GET", exportingUsers+"?limit=1", nil, root).want(t, 400, "invalid_request")
	w.recordedOnce(account.EventUserExport, id)
}

// Unless the operator allows it, no hash leaves, however old the login is.
func TestAdminUsersExportOff(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	for _, method := range []string{"GET", "HEAD"} {
		if a := w.do(method, exportingUsers, nil, root); a.status != 403 || method == "GET" && a.text("error") != "export_off" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	if a := w.do("GET", exportingUsers, nil, root); !strings.Contains(a.text("error_description"), "admin.export_hashes") {
		t.Errorf("%s", a.body)
	}
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Kinds: []issuer.EventKind{account.EventUserExport}})
	must(t, err)
	if len(records) > 0 {
		t.Errorf("recorded %+v", records)
	}
}

// overAdmin is how one stops being an admin who is logged in.
var overAdmin = map[string]func(w *world, root with, id string){
	"disabled": func(w *world, _ with, id string) {
		no := true
		_, _, err := w.people.Edit(w.t.Context(), id, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
		must(w.t, err)
	},
	"logged out": func(w *world, root with, _ string) { w.do("POST", "/logout", nil, root).want(w.t, 204, "") },
}

// Who stops being an admin, or whose session ends, while they export gets no more users.
func TestAttack_F18_UsersExport(t *testing.T) {
	t.Parallel()
	for name, end := range overAdmin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pages := 0
			var ended func()
			w, root, id := adminWorld(t, allowed, func(s *settings) {
				s.credentials = func(ctx context.Context, q account.Query, store account.BulkStore) ([]account.Credential, error) {
					pages++
					q.Limit = 1
					list, err := store.Credentials(ctx, q)
					ended()
					return list, err
				}
			})
			w.addUser("second", goodWord, "admin")
			ended = func() { end(w, root, id) }
			if a := w.do("GET", exportingUsers, nil, root); a.status != 401 && a.status != 403 || strings.Contains(string(a.body), "argon2") {
				t.Errorf("%d %s", a.status, a.body)
			}
			if pages != 1 {
				t.Errorf("%d pages", pages)
			}
		})
	}
}

// An export that breaks off is a refusal while nothing was sent, and then an answer that does not end, without its last line; one at
// a time is made.
func TestAdminUsersExportTorn(t *testing.T) {
	t.Parallel()
	var fail bool
	var within func()
	w, root, _ := adminWorld(t, allowed, func(s *settings) {
		s.direct = false
		s.credentials = func(_ context.Context, q account.Query, _ account.BulkStore) ([]account.Credential, error) {
			if fail || q.After != "" {
				return nil, errTorn
			}
			within()
			list := make([]account.Credential, q.Limit)
			for i := range list {
				list[i] = account.Credential{User: account.User{Name: strings.Repeat("x", 600), Canonical: "x"}, Hash: fridaHash}
			}
			return list, nil
		}
	})
	fail = true
	w.do("GET", exportingUsers, nil, root).want(t, 500, "server_error")
	fail = false
	within = func() { w.do("GET", exportingUsers, nil, root).want(t, 503, "busy") }
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.address+exportingUsers, nil)
	must(t, err)
	root(r)
	response, err := http.DefaultClient.Do(r)
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, response.Body.Close())
	if response.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || bytes.Contains(body, []byte(`"type":"end"`)) {
		t.Errorf("%d with %d bytes, %v", response.StatusCode, len(body), err)
	}
}
