package forward

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
)

// refuse writes a refusal as the proxy understands it, and logs it. p is nil if the path names no kind of proxy, and v
// if nothing was decided.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p *proxy, v *gate.Verdict, refusal *doorward.Refusal) {
	name := "none"
	if p != nil {
		name = p.name
	}
	gate.LogRefusal(h.log, r, v, refusal, slog.String("proxy", name))
	if p == nil || !p.authRequest {
		doorward.WriteRefusal(w, r, refusal)
		return
	}
	whole := answer{header: w.Header()}
	doorward.WriteRefusal(&whole, r, refusal)
	w.Header().Set("Doorward-Status", strconv.Itoa(whole.status))
	w.Header().Set("Doorward-Refusal", strings.TrimSpace(string(whole.body)))
	w.WriteHeader(authRequestStatus(whole.status))
	_, _ = w.Write(whole.body) // the proxy has gone
}

// authRequestStatus returns the status that nginx understands in the place of another: 401 if the client
// may try again with a token, and 403 if not. Anything else would be a 500 there.
func authRequestStatus(status int) int {
	if status == http.StatusUnauthorized || status == http.StatusFound {
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// answer is a ResponseWriter that keeps the answer, for it to be sent in another form.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header  { return a.header }
func (a *answer) WriteHeader(code int) { a.status = code }

func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}
