package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/inspect"
	"github.com/doorward/doorward/issuer"
	"github.com/go-json-experiment/json/jsontext"
)

type inspectRequest struct {
	Token    string `json:"token"`
	Audience string `json:"audience"` // that an access token must have; empty is the usual one
}

// finding is what there is to say of a token. Anybody can have written what it shows of a token that is not verified.
type finding struct {
	Kind     inspect.Kind `json:"kind"`
	Verified bool         `json:"verified"` // it is accepted now
	Why      string       `json:"why"`      // it is not; else empty

	Header  jsontext.Value `json:"header,omitzero"` // of an access token
	Claims  jsontext.Value `json:"claims,omitzero"`
	APIKey  *apiKeyEntry   `json:"api_key,omitzero"` // that this is
	Session *sessionEntry  `json:"session,omitzero"` // of a refresh token that was made here
}

// refused returns the finding for a token that is not accepted.
func (f finding) refused(why string) finding {
	f.Verified, f.Why = false, why
	return f
}

// tokenInspect says what somebody's token or API key is, and why it is refused where it is.
func (a *Admin) tokenInspect(w http.ResponseWriter, r *http.Request) error {
	var req inspectRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	if req.Token == "" {
		return endpoint.InvalidRequest("token is required", nil)
	}
	if err := a.Issuer.CatchUp(r.Context()); err != nil {
		return err
	}
	f, err := a.inspect(r.Context(), req)
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, f)
	return nil
}

func (a *Admin) inspect(ctx context.Context, req inspectRequest) (finding, error) {
	f := finding{Kind: inspect.KindOf(req.Token), Verified: true}
	switch f.Kind {
	case inspect.APIKey:
		return a.inspectAPIKey(ctx, f, req.Token)
	case inspect.RefreshToken:
		return a.inspectRefreshToken(ctx, f, req.Token)
	}
	var err error
	if f.Header, f.Claims, err = inspect.Decode(req.Token); err != nil {
		f.Kind = inspect.Unknown
		return f.refused(inspect.Reason(err)), nil
	}
	if err := inspect.Verify(ctx, a.Issuer, req.Audience, req.Token); err != nil {
		return f.refused(inspect.Reason(err)), nil
	}
	return f, nil
}

// inspectAPIKey shows the entry of a key only to somebody with its whole text, since its ID alone is no secret.
func (a *Admin) inspectAPIKey(ctx context.Context, f finding, text string) (finding, error) {
	k, why, err := a.APIKeys.Inspect(ctx, text)
	if err != nil {
		return f, err
	}
	if k.ID != "" {
		entry := showAPIKey(k)
		f.APIKey = &entry
	}
	switch {
	case errors.Is(why, account.ErrDisabled):
		return f.refused("its owner is disabled"), nil
	case why != nil:
		return f.refused(inspect.Reason(why)), nil
	}
	return f, nil
}

// inspectRefreshToken shows the session of a refresh token. It does not spend the token.
func (a *Admin) inspectRefreshToken(ctx context.Context, f finding, token string) (finding, error) {
	s, live, err := a.Issuer.SessionOf(ctx, token)
	switch {
	case errors.Is(err, issuer.ErrToken):
		return f.refused(inspect.Reason(issuer.ErrToken)), nil
	case err != nil:
		return f, err
	case s.ID == "":
		return f.refused("its session is gone, or the key that made it"), nil
	}
	entry := showSession(s)
	f.Session = &entry
	switch over := s.OverFor(time.Now()); {
	case over != "":
		return f.refused("its session has ended: " + over), nil
	case !live:
		return f.refused("it was spent long ago"), nil
	}
	return f, nil
}
