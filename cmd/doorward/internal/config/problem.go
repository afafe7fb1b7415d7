package config

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
)

// Problem is one fault of the configuration. It never quotes the value of a
// secret or the text around it.
type Problem struct {
	Where string // "doorward.yaml:3:1", "DOORWARD_LISTEN" or "--listen"; "" for what no one place causes
	Key   string // of the setting
	Text  string
	Hint  string // what to do; "" when Text says it

	source error // of the YAML parser, for Excerpt
}

// Error returns place, key and fault in one line.
func (p Problem) Error() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Where, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Excerpt returns the fault with the lines of the file around it, "" when there
// are none. These lines may hold a secret: it is for a terminal alone.
func (p Problem) Excerpt(coloured bool) string {
	if p.source == nil {
		return ""
	}
	return yaml.FormatError(p.source, coloured, true)
}

// Problems is every fault that was found, in the order of the file.
type Problems []Problem

// Err returns the problems as an error, nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Error returns one line per fault.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (ps *Problems) add(where, key, format string, args ...any) {
	*ps = append(*ps, Problem{Where: where, Key: key, Text: strings.Map(visible, fmt.Sprintf(format, args...))})
}

// visible replaces what a terminal would obey: the text of a fault may name what was set.
func visible(r rune) rune {
	if unicode.IsControl(r) {
		return unicode.ReplacementChar
	}
	return r
}

func (ps *Problems) hint(hint string) { (*ps)[len(*ps)-1].Hint = hint }
