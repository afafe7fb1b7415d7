package admin

import (
	"context"
	"io"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/roster"
)

var errExportOff = &endpoint.Failure{
	Status: http.StatusForbidden, Code: "export_off",
	Description: "an export gives out the hash of every password, and the setting admin.export_hashes does not allow it over HTTP; " +
		"GET /admin/v1/users has everything else",
}

// usersExport writes all users with the hashes of their passwords, as lines that an import takes. An answer without the
// end line has broken off.
func (a *Admin) usersExport(w http.ResponseWriter, r *http.Request) error {
	if !a.ExportHashes {
		return errExportOff
	}
	return stream(w, r, &a.exportingUsers, func() error { return a.People.RecordExport(r.Context(), event(r)) }, func(answer long, to io.Writer) error {
		lines := roster.NewLines(to)
		users, err := roster.Export(r.Context(), a.credentials(r, answer), lines.Put)
		if err != nil {
			return err
		}
		return lines.End(users)
	})
}

// credentials returns a function that reads a page of users, if the caller is still logged in and an admin. It puts the
// deadline of the answer off for each page.
func (a *Admin) credentials(r *http.Request, answer long) func(context.Context, account.Query) ([]account.Credential, error) {
	claims := endpoint.Claims(r)
	return func(ctx context.Context, q account.Query) ([]account.Credential, error) {
		answer.hold()
		if err := a.checkStill(ctx, claims); err != nil {
			return nil, err
		}
		return a.People.Export(ctx, q)
	}
}
