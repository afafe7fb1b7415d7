package endpoint_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/endpoint"
)

// A refusal says what is wrong with which member, and of what was sent no more than a plain word.
func TestReadJSONExplains(t *testing.T) {
	t.Parallel()
	const object, text = "the body must be a JSON object", "the body is not one JSON object in UTF-8"
	unknown := func(name string) string {
		return "the body has a member that is not known here" + name + "; known are name, roles, more, off, seconds"
	}
	for body, want := range map[string]string{
		`[]`:                                    object,
		`null`:                                  object,
		`"x"`:                                   object,
		`1`:                                     object,
		``:                                      "the body is empty; send a JSON object",
		`{`:                                     text,
		`{}{}`:                                  text,
		`{"name":"\xff"}`:                       text,
		`{"name":1}`:                            "name must be a string",
		`{"roles":"x"}`:                         "roles must be an array, of which each entry is a string",
		`{"roles":[1]}`:                         "roles must be an array, of which each entry is a string",
		`{"roles":["a",null]}`:                  "roles must be an array, of which each entry is a string",
		`{"more":{"a":1}}`:                      "more must be an array, of which each entry is a string",
		`{"off":"true"}`:                        "off must be true or false",
		`{"seconds":"1"}`:                       "seconds must be a whole number that is not too large",
		`{"seconds":1.5}`:                       "seconds must be a whole number that is not too large",
		`{"seconds":1e99}`:                      "seconds must be a whole number that is not too large",
		`{"name":null}`:                         "name is null; leave it out instead",
		`{"name":"a","name":""}`:                "the body has a member twice: name",
		`{"a\r\nb":1,"a\r\nb":2}`:               unknown(""),
		`{"is_admin":true}`:                     unknown(": is_admin"),
		`{"Name":"a"}`:                          unknown(""),
		`{"":1}`:                                unknown(""),
		`{"a\"b":1}`:                            unknown(""),
		`{"name/x":1}`:                          unknown(""),
		`{"` + strings.Repeat("a", 32) + `":1}`: unknown(": " + strings.Repeat("a", 32)),
		`{"` + strings.Repeat("a", 33) + `":1}`: unknown(""),
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		err := endpoint.ReadJSON(httptest.NewRecorder(), r, &struct {
			Name    string    `json:"name"`
			Roles   []string  `json:"roles"`
			More    *[]string `json:"more"`
			Off     *bool     `json:"off"`
			Seconds *int      `json:"seconds"`
		}{})
		f, ok := errors.AsType[*endpoint.Failure](err)
		if !ok || f.Status != 400 || f.Code != "invalid_request" || f.Description != want {
			t.Errorf("%s: %+v, want %q", body, err, want)
		}
		if ok && len(body) > 3 && strings.Contains(f.Error(), "is_admin") {
			t.Errorf("%s: the log reads %q", body, f.Error())
		}
	}
}

// Where nothing may be sent, an empty object may.
func TestReadJSONOfNothing(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"a":1}`))
	r.Header.Set("Content-Type", "application/json")
	_, err := endpoint.ReadOptionalJSON(httptest.NewRecorder(), r, &struct{}{})
	if f, ok := errors.AsType[*endpoint.Failure](err); !ok || f.Description != "the body has a member that is not known here: a; there are none" {
		t.Errorf("%+v", err)
	}
}
