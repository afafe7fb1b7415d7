package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/internal/strict"
)

// loginPage is where browsers are sent that have no good token.
type loginPage struct {
	url   *url.URL
	hosts []string // that may be returned to
}

func newLoginPage(page string, hosts []string) (*loginPage, error) {
	if page == "" {
		return nil, nil
	}
	u, err := parseLoginPage(page)
	if err != nil {
		return nil, fmt.Errorf("the login page %q: %w", page, err)
	}
	for _, host := range hosts {
		if err := CheckLoginHost(host); err != nil {
			return nil, fmt.Errorf("%q is no host: %w", host, err)
		}
	}
	return &loginPage{u, hosts}, nil
}

// CheckLoginPage refuses what no browser can be sent to. Like those of the other checks of settings, its error completes a
// sentence that begins with the name of the setting.
func CheckLoginPage(page string) error {
	_, err := parseLoginPage(page)
	return err
}

func parseLoginPage(page string) (*url.URL, error) {
	u, err := url.Parse(page)
	isPath := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//")
	isURL := err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http")
	if !isPath && !isURL || u.Fragment != "" || strings.ContainsAny(page, "\\ \t\r\n") {
		return nil, errors.New("want a path such as /login.html, or a URL of https or http")
	}
	return u, origin.CheckPort(u)
}

// CheckLoginHost refuses what is no host, perhaps with a port.
func CheckLoginHost(host string) error {
	u, err := url.Parse("https://" + host)
	if err != nil || u.Host != host || !strict.Host(host) {
		return errors.New("want names of hosts such as app.example.com, with the port where there is one")
	}
	return origin.CheckPort(u)
}

// SendToLogin turns v's refusal into a redirect to the login page if a browser opens a page without a good token. A program,
// or a script that fetches, is never sent there. proto and host are of the address that the client asked for.
func (g *Guard) SendToLogin(v *Verdict, asked *http.Request, proto, host string) {
	if g.login == nil || v.Refusal.Status != http.StatusUnauthorized || !opensPage(asked) || g.login.isAt(host, asked.URL.Path) {
		return
	}
	v.Refusal = &doorward.Refusal{
		Status: http.StatusFound, Code: v.Refusal.Code, Description: v.Refusal.Description,
		Err:    errors.Join(errLogin, v.Refusal.Err),
		Header: http.Header{"Cache-Control": {"no-store"}, "Location": {g.login.address(asked.URL.RawQuery, v.Path, proto, host)}},
	}
	v.Vary += ", Accept, Sec-Fetch-Mode"
}

var errLogin = errors.New("gate: sent to the login page")

// isAt reports whether the login page is what was asked for: who is sent from it to itself comes to no end.
func (l *loginPage) isAt(host, path string) bool {
	return path == l.url.Path && (l.url.Host == "" || strings.EqualFold(l.url.Host, host))
}

// address is the login page's, and in it where to return to.
func (l *loginPage) address(query, path, proto, host string) string {
	to := *l.url
	back := "return_to=" + url.QueryEscape(l.returnTo(query, path, proto, host))
	if to.RawQuery != "" {
		back = to.RawQuery + "&" + back
	}
	to.RawQuery = back
	return to.String()
}

// opensPage reports whether a browser asks for a document to show (Fetch Metadata §2).
func opensPage(r *http.Request) bool {
	mode := r.Header["Sec-Fetch-Mode"]
	accept := strings.ToLower(strings.Join(r.Header["Accept"], ","))
	return r.Method == http.MethodGet && len(mode) == 1 && mode[0] == "navigate" && strings.Contains(accept, "text/html")
}

// maxReturn bounds the address to return to, in bytes. A longer one loses its query.
const maxReturn = 2 << 10

// returnTo is the address that the client asked for. It names no host but those of the configuration, since
// the client names the host and might lead somebody else elsewhere.
func (l *loginPage) returnTo(query, path, proto, host string) string {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || len(path) > maxReturn {
		path = "/"
	}
	if query != "" && len(path)+len(query) < maxReturn {
		path += "?" + query
	}
	if slices.ContainsFunc(l.hosts, func(known string) bool { return strings.EqualFold(known, host) }) {
		return proto + "://" + host + path
	}
	return path
}
