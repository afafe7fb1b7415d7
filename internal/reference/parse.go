package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// node is a mapping of the file. A part that is not as it should be is left out without an error: the file is
// ours, and a test checks it by the rules of OpenAPI.
type node map[string]any

type document struct {
	Info       node
	Tags       []node
	Paths      yaml.MapSlice // in the order of the file
	Security   []any
	Components map[string]node
}

func parse(file []byte) (document, error) {
	var d document
	err := yaml.Unmarshal(file, &d)
	return d, err
}

// The view is what the page shows.
type (
	view struct {
		Title, Intro string
		Groups       []group
		Schemas      []schema
	}
	group struct {
		Name, Description string
		Operations        []operation
	}
	operation struct {
		ID, Method, Path, Summary, Description, Auth string
		Parameters                                   []field
		Sent                                         *schema
		Answers                                      []answer
	}
	answer struct {
		Status, Description string
		Headers             []string
		Body                *schema
	}
	// schema is an object: the name of a component, or its fields.
	schema struct {
		Name, Description, Example string
		Fields                     []field
	}
	field struct {
		Name, In, Type, Schema, Description string
		Required                            bool
	}
)

func (d document) view() view {
	v := view{Title: text(d.Info, "title"), Intro: text(d.Info, "description")}
	for _, tag := range d.Tags {
		g := group{Name: text(tag, "name"), Description: text(tag, "description")}
		for _, item := range d.Paths {
			g.Operations = append(g.Operations, d.operations(g.Name, fmt.Sprint(item.Key), asNode(item.Value))...)
		}
		v.Groups = append(v.Groups, g)
	}
	schemas := d.Components["schemas"]
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		if s := asNode(schemas[name]); s["properties"] != nil {
			v.Schemas = append(v.Schemas, schema{Name: name, Description: text(s, "description"), Fields: d.fields(s)})
		}
	}
	return v
}

// operations lists what a path does of one tag.
func (d document) operations(tag, path string, item node) []operation {
	var list []operation
	for _, method := range []string{"get", "post", "patch", "delete"} {
		op := asNode(item[method])
		if op == nil || !slices.Contains(asList(op["tags"]), any(tag)) {
			continue
		}
		o := operation{
			ID: text(op, "operationId"), Method: strings.ToUpper(method), Path: path,
			Summary: text(op, "summary"), Description: text(op, "description"), Auth: d.auth(op),
		}
		for _, p := range slices.Concat(asList(item["parameters"]), asList(op["parameters"])) {
			o.Parameters = append(o.Parameters, d.parameter(d.resolve(p)))
		}
		if body := asNode(op["requestBody"]); body != nil {
			o.Sent = d.content(body)
		}
		responses := asNode(op["responses"])
		for _, status := range slices.Sorted(maps.Keys(responses)) {
			o.Answers = append(o.Answers, d.answer(status, d.resolve(responses[status])))
		}
		list = append(list, o)
	}
	return list
}

// auth says which credentials an operation takes.
func (d document) auth(op node) string {
	security, ok := op["security"].([]any)
	if !ok {
		security = d.Security
	}
	var ways []string
	for _, way := range security {
		names := slices.Sorted(maps.Keys(asNode(way)))
		if len(names) == 0 {
			names = []string{"nothing in the header"}
		}
		ways = append(ways, names...)
	}
	return strings.Join(ways, " or ")
}

func (d document) parameter(p node) field {
	f := d.field(text(p, "name"), p["schema"])
	f.In, f.Required = text(p, "in"), p["required"] == true
	if own := text(p, "description"); own != "" {
		f.Description = own
	}
	return f
}

func (d document) answer(status string, r node) answer {
	a := answer{Status: status, Description: text(r, "description"), Body: d.content(r)}
	a.Headers = slices.Sorted(maps.Keys(asNode(r["headers"])))
	return a
}

// content returns the JSON of a body, nil if it has none.
func (d document) content(body node) *schema {
	media := asNode(asNode(body["content"])["application/json"])
	if media == nil {
		return nil
	}
	s := schema{Name: refName(media["schema"])}
	if s.Name == "" {
		s.Fields = d.fields(asNode(media["schema"]))
	}
	if example, ok := media["example"]; ok {
		if raw, err := json.Marshal(example); err == nil {
			s.Example = string(raw)
		}
	}
	return &s
}

// fields lists the members of an object: those that are required first, each kind by name.
func (d document) fields(s node) []field {
	required, properties := asList(s["required"]), asNode(s["properties"])
	var list []field
	for _, wanted := range []bool{true, false} {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(required, any(name)) != wanted {
				continue
			}
			f := d.field(name, properties[name])
			f.Required = wanted
			list = append(list, f)
		}
	}
	return list
}

// field describes one value. If its schema is an object, field names that.
func (d document) field(name string, value any) field {
	s := d.resolve(value)
	if all := asList(s["allOf"]); len(all) == 1 {
		inner := d.resolve(all[0])
		return field{Name: name, Type: kind(inner), Description: text(s, "description")}
	}
	f := field{Name: name, Type: kind(s), Description: text(s, "description")}
	switch {
	case s["properties"] != nil:
		f.Schema = refName(value)
	case f.Type == "array":
		inner := d.resolve(s["items"])
		f.Type = "list of " + kind(inner)
		if inner["properties"] != nil {
			f.Schema = refName(s["items"])
		}
	}
	return f
}

// kind returns the word for the type of a value.
func kind(s node) string {
	word := text(s, "type")
	switch format := text(s, "format"); format {
	case "date-time":
		word = "time"
	case "uuid":
		word = "UUID"
	}
	if values := asList(s["enum"]); len(values) > 0 {
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = fmt.Sprint(v)
		}
		word = strings.Join(words, " | ")
	}
	return word
}

// resolve follows a reference to a component.
func (d document) resolve(value any) node {
	n := asNode(value)
	parts := strings.Split(text(n, "$ref"), "/")
	if len(parts) != 4 {
		return n
	}
	return asNode(d.Components[parts[2]][parts[3]])
}

// refName returns the name of the component that a value refers to, or "".
func refName(value any) string {
	ref := text(asNode(value), "$ref")
	return ref[strings.LastIndex(ref, "/")+1:]
}

func asNode(value any) node {
	switch n := value.(type) {
	case map[string]any:
		return n
	case node:
		return n
	}
	return nil
}

func asList(value any) []any {
	list, _ := value.([]any)
	return list
}

func text(n node, name string) string {
	s, _ := n[name].(string)
	return strings.TrimSpace(s)
}

// span is a piece of a paragraph.
type span struct {
	Text string
	Code bool
}

// prose cuts a description into paragraphs, and these into words and `code`.
func prose(text string) [][]span {
	var paragraphs [][]span
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		var spans []span
		for i, piece := range strings.Split(paragraph, "`") {
			if piece != "" {
				spans = append(spans, span{piece, i%2 == 1})
			}
		}
		if len(spans) > 0 {
			paragraphs = append(paragraphs, spans)
		}
	}
	return paragraphs
}
