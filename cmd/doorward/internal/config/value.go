package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

const day = 24 * time.Hour

// value is one field of a Config with its syntax.
type value interface {
	parse(s string) error  // from a flag or the environment
	node(n ast.Node) error // from the file
	text() string          // for people; "" when nothing is set
	yaml() string          // for the file
}

type text struct {
	p     *string
	check func(string) error
}

func (v text) parse(s string) error {
	if err := v.check(s); err != nil {
		return err
	}
	*v.p = s
	return nil
}

func (v text) node(n ast.Node) error {
	s, err := textOf(n, v.check)
	if err != nil {
		return err
	}
	return v.parse(s)
}

func (v text) text() string { return *v.p }
func (v text) yaml() string { return quote(*v.p) }

type secret struct {
	p     *Secret
	check func(string) error
}

func (v secret) parse(s string) error {
	if err := v.check(s); err != nil {
		return err
	}
	*v.p = NewSecret(s)
	return nil
}

func (v secret) node(n ast.Node) error {
	s, err := textOf(n, v.check)
	if err != nil {
		return err
	}
	return v.parse(s)
}

func (v secret) text() string { return v.p.reveal() }
func (v secret) yaml() string { return quote(v.p.reveal()) }

type list struct {
	p     *[]string
	check func(string) error
}

func (v list) parse(s string) error {
	var words []string
	for word := range strings.SplitSeq(s, ",") {
		words = append(words, strings.TrimSpace(word))
		if err := v.check(words[len(words)-1]); err != nil {
			return err
		}
	}
	*v.p = words
	return nil
}

func (v list) node(n ast.Node) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return errors.New("want a list, such as [one, two]")
	}
	words := []string{}
	for _, item := range seq.Values {
		s, err := textOf(item, v.check)
		if err == nil {
			err = v.check(s)
		}
		if err != nil {
			return faulty{{item, "", err}}
		}
		words = append(words, s)
	}
	*v.p = words
	return nil
}

func (v list) text() string { return strings.Join(*v.p, ",") }

func (v list) yaml() string {
	quoted := make([]string, len(*v.p))
	for i, word := range *v.p {
		quoted[i] = quote(word)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

type span struct {
	p        *time.Duration
	min, max time.Duration
}

func (v span) parse(s string) error {
	d, err := ParseDuration(s)
	if err != nil {
		return err
	}
	if d < v.min || d > v.max {
		return fmt.Errorf("want a duration between %s and %s", FormatDuration(v.min), FormatDuration(v.max))
	}
	*v.p = d
	return nil
}

func (v span) node(n ast.Node) error {
	s, ok := stringOf(n)
	if !ok {
		return errDuration
	}
	return v.parse(s)
}

func (v span) text() string { return FormatDuration(*v.p) }
func (v span) yaml() string { return FormatDuration(*v.p) }

type number struct {
	p        *int
	min, max int
}

func (v number) parse(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("want a whole number between %d and %d", v.min, v.max)
	}
	*v.p = n
	return nil
}

func (v number) node(n ast.Node) error {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		return v.parse("")
	}
	return v.parse(i.String())
}

func (v number) text() string { return strconv.Itoa(*v.p) }
func (v number) yaml() string { return strconv.Itoa(*v.p) }

type toggle struct{ p *bool }

func (v toggle) parse(s string) error {
	switch s {
	case "true", "1":
		*v.p = true
	case "false", "0":
		*v.p = false
	default:
		return errors.New("want true or false")
	}
	return nil
}

func (v toggle) node(n ast.Node) error {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		return v.parse("")
	}
	*v.p = b.Value
	return nil
}

func (v toggle) text() string { return strconv.FormatBool(*v.p) }
func (v toggle) yaml() string { return strconv.FormatBool(*v.p) }

var errDuration = errors.New("want a duration with its unit, such as 90s, 10m, 12h or 14d")

// ParseDuration reads what [time.ParseDuration] reads and whole days, as in 14d.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errDuration
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errDuration
	}
	return d, nil
}

// FormatDuration writes d in the shortest form that [ParseDuration] reads.
func FormatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	s, _ = strings.CutSuffix(s, "m0s")
	if len(s) < len(d.String()) {
		s += "m"
	}
	if cut, ok := strings.CutSuffix(s, "h0m"); ok {
		s = cut + "h"
	}
	return s
}

func stringOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// textOf returns the text that n is. Of what is none, and could not stand here as a text either, it says what check says.
func textOf(n ast.Node, check func(string) error) (string, error) {
	if s, ok := stringOf(n); ok {
		return s, nil
	}
	if s, ok := joined(n); ok {
		return s, nil
	}
	switch n.(type) {
	case *ast.NullNode:
		return "", errors.New("has no value")
	case *ast.SequenceNode:
		return "", errors.New("want a text, and no list")
	case *ast.MappingNode:
		return "", errors.New("want a text; put it in quotes if a colon is a part of it")
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		return "", errors.New("want a text; put it in quotes, since *, & and ! have a meaning of their own where a value begins")
	}
	if err := check(n.GetToken().Value); err != nil {
		return "", err
	}
	return "", errors.New("want a text; put it in quotes")
}

// joined returns the text that the parser has taken apart at a colon, as it does with reports:read in brackets within
// braces. In YAML a colon divides there only with a space after it, or after quotes (1.2.2 §7.4.2).
func joined(n ast.Node) (string, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok || len(m.Values) != 1 || m.Start.Type == token.MappingStartType {
		return "", false
	}
	key, val := m.Values[0].Key.GetToken(), m.Values[0].Value.GetToken()
	if key.Indicator != token.NotIndicator || val.Indicator != token.NotIndicator || key.Next == nil || key.Next.Next != val {
		return "", false
	}
	s := strings.TrimLeft(key.Origin, " \t\r\n") + key.Next.Origin + strings.TrimRight(val.Origin, " \t\r\n")
	return s, !strings.HasSuffix(s, ":") && !strings.ContainsFunc(s, unicode.IsSpace)
}

// quote writes s as a double-quoted YAML scalar; the JSON form is one.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
