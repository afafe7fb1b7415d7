package forward

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
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
	u, err := url.Parse(page)
	isPath := err == nil && u.Host == "" && u.Scheme == "" && strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//")
	isURL := err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil
	if !isPath && !isURL || u.Fragment != "" || strings.ContainsAny(page, "\\\r\n\t ") {
		return nil, fmt.Errorf("forward: the login page %q must be a path such as /login.html, or a URL of http or https", page)
	}
	for _, host := range hosts {
		if !strict.Host(host) {
			return nil, fmt.Errorf("forward: %q is no host", host)
		}
	}
	return &loginPage{u, hosts}, nil
}

// redirect returns where to send the client instead of a 401, "" if it is to read that. A browser that
// opens a page is sent; a program, or a script that fetches, never is.
func (l *loginPage) redirect(asked *http.Request, v *gate.Verdict) string {
	if l == nil || v.Refusal.Status != http.StatusUnauthorized || !opensPage(asked) {
		return ""
	}
	if asked.URL.Path == l.url.Path && (l.url.Host == "" || strings.EqualFold(l.url.Host, asked.Host)) {
		return "" // It would be sent to where it comes from.
	}
	to := *l.url
	query := "return_to=" + url.QueryEscape(l.returnTo(asked, v))
	if to.RawQuery != "" {
		query = to.RawQuery + "&" + query
	}
	to.RawQuery = query
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
func (l *loginPage) returnTo(asked *http.Request, v *gate.Verdict) string {
	address := v.Path
	if !strings.HasPrefix(address, "/") || strings.Contains(address, "//") || len(address) > maxReturn {
		address = "/"
	}
	if query := asked.URL.RawQuery; query != "" && len(address)+len(query) < maxReturn {
		address += "?" + query
	}
	if slices.ContainsFunc(l.hosts, func(host string) bool { return strings.EqualFold(host, asked.Host) }) {
		address = asked.URL.Scheme + "://" + asked.Host + address
	}
	return address
}

// seeLogin makes of a refusal one that leads to the login page.
func seeLogin(to string, instead *doorward.Refusal) *doorward.Refusal {
	return &doorward.Refusal{
		Status: http.StatusFound, Code: instead.Code, Description: instead.Description,
		Err: errors.Join(errLogin, instead.Err),
		Header: http.Header{
			"Cache-Control": {"no-store"}, "Location": {to}, "Vary": {"Accept, Authorization, Cookie, Sec-Fetch-Mode"},
		},
	}
}

var errLogin = errors.New("forward: sent to the login page")
