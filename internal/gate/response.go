package gate

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var (
	// errSwitch says that the upstream changed the protocol without being asked to.
	errSwitch = errors.New("gate: the upstream switched to another protocol than was asked for")
	// errStatus says that its answer has no status (RFC 9110 §15).
	errStatus = errors.New("gate: the upstream answers with a status that there is not")
)

// modify turns the upstream's answer into the gate's. It drops what only the gate may say, and
// keeps an answer to somebody out of shared caches.
func (p *Proxy) modify(res *http.Response) error {
	t := transitOf(res.Request)
	if !t.begun() {
		return errTimeout
	}
	if res.ProtoMajor > 1 {
		p.upstream.places.many.Store(true)
	}
	if res.StatusCode < http.StatusContinue {
		return fmt.Errorf("%w: %03d", errStatus, res.StatusCode)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if !t.upgrade || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
			return fmt.Errorf("%w: %q", errSwitch, res.Header.Get("Upgrade"))
		}
		t.follow(false)
	} else if t.Preflight {
		empty(res)
	} else {
		t.receive(res)
	}
	if t.unread() {
		res.Header.Set("Connection", "close")
	}
	p.cleanAnswer(res.Header, t.Claims != nil)
	p.cleanTrailer(res.Trailer)
	addVary(res.Header, t.Vary)
	if t.rule.cors != nil {
		t.rule.cors.answer(res.Header, t.in)
	}
	return nil
}

// empty takes the body from the answer to a preflight, which no browser reads. An API that does not look at the
// method, such as a function view of Django, answers with what only a token should open.
func empty(res *http.Response) {
	_ = res.Body.Close()
	res.Body, res.Trailer, res.ContentLength = http.NoBody, nil, 0
	if _, ok := res.Header["Content-Length"]; ok {
		res.Header["Content-Length"] = []string{"0"}
	}
}

// isEventStream reports whether a Content-Type, in lower case, is that of Server-Sent Events, which go on for as
// long as their reader likes.
func isEventStream(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	return strings.TrimSpace(kind) == "text/event-stream"
}

// cleanAnswer drops headers and cookies that only the gate may set, and Alt-Svc, which offers a way around the gate. If
// own is set, the answer is for one caller and is kept private.
func (p *Proxy) cleanAnswer(h http.Header, own bool) {
	delete(h, "Alt-Svc")
	for name := range h {
		if p.speaksForUs(name) || own && outranksCacheControl(name) {
			delete(h, name)
		}
	}
	if own {
		keepPrivate(h)
	}
	cookies, ok := h["Set-Cookie"]
	if !ok {
		return
	}
	var kept []string
	for _, line := range cookies {
		if !strings.HasPrefix(cookieName(line), cookiePrefix) {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
	}
}

// speaksForUs reports whether only the gate may send a header of this name, in its canonical spelling.
func (p *Proxy) speaksForUs(name string) bool {
	return strings.HasPrefix(name, "Doorward-") || p.guard.drops.owned[name]
}

// cleanTrailer drops from a trailer the fields that cleanAnswer and a rule's CORS decide on in a header: some
// clients read trailers like headers.
func (p *Proxy) cleanTrailer(h http.Header) {
	for name := range h {
		if p.speaksForUs(name) || name == "Set-Cookie" || name == "Alt-Svc" || strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
}

// keepPrivate keeps an answer out of shared caches, which do not know that a token was
// needed for it (RFC 9111 §3.5, §5.2.2). Directives for the browser's own cache stay.
func keepPrivate(h http.Header) {
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

// outranksCacheControl reports whether shared caches heed a header more than Cache-Control (RFC 9213 §2.2;
// ngx_http_proxy_module).
func outranksCacheControl(name string) bool {
	return strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires"
}
