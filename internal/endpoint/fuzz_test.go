package endpoint_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/doorward/doorward/internal/endpoint"
)

// posted is a request with a body.
func posted(t *testing.T, media, body string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	return r
}

// plainly wants a refusal in words of ours.
func plainly(t *testing.T, body string, err error) {
	t.Helper()
	f, ok := errors.AsType[*endpoint.Failure](err)
	if !ok || f.Status != http.StatusBadRequest && f.Status != http.StatusRequestEntityTooLarge || len(f.Description) > 200 ||
		strings.ContainsFunc(f.Description+f.Error(), func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) }) {
		t.Errorf("%q: %+v", body, err)
	}
}

// FuzzReadJSON: what is read, the decoder of the standard library reads alike.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"name":"a","roles":["b"],"off":true,"seconds":7}`, `{"name":null}`, `{"name":"a","name":"b"}`, `{"\u006eame":"\ud800"}`, `{"seconds":1e2}`, "\ufeff{}", `{}{}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var got, want struct {
			Name    string    `json:"name"`
			Roles   []string  `json:"roles"`
			More    *[]string `json:"more"`
			Off     *bool     `json:"off"`
			Seconds *int      `json:"seconds"`
		}
		if err := endpoint.ReadJSON(httptest.NewRecorder(), posted(t, "application/json", body), &got); err != nil {
			plainly(t, body, err)
			return
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %+v, and as %+v (%v)", body, got, want, err)
		}
	})
}

// FuzzReadForm: a form has each parameter once, as text, and as net/url reads it.
func FuzzReadForm(f *testing.F) {
	for _, seed := range []string{"a=b&c=d", "a=1&a=2", "resource=x&resource=y", "a=%00", "a=%ff", "a=b;c=d", "a&b=", "%", "a=b+c%2B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := endpoint.ReadForm(httptest.NewRecorder(), posted(t, "application/x-www-form-urlencoded", body), "resource")
		if err != nil {
			plainly(t, body, err)
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Errorf("%q is read as %v: %v", body, form, err)
		}
		for name, values := range form {
			said := slices.DeleteFunc(want[name], func(value string) bool { return value == "" })
			if len(said) == 0 || !slices.Equal(values, said) || len(said) > 1 && name != "resource" {
				t.Errorf("%q: %s is %q, want %q", body, name, values, said)
			}
		}
	})
}
