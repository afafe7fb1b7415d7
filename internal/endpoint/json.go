package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
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
	if len(body) == 0 {
		return InvalidRequest("the body is empty; send a JSON object", nil)
	}
	err := json.Unmarshal(body, req, strictly)
	if err == nil {
		return nil
	}
	return InvalidRequest(explain(err, reflect.TypeOf(req).Elem()), where(err))
}

// plainName matches the name of every member of our requests. Only a name of this form, which is text from outside, is
// repeated in an answer.
var plainName = regexp.MustCompile(`^[a-z][a-z_0-9]{0,31}$`)

// explain says what is wrong with a body that should be a t. The words are ours: the decoder's would repeat what was sent.
func explain(err error, t reflect.Type) string {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return "the body has a member twice" + named(e.JSONPointer)
		}
		return "the body is not one JSON object in UTF-8"
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok, e.JSONPointer == "":
		return "the body must be a JSON object"
	case errors.Is(err, json.ErrUnknownName):
		return "the body has a member that is not known here" + named(e.JSONPointer) + knownOf(t)
	}
	path := slices.Collect(e.JSONPointer.Tokens())
	switch member := memberOf(t, path[0]); {
	case member == nil:
		return "a member has the wrong type"
	case errors.Is(err, errNull) && len(path) == 1:
		return path[0] + " is null; leave it out instead"
	default:
		return path[0] + " must be " + wanted(member)
	}
}

// named returns ": " and the name of the member that a pointer ends with, or "" if it is no plain name.
func named(p jsontext.Pointer) string {
	if name := p.LastToken(); plainName.MatchString(name) {
		return ": " + name
	}
	return ""
}

// wanted is what the JSON of a member must be.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number that is not too large"
	case reflect.Slice:
		return "an array, of which each entry is " + wanted(t.Elem())
	}
	return "of another type"
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

// memberOf is the type of the member of a request with this name, nil if there is none.
func memberOf(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		if nameOf(t.Field(i)) == name {
			return t.Field(i).Type
		}
	}
	return nil
}

// knownOf lists the members of a request, for the message.
func knownOf(t reflect.Type) string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = nameOf(t.Field(i))
	}
	if len(names) == 0 {
		return "; there are none"
	}
	return "; known are " + strings.Join(names, ", ")
}

func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
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
