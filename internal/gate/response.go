package gate

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// errSwitch says that the upstream changed the protocol without being asked to.
var errSwitch = errors.New("gate: the upstream switched to another protocol than was asked for")

// modify makes the upstream's answer the gate's: without what only the gate may say, and
// never for a shared cache if it was somebody's.
func (p *Proxy) modify(res *http.Response) error {
	t := transitOf(res.Request)
	if !t.begun() {
		return errTimeout
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if !t.upgrade || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
			return fmt.Errorf("%w: %q", errSwitch, res.Header.Get("Upgrade"))
		}
		t.follow()
	} else if isEventStream(res.Header) {
		t.follow()
	} else if res.ContentLength > 0 {
		t.left = res.ContentLength
		t.download = download{ReadCloser: res.Body, transit: t}
		res.Body = &t.download
	}
	if t.unread() {
		res.Header.Set("Connection", "close")
	}
	p.cleanAnswer(res.Header)
	if t.Claims != nil {
		keepPrivate(res.Header)
	}
	addVary(res.Header, t.Vary)
	if t.rule.cors != nil {
		t.rule.cors.answer(res.Header, t.in)
	}
	return nil
}

// isEventStream reports whether an answer goes on for as long as its reader likes, whatever the
// parameters of its type.
func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// cleanAnswer drops what would speak for Doorward, and the offer of a way around the gate.
func (p *Proxy) cleanAnswer(h http.Header) {
	delete(h, "Alt-Svc")
	for name := range h {
		if strings.HasPrefix(name, "Doorward-") || p.guard.drops.owned[name] {
			delete(h, name)
		}
	}
	cookies, ok := h["Set-Cookie"]
	if !ok {
		return
	}
	var kept []string
	for _, line := range cookies {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(strings.ToLower(strings.Trim(name, " \t\"")), cookiePrefix) {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
	}
}

// keepPrivate keeps an answer to somebody out of shared caches, which do not know that
// a token was needed for it (RFC 9111 §3.5, §5.2.2). What is said of the
// browser's own cache stays.
func keepPrivate(h http.Header) {
	for name := range h {
		if strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires" {
			delete(h, name) // It would prevail over Cache-Control (RFC 9213 §2.2; ngx_http_proxy_module).
		}
	}
	said, ok := h["Cache-Control"]
	if !ok {
		h["Cache-Control"] = private
		return
	}
	var kept []string
	for part := range strings.SplitSeq(strings.Join(said, ","), ",") {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		switch strings.TrimSpace(name) {
		case "no-store", "private":
			return
		case "", "public", "s-maxage", "proxy-revalidate":
		default:
			kept = append(kept, part)
		}
	}
	h["Cache-Control"] = []string{strings.Join(append(kept, "private"), ", ")}
}

var private = []string{"private"}
