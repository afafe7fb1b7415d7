package jwt

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// decode is json.Unmarshal, except that a member of the outermost object reaches a field only under exactly the
// field's name: one that equals it in another case alone is dropped. data has been checked by package strict.
func decode(data []byte, v any) error {
	fields := fieldNames(v)
	if len(fields) == 0 {
		return json.Unmarshal(data, v)
	}
	kept := []byte{'{'}
	err := strict.Object(data, maxDepth, func(name, value []byte) error {
		if resembles(string(name), fields) {
			return nil
		}
		quoted, err := json.Marshal(string(name))
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(kept, quoted...), ':'), value...)
		return err
	})
	if err != nil { // not an object: the error of json says which type v wants
		return json.Unmarshal(data, v)
	}
	return json.Unmarshal(append(kept, '}'), v)
}

// resembles reports whether name is not the name of a field, but equals one in another case.
func resembles(name string, fields map[string]bool) bool {
	if fields[name] {
		return false
	}
	for field := range fields {
		if strings.EqualFold(field, name) {
			return true
		}
	}
	return false
}

// fieldNames returns the JSON names of the fields of the struct that v points to. It returns nil for other types and
// for those with an UnmarshalJSON of their own.
func fieldNames(v any) map[string]bool {
	if _, ok := v.(json.Unmarshaler); ok {
		return nil
	}
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	names := make(map[string]bool)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		names[name] = true
	}
	return names
}
