package main

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/doorward/doorward/issuer"
)

// bodyLimit is the greatest request body in bytes.
const bodyLimit = 16 << 10

// readJSON decodes a small body. A member that comes twice, text that is not UTF-8 and
// anything after the object are refused. Members that nobody asked for are not, since
// the tutorials' clients may send some.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return errNotJSON
	}
	if r.ContentLength > bodyLimit {
		return errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if err != nil || json.Unmarshal(body, into) != nil {
		return errBody // The decoder's reason may hold parts of the body, where passwords are.
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // The client may be gone; nobody is left to tell.
	return nil
}

// writeTokens writes a token set with the tutorial's name for the access token.
func (a *app) writeTokens(w http.ResponseWriter, t issuer.TokenSet) error {
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 §5.1
	body := map[string]any{
		a.dialect.token: t.AccessToken, "token_type": t.TokenType, "expires_in": int(t.ExpiresIn.Seconds()),
	}
	if t.RefreshToken != "" {
		body["refresh_token"] = t.RefreshToken
	}
	return writeJSON(w, http.StatusOK, body)
}

func (a *app) writeText(w http.ResponseWriter, text string) error {
	return writeJSON(w, http.StatusOK, map[string]string{a.dialect.message: text})
}
