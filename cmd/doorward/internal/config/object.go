package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// member is one name of an object.
type member struct {
	name  string
	value value
}

// object is a mapping that is a part of a setting, such as a route rule. It can be set in the file alone.
type object []member

// misplaced says what is wrong with a part of a value, and where in the file that is.
type misplaced struct {
	node ast.Node
	name string // of the part, after that of the setting
	err  error
}

// faulty is everything that is wrong with the parts of a value.
type faulty []misplaced

func (f faulty) Error() string {
	errs := make([]error, len(f))
	for i, m := range f {
		errs[i] = fmt.Errorf("%s: %w", m.name, m.err)
	}
	return errors.Join(errs...).Error()
}

func (f faulty) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// inside returns the faults of err, which is of the value n of the part called name.
func inside(name string, n ast.Node, err error) faulty {
	parts, ok := errors.AsType[faulty](err)
	if !ok {
		return faulty{{n, name, err}}
	}
	for i := range parts {
		parts[i].name = strings.Trim(name+"."+parts[i].name, ".")
	}
	return parts
}

var errFileOnly = errors.New("is set in the configuration file alone")

func (o object) parse(string) error { return errFileOnly }

func (o object) node(n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return faulty{{n, "", fmt.Errorf("want names and values, such as {%s: …}", o[0].name)}}
	}
	var faults faulty
	for _, pair := range m.Values {
		name, ok := stringOf(pair.Key)
		part := o.find(name)
		if !ok || part == nil {
			faults = append(faults, misplaced{pair.Key, "", fmt.Errorf("unknown key %q; want %s", nameOnly(name), orList(o.names()))})
		} else if err := part.node(pair.Value); err != nil {
			faults = append(faults, inside(name, pair.Value, err)...)
		}
	}
	return faults.err()
}

func (o object) text() string { return o.yaml() }

// yaml writes the members that are set.
func (o object) yaml() string {
	var parts []string
	for _, m := range o {
		switch m.value.text() {
		case "", "0s", "false", "0", "{}":
		default:
			parts = append(parts, m.name+": "+m.value.yaml())
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (o object) find(name string) value {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o object) names() []string {
	names := make([]string, len(o))
	for i, m := range o {
		names[i] = m.name
	}
	return names
}

// optional is an object that is nil until it is set.
type optional[T any] struct {
	p    **T
	form func(*T) object
}

func (v optional[T]) parse(string) error { return errFileOnly }

func (v optional[T]) node(n ast.Node) error {
	*v.p = new(T)
	return v.form(*v.p).node(n)
}

func (v optional[T]) text() string {
	if *v.p == nil {
		return ""
	}
	return v.yaml()
}

func (v optional[T]) yaml() string { return v.form(*v.p).yaml() }

// objects is a list of objects.
type objects[T any] struct {
	p    *[]T
	form func(*T) object
	mark func(*T, ast.Node) // told where each of them is
}

func (v objects[T]) parse(string) error { return errFileOnly }

func (v objects[T]) node(n ast.Node) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return errors.New("want a list, such as [{path: /, access: public}]")
	}
	all := make([]T, len(seq.Values))
	var faults faulty
	for i, item := range seq.Values {
		v.mark(&all[i], item)
		if err := v.form(&all[i]).node(item); err != nil {
			faults = append(faults, inside("", item, err)...)
		}
	}
	*v.p = all
	return faults.err()
}

func (v objects[T]) text() string {
	if len(*v.p) == 0 {
		return ""
	}
	return v.yaml()
}

func (v objects[T]) yaml() string {
	parts := make([]string, len(*v.p))
	for i := range *v.p {
		parts[i] = v.form(&(*v.p)[i]).yaml()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// literals is a mapping from names to texts, numbers, switches, null, and mappings of such values.
type literals struct{ p *map[string]any }

func (v literals) parse(string) error { return errFileOnly }

func (v literals) node(n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return errors.New("want names and values, such as {type: access}")
	}
	all, err := literalsOf(m, nil)
	if err != nil {
		return err
	}
	*v.p = all
	return nil
}

// maxNesting is how many names a value may stand under.
const maxNesting = 4

// literalsOf reads a mapping that stands under these names, or under none. A mapping that is a value holds no null: it would be
// a placeholder of which somebody has forgotten the quotes.
func literalsOf(m *ast.MappingNode, under []string) (map[string]any, error) {
	all := map[string]any{}
	for _, pair := range m.Values {
		name, ok := stringOf(pair.Key)
		if !ok {
			return nil, faulty{{pair.Key, "", errors.New("want a name")}}
		}
		names := append(slices.Clone(under), name)
		fault := func(names []string, err error) error {
			return faulty{{pair.Value, nameOnly(strings.Join(names, ".")), err}}
		}
		switch value := pair.Value.(type) {
		case *ast.StringNode:
			all[name] = value.Value
		case *ast.IntegerNode:
			all[name] = value.Value
		case *ast.BoolNode:
			all[name] = value.Value
		case *ast.MappingNode:
			if len(names) == maxNesting {
				return nil, fault(names, errors.New("nested too deep"))
			}
			inner, err := literalsOf(value, names)
			if err != nil {
				return nil, err
			}
			all[name] = inner
		case *ast.NullNode:
			if len(under) > 0 {
				return nil, fault(under, errText)
			}
			all[name] = nil
		default:
			return nil, fault(names, errText)
		}
	}
	return all, nil
}

var errText = errors.New("want a text, in quotes if a brace begins it, a whole number, true, false or null")

func (v literals) text() string {
	if len(*v.p) == 0 {
		return ""
	}
	return v.yaml()
}

func (v literals) yaml() string {
	parts := make([]string, 0, len(*v.p))
	for _, name := range slices.Sorted(maps.Keys(*v.p)) {
		value, _ := json.Marshal((*v.p)[name])
		parts = append(parts, quote(name)+": "+string(value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
