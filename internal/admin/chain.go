package admin

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/endpoint"
)

var errOvertaken = &endpoint.Failure{
	Status: http.StatusServiceUnavailable, Code: "unavailable",
	Description: "the retention has deleted records that were to be exported; ask again", RetryAfter: time.Second, Cause: audit.ErrOvertaken,
}

type headAnswer struct {
	Head string `json:"head"`
}

// auditHead returns the head of the chain, which stands for everything that is sealed so far.
func (a *Admin) auditHead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	page, err := a.Audit.AuditChain(r.Context(), math.MaxInt64)
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, headAnswer{page.Last.String()})
	return nil
}

// auditVerify verifies the whole record, and that it continues from a head which the caller has kept.
func (a *Admin) auditVerify(w http.ResponseWriter, r *http.Request) error {
	expect, err := readHead(r)
	if err != nil {
		return err
	}
	if !a.verifying.TryLock() {
		return errOneAtATime
	}
	defer a.verifying.Unlock()
	n, oldest, err := a.Audit.AuditWaiting(r.Context())
	if err != nil {
		return err
	}
	answer := longAnswer(w)
	report, err := audit.Verify(r.Context(), a.Audit, a.MasterKey, expect, func(int64, int64) { answer.hold() })
	verdict, err := report.Verdict(err)
	if err != nil {
		return err
	}
	verdict.Wait(n, oldest)
	endpoint.WriteJSON(w, http.StatusOK, verdict)
	return nil
}

// readHead reads the head to compare with. It returns nil if there is none.
func readHead(r *http.Request) (*audit.Head, error) {
	values, err := readQuery(r, "head")
	if err != nil {
		return nil, err
	}
	text, given := values["head"]
	if !given {
		return nil, nil
	}
	head, err := audit.ParseHead(text)
	if err != nil {
		return nil, endpoint.InvalidRequest("head must be what /audit/head said", nil)
	}
	return &head, nil
}

// auditExport writes the record as JSON lines. An answer without the end line has broken off.
func (a *Admin) auditExport(w http.ResponseWriter, r *http.Request) error {
	ev := event(r)
	ev.Kind = audit.EventExport
	err := stream(w, r, &a.exporting, func() error { return a.Audit.Record(r.Context(), ev) }, func(answer long, to io.Writer) error {
		return audit.Export(r.Context(), watched{a, endpoint.Claims(r), answer}, to)
	})
	if errors.Is(err, audit.ErrOvertaken) {
		return errOvertaken
	}
	return err
}

// watched is the audit record as one admin reads it. Before each page it checks that they still are one, since a slow
// client reads for hours.
type watched struct {
	admin  *Admin
	claims *doorward.Claims
	answer long
}

// AuditChain returns the next blocks if the caller is still logged in and an admin. It puts the deadline of the answer
// off for each page, even if nothing is written: HTTP/2 ends an answer at its deadline.
func (s watched) AuditChain(ctx context.Context, after int64) (audit.Page, error) {
	s.answer.hold()
	if err := s.admin.checkStill(ctx, s.claims); err != nil {
		return audit.Page{}, err
	}
	return s.admin.Audit.AuditChain(ctx, after)
}
