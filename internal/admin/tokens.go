package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// Bounds of the lifetime of a token that is issued, in seconds: those of the setting access_ttl.
const (
	minLifetime = 10
	maxLifetime = 22 * 60 * 60
)

var (
	errAdminUser = &endpoint.Failure{
		Status: http.StatusForbidden, Code: "admin_user",
		Description: "no token is issued for a user who has the role admin; they log in, or an operator uses doorward token issue",
	}
	errInactive = &endpoint.Failure{
		Status: http.StatusConflict, Code: "conflict",
		Description: "the user is disabled, or has not changed their first password in time", Cause: issuer.ErrInactive,
	}
	errEndedNow = &endpoint.Failure{
		Status: http.StatusConflict, Code: "conflict",
		Description: "all sessions of the user were ended at the same moment; ask again", Cause: issuer.ErrEpoch,
	}
)

type tokenRequest struct {
	Username string  `json:"username"`
	Audience string  `json:"audience"`   // empty is that of /login
	Scope    *string `json:"scope"`      // left out is all that the user has
	Lifetime *int    `json:"expires_in"` // seconds; left out is access_ttl
}

// IssuedToken is the JSON of an issued token: the members of RFC 6749 §5.1, and its session and subject.
type IssuedToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
	SessionID   string `json:"session_id"`
	Subject     string `json:"subject"`
}

// ShowIssued shows the access token of a set.
func ShowIssued(set issuer.TokenSet) IssuedToken {
	return IssuedToken{set.AccessToken, set.TokenType, int(set.ExpiresIn / time.Second), set.Scope.String(), set.SessionID, set.Subject}
}

// tokenIssue makes an access token of a user without their password, in a session of its own that cannot be refreshed.
// Its auth_time is that of the caller's own login, so that it counts as no more recent than that.
func (a *Admin) tokenIssue(w http.ResponseWriter, r *http.Request) error {
	var req tokenRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	login, lifetime, err := req.login()
	if err != nil {
		return err
	}
	u, err := a.People.ByName(r.Context(), req.Username)
	if err != nil {
		return refuse(err)
	}
	if slices.Contains(u.Roles, account.RoleAdmin) {
		return errAdminUser
	}
	login.AuthTime, login.Event = endpoint.Claims(r).AuthTime, event(r)
	login.Event.Reason = "issued"
	set, err := a.issue(r, u.ID, lifetime, login)
	switch {
	case errors.Is(err, issuer.ErrInactive):
		return errInactive
	case errors.Is(err, issuer.ErrEpoch):
		return errEndedNow
	case err != nil:
		return err
	}
	a.location(w, "/sessions/"+set.SessionID)
	endpoint.WriteJSON(w, http.StatusCreated, ShowIssued(set))
	return nil
}

// login returns what is asked for, and the lifetime of the token; 0 is the usual one.
func (req tokenRequest) login() (login issuer.LoginRequest, lifetime time.Duration, err error) {
	login = issuer.LoginRequest{Audience: req.Audience, NoRefresh: true}
	if req.Username == "" {
		return login, 0, endpoint.InvalidRequest("username is required", nil)
	}
	if req.Scope != nil {
		scope, err := words(*req.Scope)
		if err != nil {
			return login, 0, err
		}
		login.Scope = append(doorward.Scope{}, scope...) // An empty one asks for nothing, and nil for everything.
	}
	if req.Lifetime == nil {
		return login, 0, nil
	}
	if *req.Lifetime < minLifetime || *req.Lifetime > maxLifetime {
		return login, 0, endpoint.InvalidRequest("expires_in must be 10 to 79200 seconds", nil)
	}
	return login, time.Duration(*req.Lifetime) * time.Second, nil
}

// turn is how long a request waits while others issue tokens. It leaves time for the request's own answer.
const turn = 10 * time.Second

// issue makes a token, one request at a time: each makes an issuer of its own, which reads all revocations.
func (a *Admin) issue(r *http.Request, user string, lifetime time.Duration, login issuer.LoginRequest) (issuer.TokenSet, error) {
	ctx, claims := r.Context(), endpoint.Claims(r)
	late := time.NewTimer(turn)
	defer late.Stop()
	select {
	case a.issuing <- struct{}{}:
		defer func() { <-a.issuing }()
	case <-late.C:
		return issuer.TokenSet{}, errOneAtATime
	case <-ctx.Done():
		return issuer.TokenSet{}, ctx.Err()
	}
	still := func(ctx context.Context) error { return a.checkStill(ctx, claims) }
	iss, err := a.NewIssuer(ctx, noAdmins{a.People, still}, lifetime)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	attempt, err := iss.Begin(ctx, user)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	return iss.Login(ctx, attempt, login)
}

// noAdmins refuses users who have the role admin at the moment of the login, even if they did not have it before.
type noAdmins struct {
	*account.People

	still func(context.Context) error // checks the caller again, who has waited for their turn
}

// Subject returns errAdminUser for an admin, and the error of still if the caller is no longer let in.
func (n noAdmins) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	if err := n.still(ctx); err != nil {
		return issuer.Subject{}, err
	}
	s, err := n.People.Subject(ctx, id)
	if slices.Contains(s.Roles, account.RoleAdmin) {
		return issuer.Subject{}, errAdminUser
	}
	return s, err
}
