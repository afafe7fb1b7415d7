package config

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"
)

const (
	inQuotes = "put the value in quotes"
	oneSpace = "a colon and a space stand between a key and its value"
	inColumn = "keys of one group begin in the same column, and none stands among the items of a list (- …)"
)

// plain is what the parser says of the commonest faults, and the same for people. Of several that fit the first counts.
var plain = []struct{ parser, text, hint string }{
	{"found character '\t' that cannot start any token", "there is a tab before the text", "indent with spaces"},
	{"tab character cannot use as a map key directly", "there is a tab before the text", "indent with spaces"},
	{"value is not allowed in this context", "the indentation of this line or of one above is wrong", inColumn},
	{"mapping value is not allowed in this context", "there is a colon with a space inside a value", inQuotes},
	{"non-map value is specified", "want key: value", oneSpace},
	{"unexpected key name", "want key: value", oneSpace},
	{"could not find end character of", "this quote has no end", "write the same quote at the end of the text"},
	{"sequence end token ']' not found", "this [ has no ]", "write ] at the end of the list"},
	{"could not find flow mapping end token '}'", "this { has no }", "write } at the end"},
	{"',' or ']' must be specified", "want , or ] before this", "a list that begins with [ has commas between its items, and ] at its end"},
	{"',' or '}' must be specified", "want , or } before this", "what begins with { has commas between its keys and values, and } at its end"},
	{"could not find '[' character", "this ] has no [", "remove it, or put the text before it in quotes"},
	{"could not find '{' character", "this } has no {", "remove it"},
	{"could not find flow map content", "{ begins keys and values, each as key: value", inQuotes + " if it is a text"},
	{"undefined alias", "* has a meaning of its own where a value begins", inQuotes},
	{"could not find alias", "* has a meaning of its own where a value begins", inQuotes},
	{"unexpected scalar value type", "this is no value", "put what stands before it in quotes"},
	{"undefined anchor", "& has a meaning of its own where a value begins", inQuotes},
	{"could not find anchor", "& has a meaning of its own where a value begins", inQuotes},
	{"unexpected directive value", "% has a meaning of its own where a value or a line begins", inQuotes},
	{"undefined directive value", "% has a meaning of its own where a value or a line begins", inQuotes},
	{"'@' is a reserved character", "@ cannot begin a value", inQuotes},
	{"'`' is a reserved character", "` cannot begin a value", inQuotes},
	{"invalid header option", "| and > begin a text of several lines, which begins on the next", inQuotes},
	{"found unknown escape character", `there is a \ in double quotes that begins no escape`, `write \\, or the text in single quotes`},
	{"found an invalid key for this map", "there is a colon where a value begins", inQuotes},
}

// plainly puts what the parser says of tk into words for people. It shows nothing of the file.
func plainly(said string, tk *token.Token) (text, hint string, line, column int) {
	if tk.Prev != nil && tk.Prev.Type == token.AliasType {
		said, tk = "undefined alias", tk.Prev
	}
	line, column = tk.Position.Line, tk.Position.Column
	text, hint = said, ""
	for _, p := range plain {
		if strings.HasPrefix(said, p.parser) {
			text, hint = p.text, p.hint
			break
		}
	}
	const topLevel = "routes.default and routes.case are written at the top level"
	switch {
	case tk.Type == token.SequenceEntryType:
		text, hint = "an item of a list (- …) stands among keys", topLevel
	case hint == inColumn && slices.Contains([]string{"default", "case"}, tk.Value):
		hint = topLevel
	case strings.HasPrefix(said, "value is not allowed in this context") && tk.Prev != nil && tk.Prev.Position.Line == line:
		text, hint = "this follows a value that has ended already", inQuotes+" as a whole, if this is a part of it"
	case strings.HasPrefix(said, "mapping value is not allowed in this context"):
		// The value may go on, as a text, on lines that were to be names. The colon shows which.
		lines := strings.Split(strings.TrimRight(tk.Origin, " \t\r\n"), "\n")
		if last := lines[len(lines)-1]; len(lines) > 1 && tk.Next != nil {
			text, hint = "this line is indented too far, or the one above too little", inColumn
			line, column = tk.Next.Position.Line, 1+len(last)-len(strings.TrimLeft(last, " "))
		}
	}
	return text, hint, line, column
}
