package gate

import (
	"net/http"
	"slices"
	"strings"

	"github.com/doorward/doorward"
)

// Trusts reports whether the peer at an address, as net/http writes it, is one of Config.TrustedProxies.
func (g *Guard) Trusts(address string) bool { return g.proxies.Trust(address) }

// Blank writes every header that the gate owns into the answer of forward-auth, empty, before Tell says what
// there is to say: so a proxy that copies them leaves nothing of the client's.
func (g *Guard) Blank(answer http.Header) {
	for _, name := range g.answerHeaders {
		answer[name] = emptyValue
	}
}

// Tell writes into the answer of forward-auth what the upstream is to read instead of what the client sent:
// who is asking, credentials that may be passed on, and the cookies that are not ours. r is the request that v was decided on.
func (g *Guard) Tell(answer http.Header, v *Verdict, r *http.Request) error {
	fields, err := g.fields(v.Claims)
	if err != nil {
		return err
	}
	if lines := g.drops.foreignCookies(r.Header["Cookie"]); len(lines) > 0 {
		answer["Cookie"] = []string{strings.Join(lines, "; ")}
	}
	for _, f := range fields {
		answer[f.name] = f.values
	}
	g.passCredentials(answer, v, r)
	return nil
}

// emptyValue is the value of a header that is empty. It is shared: nobody writes to it.
var emptyValue = []string{""}

// answerHeaders returns the canonical names of all headers that Blank and Tell write.
func answerHeaders(cfg Config) []string {
	names := append(cfg.Names.owned(), "Authorization", "Cookie")
	for _, name := range []string{cfg.TokenHeader, cfg.KeyHeader} {
		if name != "" {
			names = append(names, name)
		}
	}
	if cfg.Token != nil {
		names = append(names, cfg.Token.Header)
	}
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Disguised returns the name of a header that some upstream takes for one of the gate's own although it is
// written in another way: Doorward_Subject, Doorward.Subject. A proxy that overwrites the gate's headers
// lets it pass. It returns "" if there is none.
func (g *Guard) Disguised(h http.Header) string {
	for name := range h {
		if isPlainName(name) || len(name) > maxName {
			continue
		}
		folded := foldName(name)
		if strings.HasPrefix(folded, "doorward-") || slices.ContainsFunc(g.answerHeaders, func(own string) bool { return foldName(own) == folded }) {
			return name
		}
	}
	return ""
}

// isPlainName reports whether a name is written with letters, digits and hyphens alone.
func isPlainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && folds[c] == '-' {
			return false
		}
	}
	return true
}

// Handshake decides on a WebSocket that forward-auth is asked about, whose connection it will never
// see: the rule must allow it, and no page of another origin may ask for it. An upgrade to
// anything else is refused too. It returns nil if it may begin.
func (g *Guard) Handshake(v *Verdict, r *http.Request) *doorward.Refusal {
	if !v.Route.WebSocket || v.Preflight || r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return noSocket()
	}
	return g.foreignOrigin(v, r)
}
