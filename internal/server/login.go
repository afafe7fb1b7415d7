package server

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

const loginPath = "/login"

func (s *Server) loginRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: loginPath, Act: "login", Handle: s.login}
}

type loginRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Scope    string `json:"scope"`    // empty asks for all
	Audience string `json:"audience"` // empty asks for the default
	Cookie   bool   `json:"cookie"`
}

// login checks a password and begins a session. Unknown users, wrong passwords
// and disabled users get the same answer at the same cost.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var req loginRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req.Username == "" || req.Password == "" {
		return endpoint.InvalidRequest("username and password are required", nil)
	}
	if len(req.Password) > password.MaxBytes { // Whoever the user is, so that it says nothing about them.
		return password.ErrTooLong
	}
	scope, err := askedScope(req.Scope)
	if err != nil {
		return err
	}
	if req.Cookie {
		if err := s.allowCookie(r); err != nil {
			return err
		}
	}
	ctx := r.Context()
	device := deviceSecret(r)
	from, err := s.cfg.People.Recognize(ctx, req.Username, device)
	if err != nil {
		return err
	}
	user, attempt, err := s.authenticate(r, req, from)
	if err != nil {
		return err
	}
	endpoint.Identify(r, user.ID, "")
	set, err := s.cfg.Issuer.Login(ctx, attempt, issuer.LoginRequest{
		Scope: scope, Audience: req.Audience, Event: endpoint.Event(r, user.ID),
	})
	if err != nil { // Among others, of a user who was disabled or deleted since the password was read.
		return err
	}
	endpoint.Identify(r, set.Subject, set.SessionID)
	if req.Cookie {
		s.endReplaced(r)
	}
	if !from.Known() {
		device = s.remember(r, user.ID)
	}
	if req.Cookie && device != "" {
		setDevice(w, device)
	}
	if req.Cookie || from.Known() {
		device = ""
	}
	s.writeTokens(w, set, req.Cookie, device)
	return nil
}

// authenticate checks the password. A wrong one from a device that is not known counts against
// the budget of its network for this minute; a refusal without a look at the password does not.
func (s *Server) authenticate(r *http.Request, req loginRequest, from account.Device) (account.User, issuer.Attempt, error) {
	giveBack := func() {}
	if !from.Known() {
		var err error
		if giveBack, err = endpoint.Spend(s.budgets.login, r, "failures"); err != nil {
			return account.User{}, issuer.Attempt{}, err
		}
	}
	user, attempt, err := s.cfg.People.Authenticate(r.Context(), s.cfg.Issuer, req.Username, req.Password, from, endpoint.Event(r, ""))
	if !errors.Is(err, account.ErrCredentials) {
		giveBack()
	}
	return user, attempt, err
}

// endReplaced ends the session whose cookie this login overwrites: nobody holds
// its token any more, or somebody planted it (session fixation).
func (s *Server) endReplaced(r *http.Request) {
	token, err := s.cfg.Issuer.RefreshTokenFrom(r)
	if err != nil || token == "" {
		return
	}
	err = s.cfg.Issuer.Logout(afterCommit(r.Context()), token, endpoint.Event(r, ""))
	if err != nil && !errors.Is(err, issuer.ErrInvalidGrant) {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "the session before this login was not ended",
			slog.String("request_id", doorward.RequestID(r.Context())), slog.String("reason", capped(err.Error())))
	}
}

// askedScope returns the scope that a request names, or nil if it names none, which asks for
// everything (RFC 6749 §3.3).
func askedScope(text string) (doorward.Scope, error) {
	if text == "" {
		return nil, nil
	}
	return doorward.ParseScope(text)
}
