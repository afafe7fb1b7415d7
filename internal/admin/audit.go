package admin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
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
	p, err := readPage(r, "subject", "actor", "address", "session", "request_id", "kind", "since", "until")
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

// auditQuery reads what to select. Texts are compared exactly.
func auditQuery(p page) (q audit.Query, err error) {
	for _, text := range p.filters {
		if len(text) > 512 || !utf8.ValidString(text) {
			return q, endpoint.InvalidRequest("a parameter is too long, or no text", nil)
		}
	}
	f := p.filters
	q = audit.Query{
		Subject: f["subject"], Actor: f["actor"], Address: f["address"], Session: f["session"], RequestID: f["request_id"], Limit: p.limit + 1,
	}
	if f["kind"] != "" {
		for kind := range strings.SplitSeq(f["kind"], ",") {
			q.Kinds = append(q.Kinds, issuer.EventKind(kind))
		}
	}
	if p.after != "" {
		if q.Before, err = strconv.ParseInt(p.after, 10, 64); err != nil || q.Before <= 0 {
			return q, endpoint.InvalidRequest("cursor must be what next said", nil)
		}
	}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if f[name] == "" {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, f[name]); err != nil {
			return q, endpoint.InvalidRequest(name+" must be a time such as 2026-11-22T09:30:00Z", nil)
		}
	}
	if q, err = q.Checked(); err != nil {
		return q, endpoint.InvalidRequest("there is no such search: since must be before until, and the texts must be text", err)
	}
	return q, nil
}
