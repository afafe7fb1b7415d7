package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/progress"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
)

// shell gives commands in packages of their own what they need of this program.
func (a *app) shell() shell.Shell {
	return shell.Shell{
		Want: want, Event: event, Confirm: a.confirm,
		Note: a.note, Out: a.out, JSON: a.printJSON, Table: a.printTable, Fields: a.printFields,
	}
}

// printJSON writes v for programs: indented, with a newline at its end.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printTable writes rows in columns. An empty table is its head alone.
func (a *app) printTable(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// printFields writes pairs of name and value below each other.
func (a *app) printFields(pairs [][2]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, pair := range pairs {
		fmt.Fprintf(w, "%s\t%s\n", pair[0], pair[1])
	}
	return w.Flush()
}

// confirm asks on a terminal whether to go on. Elsewhere only --yes does.
func (a *app) confirm(yes bool, what string) error {
	if yes {
		return nil
	}
	if !isTerminal(a.in) {
		return failure.Misused("add --yes", "%s wants a confirmation, and there is no terminal to ask on", what)
	}
	fmt.Fprintf(a.errs, "%s? Type yes: ", what)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && answer == "" || strings.TrimSpace(answer) != "yes" {
		return failure.Refused("", "not confirmed, nothing was done")
	}
	return nil
}

// readLine reads one line of at most limit bytes, such as a password or a token.
func (a *app) readLine(limit int) (string, error) {
	data, err := io.ReadAll(io.LimitReader(a.in, int64(limit)+2))
	if err != nil {
		return "", err
	}
	line, rest, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case len(line) > limit:
		return "", failure.Misused("", "standard input has more than %d bytes", limit)
	case strings.Trim(rest, "\r\n") != "":
		return "", failure.Misused("", "standard input has more than one line")
	}
	return line, nil
}

// progress is a bar on the terminal that stderr is. Elsewhere it shows nothing.
func (a *app) progress(what string) *progress.Bar {
	if !isTerminal(a.errs) {
		return progress.New(nil, what)
	}
	return progress.New(a.errs, what)
}
