package jwt

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// decode is json.Unmarshal of checked JSON without its matching of names by folded case: members of the outermost
// object that only resemble a field's name are left out.
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
	if err != nil { // not an object: json says what the field wanted
		return json.Unmarshal(data, v)
	}
	return json.Unmarshal(append(kept, '}'), v)
}

// resembles reports a name that is no field's but equal to one by folded case.
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

// fieldNames returns the JSON names of the struct that v points to; none for other types and for those that read
// JSON themselves.
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
