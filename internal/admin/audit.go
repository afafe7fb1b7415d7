package admin

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/endpoint"
)

// recordEntry is what is shown of a record of the audit log.
type recordEntry struct {
	Number    int64     `json:"number"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Result    string    `json:"result"`
	Actor     string    `json:"actor,omitzero"`
	Subject   string    `json:"subject,omitzero"`
	Session   string    `json:"session,omitzero"`
	Address   string    `json:"address,omitzero"`
	RequestID string    `json:"request_id,omitzero"`
	Reason    string    `json:"reason,omitzero"`
}

type recordsAnswer struct {
	Records []recordEntry `json:"records"`
	Next    string        `json:"next,omitzero"`
}

// records lists what happened, newest first.
func (a *Admin) records(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r, "subject", "actor", "address", "session", "request_id", "kind,", "since", "until")
	if err != nil {
		return err
	}
	q, err := auditQuery(p)
	if err != nil {
		return err
	}
	list, err := a.Audit.SearchAudit(r.Context(), q)
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(r audit.Record) string { return strconv.FormatInt(r.Seq, 10) })
	endpoint.WriteJSON(w, http.StatusOK, recordsAnswer{each(list, showRecord), next})
	return nil
}

func showRecord(r audit.Record) recordEntry {
	return recordEntry{
		Number: r.Seq, At: r.At, Kind: string(r.Kind), Result: string(r.Result()), Actor: r.Actor, Subject: r.Subject,
		Session: r.Session, Address: r.Address, RequestID: r.RequestID, Reason: r.Reason,
	}
}

// auditQuery reads what to select.
func auditQuery(p page) (q audit.Query, err error) {
	f := p.filters
	asked := audit.Asked{Subject: f["subject"], Actor: f["actor"], Address: f["address"], Session: f["session"], RequestID: f["request_id"]}
	if kinds, ok := f["kind"]; ok {
		asked.Kinds = strings.Split(kinds, ",")
	}
	if asked.Since, err = moment(f, "since"); err != nil {
		return q, err
	}
	if asked.Until, err = moment(f, "until"); err != nil {
		return q, err
	}
	q, err = asked.Query()
	if bad, ok := errors.AsType[*audit.FieldError](err); ok {
		return q, endpoint.InvalidRequest(bad.Field+" "+bad.Want, err)
	}
	q.Limit = p.limit + 1
	if p.after != "" {
		if q.Before, err = strconv.ParseInt(p.after, 10, 64); err != nil || q.Before <= 0 {
			return q, errCursor
		}
	}
	return q, nil
}

// moment reads a parameter that is a time. It returns the zero time if the parameter is left out.
func moment(filters map[string]string, name string) (time.Time, error) {
	text, ok := filters[name]
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, endpoint.InvalidRequest(name+" must be a time such as 2026-11-22T09:30:00Z", nil)
	}
	return at, nil
}
