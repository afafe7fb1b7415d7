package endpoint

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const formMedia = "application/x-www-form-urlencoded"

// ReadForm reads the body, a form (RFC 6749 appendix B). A parameter without a value counts as absent;
// one that comes twice is refused, but for those named, of which several are allowed (§3.2). So is
// a query: what is in an address is in logs.
func ReadForm(w http.ResponseWriter, r *http.Request, several ...string) (url.Values, error) {
	if r.ContentLength > bodyLimit {
		return nil, errTooBig
	}
	value, once := SingleHeader(r.Header, "Content-Type")
	media, params, err := mime.ParseMediaType(value)
	charset := params["charset"]
	if !once || err != nil || media != formMedia || charset != "" && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
		return nil, InvalidRequest("the body must be a form: send Content-Type: "+formMedia, nil)
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return nil, InvalidRequest("parameters belong into the body; the address has none here", nil)
	}
	body, err := readBody(w, r, bodyLimit, errTooBig)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, InvalidRequest("the body is not a form as it should be", nil)
	}
	if err := checkForm(form, several); err != nil {
		return nil, err
	}
	return form, nil
}

// checkForm drops what has no value, and refuses what is no text or comes twice.
func checkForm(form url.Values, several []string) error {
	for name, values := range form {
		kept := values[:0]
		for _, value := range values {
			if !utf8.ValidString(name+value) || strings.ContainsRune(name+value, 0) {
				return InvalidRequest("a parameter is not text in UTF-8", nil)
			}
			if value != "" {
				kept = append(kept, value)
			}
		}
		if len(values) > 1 && !slices.Contains(several, name) {
			return InvalidRequest("a parameter comes twice", nil)
		}
		if form[name] = kept; len(kept) == 0 {
			delete(form, name)
		}
	}
	return nil
}
