// Package shell is what commands in packages of their own need of the program around them.
package shell

import (
	"cmp"
	"errors"
	"io"
	"io/fs"

	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Shell is the program around a command. Each package of commands adds the Beside with which it
// reaches what it works on.
type Shell struct {
	// Want admits the arguments of these names, and no others.
	Want func(names ...string) cobra.PositionalArgs
	// Event says who does it.
	Event func() issuer.Event
	// Confirm asks what cannot be undone, unless yes is set.
	Confirm func(yes bool, what string) error
	// Note writes a line for people, the others what was asked for.
	Note   func(format string, args ...any)
	Out    io.Writer
	JSON   func(any) error
	Table  func(head []string, rows [][]string) error
	Fields func([][2]string) error
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
