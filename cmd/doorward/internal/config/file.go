package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/spelling"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is the greatest size of a configuration file in bytes.
const maxFile = 1 << 20

// layer is one source of values: a file, or the text of one.
type layer struct {
	cfg    *Config
	name   string
	accept func(Setting) bool // settings that are taken; others are passed over
	faults *Problems
}

// read applies the file at path, which must exist.
func (l layer) read(path string) {
	data, err := readFile(path)
	if err != nil {
		l.faults.add(path, "", "%v", errors.Unwrap(err))
		return
	}
	l.parse(data)
}

// parse applies the text of a file.
func (l layer) parse(data []byte) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		l.faults.add(l.name, "", "is UTF-16")
		l.faults.hint("save it as UTF-8")
		return
	}
	file, err := parser.ParseBytes(bytes.TrimPrefix(data, []byte("\ufeff")), 0) // the mark that editors on Windows put first
	if err != nil {
		l.syntax(err)
		return
	}
	if len(file.Docs) > 1 {
		l.faults.add(l.at(file.Docs[1].Body), "", "a second document in the file")
		return
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			l.mapping("", doc.Body)
		}
	}
}

// quoted is what the parser repeats of the file.
var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

func (l layer) syntax(err error) {
	p := Problem{Where: l.name, Text: yaml.FormatError(err, false, false), source: err}
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		var line, column int
		p.Text, p.Hint, line, column = plainly(e.GetMessage(), e.GetToken())
		p.Where = fmt.Sprintf("%s:%d:%d", l.name, line, column)
	}
	p.Text = quoted.ReplaceAllStringFunc(p.Text, func(s string) string { return quote(nameOnly(s[1 : len(s)-1])) })
	*l.faults = append(*l.faults, p)
}

// secretKey are the names under which other programs are given a secret to sign with.
var secretKey = regexp.MustCompile(`(?i)^([a-z]+\.)?((master|jwt|signing|private|app|token|session)_?)?(secret|key|secret_?key)$`)

// mapping applies the members of n, whose keys continue prefix.
func (l layer) mapping(prefix string, n ast.Node) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		l.faults.add(l.at(n), strings.TrimSuffix(prefix, "."), "want settings, each as key: value")
		if s, isText := stringOf(n); isText && strings.Contains(s, ":") {
			l.faults.hint(oneSpace)
		}
		return
	}
	for _, member := range m.Values {
		name, ok := stringOf(member.Key)
		if !ok {
			l.faults.add(l.at(member.Key), "", "this is not a key; anchors and merges are not read")
			continue
		}
		l.member(prefix+name, member)
	}
}

func (l layer) member(key string, member *ast.MappingValueNode) {
	s, ok := Find(key)
	switch {
	case ok && member.Value.Type() == ast.NullType:
		l.faults.add(l.at(member.Key), key, "has no value")
		l.faults.hint("remove the line to keep the default")
	case ok:
		l.set(s, member.Value)
	case isGroup(key):
		l.mapping(key+".", member.Value)
	default:
		l.faults.add(l.at(member.Key), nameOnly(key), "unknown key")
		if near := nearest(key); near != "" {
			l.faults.hint("did you mean " + near)
		} else if secretKey.MatchString(key) {
			l.faults.hint("Doorward makes its keys itself; where the master key is not in the data folder, master_key_file names its file")
		}
	}
}

func (l layer) set(s Setting, n ast.Node) {
	if !l.accept(s) || l.nested(s, n) {
		return
	}
	if before := l.cfg.origin[s.Key]; strings.HasPrefix(before, l.name+":") { // session.idle, and idle below session
		l.faults.add(l.at(n), s.Key, "is set already, at %s", before)
		return
	}
	if err := s.bind(l.cfg).node(n); err != nil {
		for _, part := range inside(s.Key, n, err) {
			l.faults.add(l.at(part.node), part.name, "%v", part.err)
		}
		return
	}
	if s.Key == "routes" {
		for i := range l.cfg.Routes {
			l.cfg.Routes[i].Where = l.at(l.cfg.Routes[i].node)
		}
	}
	l.cfg.origin[s.Key] = l.at(n)
	if m, ok := n.(*ast.MappingNode); ok {
		for _, part := range m.Values {
			name, _ := stringOf(part.Key)
			l.cfg.origin[s.Key+"."+name] = l.at(part.Value)
		}
	}
}

// nested refuses settings that stand below one that has a value of its own: default below routes for routes.default.
func (l layer) nested(s Setting, n ast.Node) (found bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return false
	}
	for _, member := range m.Values {
		name, _ := stringOf(member.Key)
		if inner, ok := Find(s.Key + "." + name); ok {
			l.faults.add(l.at(member.Key), inner.Key, "does not stand below %s", s.Key)
			l.faults.hint("write " + inner.Key + ": … at the top level")
			found = true
		}
	}
	return found
}

// at returns name:line:column of n.
func (l layer) at(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return l.name
	}
	pos := n.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", l.name, pos.Line, pos.Column)
}

// nameOnly returns a name that could be a key, and nothing for what may be a misplaced secret.
func nameOnly(key string) string {
	if len(key) > 40 || strings.ContainsFunc(key, func(r rune) bool {
		return !strings.ContainsRune("_.-", r) && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return ""
	}
	return key
}

func isGroup(key string) bool {
	return slices.ContainsFunc(settings, func(s Setting) bool { return strings.HasPrefix(s.Key, key+".") })
}

// readFile reads at most maxFile bytes. Its errors wrap one that does not repeat the path.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %w", path, errors.New("is larger than 1 MiB"))
	}
	return data, nil
}

// nearest returns the key that is at most two letters away from a wrong one, or
// ends in it; "" when there is none.
func nearest(wrong string) string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		if strings.HasSuffix(s.Key, "."+wrong) {
			return s.Key
		}
		keys[i] = s.Key
	}
	return spelling.Nearest(wrong, keys, 2)
}
