package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// outcome is what an answer means to the client, as far as the recordings are compared.
type outcome struct {
	status    int
	body      string // what render makes of it
	challenge string // Bearer, with the error code if there is one
	allow     string // sorted
	cors      string // only if the request names an origin
	cookies   string
	interim   string
	members   map[string]string // of a body that is an object
}

// String is the form in which the table of differences has it.
func (o outcome) String() string {
	parts := []string{fmt.Sprint(o.status)}
	for _, part := range []string{o.body, o.challenge, o.allow, o.cors, o.cookies, o.interim} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// covers reports whether ours gives the client everything that the recorded answer gives. More
// members in the body and a challenge beside a refusal take nothing away.
func (o outcome) covers(recorded outcome) bool {
	if recorded.members != nil {
		for name, value := range recorded.members {
			if o.members[name] != value {
				return false
			}
		}
	} else if o.body != recorded.body {
		return false
	}
	return o.status == recorded.status && o.allow == recorded.allow && o.cors == recorded.cors &&
		o.cookies == recorded.cookies && o.interim == recorded.interim
}

func outcomeOf(r request, got response) outcome {
	o := outcome{status: got.Status, interim: strings.Join(got.Interim, " ")}
	o.body, o.members = render(got.Body)
	h := http.Header{}
	for _, pair := range got.Headers {
		h.Add(pair[0], pair[1])
	}
	if challenge := h.Get("WWW-Authenticate"); challenge != "" {
		o.challenge = "Bearer"
		if m := errorCode.FindStringSubmatch(challenge); m != nil {
			o.challenge += " " + m[1]
		}
	}
	if allow := h.Get("Allow"); allow != "" {
		o.allow = "Allow " + sortedList(allow)
	}
	for _, header := range r.Headers {
		if header[0] == "Origin" {
			o.cors = corsOf(h)
		}
	}
	o.cookies = cookiesOf(h)
	return o
}

var (
	errorCode = regexp.MustCompile(`error="([^"]*)"`)
	someJWT   = regexp.MustCompile(`^(\{\{jwt\}\}|eyJ[\w-]+\.[\w-]+\.[\w-]+|dwr_[\w-]+)$`)
)

// render says in a few characters what a body holds.
func render(body string) (string, map[string]string) {
	switch {
	case body == "":
		return "", nil
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(body)), "<"):
		return "HTML", nil
	}
	var object map[string]any
	if json.Unmarshal([]byte(body), &object) != nil {
		return "text", nil
	}
	members := map[string]string{}
	var shown []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		text, _ := object[name].(string)
		switch {
		case name == "expires_in", name == "token_type":
			continue
		case someJWT.MatchString(text):
			members[name] = name
		case name == "msg", name == "message":
			members[name] = fmt.Sprintf("%q", text)
		default:
			members[name] = fmt.Sprintf("%s=%v", name, object[name])
		}
		shown = append(shown, members[name])
	}
	return strings.Join(shown, " + "), members
}

// corsOf says what a script of the request's origin may do.
func corsOf(h http.Header) string {
	origin := h.Get("Access-Control-Allow-Origin")
	if origin == "" {
		return "no CORS"
	}
	text := "CORS for " + origin
	for _, name := range []string{"Methods", "Headers"} {
		if list := h.Get("Access-Control-Allow-" + name); list != "" {
			text += " " + strings.ToLower(name) + " " + sortedList(list)
		}
	}
	return text
}

// cookiesOf names the cookies that an answer sets, and how they are protected.
func cookiesOf(h http.Header) string {
	var found []string
	for _, line := range h.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			found = append(found, "unreadable cookie")
			continue
		}
		text := "cookie " + c.Name
		if c.Secure && c.HttpOnly && c.SameSite == http.SameSiteStrictMode {
			text += " (Secure HttpOnly Strict)"
		}
		found = append(found, text)
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func sortedList(list string) string {
	names := strings.Split(list, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
