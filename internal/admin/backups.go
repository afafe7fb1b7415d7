package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

var errNoBackups = &endpoint.Failure{
	Status: http.StatusConflict, Code: "no_backups",
	Description: "the store is a PostgreSQL database, which has tools of its own for that: pg_dump --schema=doorward, or its base backups",
}

// backupEntry is what is shown of a copy of the store. The content of a copy is never sent over HTTP.
type backupEntry struct {
	Name   string    `json:"name"`
	Bytes  int64     `json:"bytes"`
	MadeAt time.Time `json:"made_at"`
}

func showBackup(c backup.Copy) backupEntry { return backupEntry{c.Name, c.Bytes, c.MadeAt} }

type backupsAnswer struct {
	Backups []backupEntry `json:"backups"`
}

// refuseBackup turns an error of the folder into a refusal. An error that is none of the known ones comes from the disk.
func refuseBackup(r *http.Request, err error) error {
	f := &endpoint.Failure{
		Status: http.StatusInsufficientStorage, Code: "backup_failed", Description: "the disk does not take or give the copy; is it full?", Cause: err,
	}
	switch {
	case r.Context().Err() != nil:
		return r.Context().Err()
	case errors.Is(err, backup.ErrBusy):
		return errOneAtATime
	case errors.Is(err, backup.ErrNone):
		return endpoint.NotFound("there is no such backup")
	case errors.Is(err, backup.ErrMost):
		f.Status, f.Code, f.Description = http.StatusConflict, "conflict", "there are 10 backups already; delete one first"
	case errors.Is(err, issuer.ErrUnavailable):
		return err
	}
	return f
}

// backups lists the copies of the store that are on the disk of this server, the newest first.
func (a *Admin) backups(w http.ResponseWriter, r *http.Request) error {
	if a.Backups == nil {
		return errNoBackups
	}
	list, err := a.Backups.List()
	if err != nil {
		return refuseBackup(r, err)
	}
	return show(w, r, backupsAnswer{each(list, showBackup)})
}

func (a *Admin) backup(w http.ResponseWriter, r *http.Request) error {
	if a.Backups == nil {
		return errNoBackups
	}
	c, err := a.Backups.Find(r.PathValue("name"))
	if err != nil {
		return refuseBackup(r, err)
	}
	return show(w, r, showBackup(c))
}

// backupMake makes a copy beside the store. The request is in the audit record before the copy begins, so that it is in
// the record of the copy too.
func (a *Admin) backupMake(w http.ResponseWriter, r *http.Request) error {
	if err := readOptionalBody(w, r, &struct{}{}); err != nil {
		return err
	}
	if a.Backups == nil {
		return errNoBackups
	}
	answer := longAnswer(w)
	answer.wait()
	c, err := a.Backups.Make(r.Context(), func(name string) error { return a.recordBackup(r, backup.EventMake, name) })
	answer.hold()
	if err != nil {
		return refuseBackup(r, err)
	}
	a.location(w, "/backups/"+c.Name)
	endpoint.WriteJSON(w, http.StatusCreated, showBackup(c))
	return nil
}

func (a *Admin) backupDelete(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	if a.Backups == nil {
		return errNoBackups
	}
	name := r.PathValue("name")
	err := a.Backups.Remove(name, func() error { return a.recordBackup(r, backup.EventRemove, name) })
	if err != nil {
		return refuseBackup(r, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *Admin) recordBackup(r *http.Request, kind issuer.EventKind, name string) error {
	ev := event(r)
	ev.Kind, ev.Reason = kind, name
	return a.Audit.Record(r.Context(), ev)
}
