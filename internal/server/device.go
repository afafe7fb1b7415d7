package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/peek"
)

const (
	deviceHeader = "Doorward-Device"
	deviceCookie = "__Host-dw_device"
	// deviceLifetime is how long a browser keeps the cookie: as long as any does (RFC 6265bis §5.5).
	deviceLifetime = 400 * 24 * time.Hour
)

// deviceSecret is the secret of its device that a request carries, in the header or else in the
// cookie. It is no credential: one that cannot be read, or comes twice, counts as none.
func deviceSecret(r *http.Request) string {
	if values := r.Header.Values(deviceHeader); len(values) > 0 {
		if len(values) == 1 {
			return values[0]
		}
		return ""
	}
	if value, ok := peek.Cookie(r, deviceCookie); ok {
		return value
	}
	return ""
}

// remember makes the device known from which somebody has just logged in, and returns its secret. If
// that fails the login is good all the same, and the secret empty.
func (s *Server) remember(r *http.Request, subject string) string {
	secret, err := s.cfg.People.Remember(afterCommit(r.Context()), subject, endpoint.Event(r, subject))
	if err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "the device of this login was not remembered",
			slog.String("request_id", doorward.RequestID(r.Context())), slog.String("reason", capped(err.Error())))
	}
	return secret
}

// setDevice gives a browser the secret of its device, or lets it keep it for longer.
func setDevice(w http.ResponseWriter, secret string) {
	http.SetCookie(w, &http.Cookie{
		Name: deviceCookie, Value: secret, Path: "/", MaxAge: int(deviceLifetime / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
