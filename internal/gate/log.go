package gate

import (
	"log/slog"
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/cause"
)

// maxLogged bounds a path in the log, in bytes.
const maxLogged = 512

// LogRefusal writes the one record of a refusal: why, whom it is about, and the rule that decided as it is
// written in Config.Routes, "default" where none fits. r is the request that is answered, and v what was decided, nil if
// nothing was. The path, which may hold what somebody put there by mistake, is told at level debug alone; the query never is.
func LogRefusal(log *slog.Logger, r *http.Request, v *Verdict, refusal *doorward.Refusal, more ...slog.Attr) {
	level := slog.LevelInfo
	if refusal.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	why := refusal.Err
	if v != nil && v.Claims != nil {
		why = cause.With(why, "sub", v.Claims.Subject, "sid", v.Claims.SessionID)
	}
	attrs := append([]slog.Attr{
		slog.String("request_id", doorward.RequestID(r.Context())),
		slog.Int("status", refusal.Status), slog.String("error", refusal.Code),
	}, cause.Attrs(why)...)
	if v != nil && v.rule != nil {
		name := v.rule.Path
		if name == "" {
			name = "default"
		}
		attrs = append(attrs, slog.String("rule", name))
	}
	if v != nil && v.asked != nil && log.Enabled(r.Context(), slog.LevelDebug) {
		attrs = append(attrs, slog.String("path", cause.Clip(v.asked.EscapedPath(), maxLogged)))
	}
	log.LogAttrs(r.Context(), level, "refused", append(attrs, more...)...)
}
