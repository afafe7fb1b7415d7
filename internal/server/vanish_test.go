package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// vanishing disables everybody between the check of the password and the login.
type vanishing struct {
	issuer.Subjects
	gone atomic.Bool
}

func (v *vanishing) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	if v.gone.Load() {
		return issuer.Subject{}, nil
	}
	return v.Subjects.Subject(ctx, id)
}

// Attack_E01: who is disabled while they log in or change the password reads what
// others read, and no reason.
func TestDisabledMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(set *settings) { set.direct = true })
	subjects := &vanishing{Subjects: w.people}
	config := w.set.issuer
	config.Subjects = subjects
	var err error
	set := w.set.server
	set.Issuer, err = issuer.New(t.Context(), config)
	must(t, err)
	srv, err := server.New(set)
	must(t, err)
	post := func(path, token, body string) (int, map[string]any) {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", jsonMedia)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer := httptest.NewRecorder()
		srv.ServeHTTP(answer, r)
		var members map[string]any
		must(t, json.Unmarshal(answer.Body.Bytes(), &members))
		return answer.Code, members
	}
	login := fmt.Sprintf(`{"username":"alice","password":%q}`, aliceWord)
	_, tokens := post("/login", "", login)
	subjects.gone.Store(true)

	status, refusal := post("/login", "", login)
	_, wrong := post("/login", "", `{"username":"alice","password":"not the one that it is"}`)
	if status != http.StatusUnauthorized || refusal["error_description"] != wrong["error_description"] || len(refusal) != len(wrong) || refusal["error"] != wrong["error"] {
		t.Errorf("login: %d %v, and with a wrong password %v", status, refusal, wrong)
	}
	change := fmt.Sprintf(`{"current":%q,"new":%q}`, aliceWord, goodWord)
	status, refusal = post("/password", tokens["access_token"].(string), change)
	if status != http.StatusConflict || refusal["error"] != "conflict" || refusal["reason"] != nil {
		t.Errorf("change of password: %d %v", status, refusal)
	}
}

// leaving has the client go away when its claims are asked for.
type leaving struct {
	issuer.Subjects
	leave context.CancelFunc // nil: it stays
}

func (l *leaving) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	if l.leave != nil {
		l.leave()
	}
	return l.Subjects.Subject(ctx, id)
}

// Whoever goes away while the password is changed has changed it, and has the new session.
func TestPasswordOfWhoLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(set *settings) { set.direct = true })
	token := w.session(w.alice, issuer.LoginRequest{}).AccessToken
	config, set, subjects := w.set.issuer, w.set.server, &leaving{Subjects: w.people}
	config.Subjects = subjects
	var err error
	set.Issuer, err = issuer.New(t.Context(), config)
	must(t, err)
	srv, err := server.New(set)
	must(t, err)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	subjects.leave = leave
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/password", strings.NewReader(fmt.Sprintf(`{"current":%q,"new":%q}`, aliceWord, goodWord)))
	r.Header.Set("Content-Type", jsonMedia)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	srv.ServeHTTP(answer, r)
	sessions, err := w.issuer.Sessions(t.Context(), issuer.SessionQuery{Subject: w.alice, Live: true})
	if err != nil || ctx.Err() == nil || answer.Code != http.StatusOK || len(sessions) != 1 {
		t.Errorf("%d %s, left %v; %d sessions, %v", answer.Code, answer.Body, ctx.Err(), len(sessions), err)
	}
}
