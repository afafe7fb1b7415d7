package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errNull = errors.New("null where a value is wanted")

// strictly decodes one JSON value: members that are unknown, named twice or
// null, and text that is not UTF-8, are errors. So is anything after the value.
var strictly = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, _ any) error {
		if dec.PeekKind() == 'n' {
			return errNull
		}
		return errors.ErrUnsupported
	})),
)

// ReadJSON reads the body, one JSON object, into req, a pointer to a struct.
func ReadJSON(w http.ResponseWriter, r *http.Request, req any) error {
	if r.ContentLength > bodyLimit {
		return errTooBig
	}
	if !hasMedia(r.Header, jsonMedia) {
		return ErrNotJSON
	}
	body, err := readBody(w, r, bodyLimit, errTooBig)
	if err != nil {
		return err
	}
	return decodeJSON(body, req)
}

// ReadOptionalJSON does the same, but a request without any body is as good as
// {}. It reports whether there was a body.
func ReadOptionalJSON(w http.ResponseWriter, r *http.Request, req any) (bool, error) {
	if r.ContentLength > bodyLimit {
		return false, errTooBig
	}
	body, err := readBody(w, r, bodyLimit, errTooBig)
	if err != nil || len(body) == 0 {
		return false, err
	}
	if !hasMedia(r.Header, jsonMedia) {
		return false, ErrNotJSON
	}
	return true, decodeJSON(body, req)
}

func decodeJSON(body []byte, req any) error {
	err := json.Unmarshal(body, req, strictly)
	if err == nil {
		return nil
	}
	return InvalidRequest(explain(err, members(req)), where(err))
}

// explain says what is wrong in words of ours: the decoder's would repeat what was sent.
func explain(err error, members string) string {
	switch {
	case errors.Is(err, errNull):
		return "a member is null; leave it out instead"
	case errors.Is(err, json.ErrUnknownName):
		return "the body has a member that is not known here; known are " + members
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "the body has a member twice"
	}
	if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return "the body is not one JSON object in UTF-8"
	}
	return "a member has the wrong type; known are " + members
}

// where is the reason for the log: the kind of the error and its place, and
// nothing of the body, which holds passwords and tokens.
func where(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("json: syntax, at byte %d", e.ByteOffset)
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("json: member not accepted, kind %q, at byte %d", e.JSONKind.String(), e.ByteOffset)
	}
	return errors.New("json: not accepted")
}

// members lists the JSON names of a request, for the message.
func members(req any) string {
	t := reflect.TypeOf(req).Elem()
	names := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// WriteJSON writes an answer. A value of ours that cannot be written is a bug.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		panic("endpoint: an answer is not JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // The client may be gone; nobody is left to tell.
}
