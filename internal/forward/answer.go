package forward

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
)

// refuse writes a refusal as the proxy understands it, and the record of it. A nil proxy is no proxy of ours, and
// a nil verdict none.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p *proxy, v *gate.Verdict, refusal *doorward.Refusal) {
	name := "none"
	if p != nil {
		name = p.name
	}
	gate.LogRefusal(h.log, r, v, refusal, slog.String("proxy", name))
	if p == nil || !p.three {
		doorward.WriteRefusal(w, r, refusal)
		return
	}
	whole := answer{header: w.Header()}
	doorward.WriteRefusal(&whole, r, refusal)
	w.Header().Set("Doorward-Status", strconv.Itoa(whole.status))
	w.Header().Set("Doorward-Refusal", strings.TrimSpace(string(whole.body)))
	w.WriteHeader(ofThree(whole.status))
	_, _ = w.Write(whole.body) // the proxy has gone
}

// ofThree is the one of the statuses that nginx knows that stands for another: 401 lets the client
// try again with a token, 403 does not. Anything else would be a 500 there.
func ofThree(status int) int {
	if status == http.StatusUnauthorized || status == http.StatusFound {
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// answer takes down an answer that is written elsewhere in another form.
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

// mostStrangers bounds how many peers are told of in the log.
const mostStrangers = 64

// strangers are the peers that asked and may not.
type strangers struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

// warn tells the operator of a peer, once.
func (s *strangers) warn(log *slog.Logger, address string) {
	peer := address
	if parsed, err := netip.ParseAddrPort(address); err == nil {
		peer = parsed.Addr().Unmap().WithZone("").String()
	}
	s.mu.Lock()
	known := s.seen[peer] || len(s.seen) >= mostStrangers
	if !known {
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		s.seen[peer] = true
	}
	s.mu.Unlock()
	if !known {
		log.Warn("a peer asked for forward-auth that is not trusted; if it is your proxy, and clients cannot come from there, allow it",
			"peer", peer, "setting", "trusted_proxies: ["+peer+"]")
	}
}
