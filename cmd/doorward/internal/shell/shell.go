// Package shell is where commands run: the arguments and streams of one run, and what all commands do with them.
package shell

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/progress"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Shell is one run of the program: its arguments and streams.
type Shell struct {
	Args []string
	In   io.Reader
	Out  io.Writer // results
	Err  io.Writer // everything else
}

// Note prints a line to stderr, where it is no part of the results.
func (s Shell) Note(format string, args ...any) {
	fmt.Fprintf(s.Err, "doorward: "+format+"\n", args...)
}

// JSON writes v for programs: indented, with a newline at its end.
func (s Shell) JSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Table writes rows in columns. An empty table is its head alone.
func (s Shell) Table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// Fields writes pairs of name and value below each other.
func (s Shell) Fields(pairs [][2]string) error {
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	for _, pair := range pairs {
		fmt.Fprintf(w, "%s\t%s\n", pair[0], pair[1])
	}
	return w.Flush()
}

// Confirm asks on a terminal whether to go on. Elsewhere only --yes does.
func (s Shell) Confirm(yes bool, what string) error {
	if yes {
		return nil
	}
	if !IsTerminal(s.In) {
		return failure.Misused("add --yes", "%s wants a confirmation, and there is no terminal to ask on", what)
	}
	fmt.Fprintf(s.Err, "%s? Type yes: ", what)
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && answer == "" || strings.TrimSpace(answer) != "yes" {
		return failure.Refused("", "not confirmed, nothing was done")
	}
	return nil
}

// ReadLine reads one line of at most limit bytes, such as a password or a token.
func (s Shell) ReadLine(limit int) (string, error) {
	data, err := io.ReadAll(io.LimitReader(s.In, int64(limit)+2))
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

// ReadToken reads the token, or the key, of a command that admits arguments with [FromStdin].
func (s Shell) ReadToken(cmd *cobra.Command) (string, error) {
	if IsTerminal(s.In) {
		s.Note("paste it and press Enter, then Ctrl-D")
	}
	token, err := s.ReadLine(64 << 10)
	if err != nil {
		return "", err
	}
	token = strings.TrimSpace(token)
	token = strings.TrimPrefix(token, "Bearer ")
	if token == "" {
		return "", failure.Misused(strings.TrimSpace(cmd.Example), "nothing on standard input")
	}
	return token, nil
}

// Progress is a bar on the terminal that stderr is. Elsewhere it shows nothing.
func (s Shell) Progress(what string) *progress.Bar {
	if !IsTerminal(s.Err) {
		return progress.New(nil, what)
	}
	return progress.New(s.Err, what)
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Event says in the audit record that somebody at this machine's shell did it.
func Event() issuer.Event {
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return issuer.Event{Actor: "cli:" + name}
}

// OrDash is a text for a table or a list of fields, where an empty one would be a hole.
func OrDash(text string) string {
	return cmp.Or(text, "-")
}

// WithoutPath returns the reason alone of an error about a file: the text around it names the file better.
func WithoutPath(err error) error {
	if op, ok := errors.AsType[*fs.PathError](err); ok {
		return op.Err
	}
	return err
}
