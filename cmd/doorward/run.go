package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"golang.org/x/term"
)

// Exit codes. They are documented in the help of the root command.
const (
	exitDone    = 0 // done
	exitFailed  = 1 // could not do it
	exitUsage   = 2 // the command line or the configuration is wrong; nothing was done
	exitRefused = 3 // no such user, session or key; a token that is not valid; a folder of someone else
)

// failure is an error with what the person may do about it.
type failure struct {
	code int
	text string
	hint string // "" when there is none
	err  error  // that it wraps; may be nil
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func refused(hint, format string, args ...any) error {
	return &failure{code: exitRefused, text: fmt.Sprintf(format, args...), hint: hint}
}

func misused(hint, format string, args ...any) error {
	return &failure{code: exitUsage, text: fmt.Sprintf(format, args...), hint: hint}
}

// failed wraps an error that the person at the keyboard has not caused.
func failed(err error, hint, format string, args ...any) error {
	return &failure{code: exitFailed, text: fmt.Sprintf(format, args...), hint: hint, err: err}
}

// app is one run of the command: its arguments and streams.
type app struct {
	args []string
	in   io.Reader
	out  io.Writer // results
	errs io.Writer // everything else
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	privateFiles()
	a := &app{args: args, in: in, out: out, errs: errs}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return a.report(root.ExecuteContext(ctx))
}

// report prints an error and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitDone
	}
	if problems := config.AsProblems(err); problems != nil {
		for _, p := range problems {
			a.complain(p.Error(), p.Hint)
		}
		return exitUsage
	}
	if f, ok := errors.AsType[*failure](err); ok {
		a.complain(err.Error(), f.hint)
		return f.code
	}
	a.complain(err.Error(), "")
	return exitFailed
}

func (a *app) complain(text, hint string) {
	fmt.Fprintf(a.errs, "doorward: %s %s\n", paint(a.errs, red, "error:"), text)
	if hint != "" {
		fmt.Fprintf(a.errs, "doorward: %s %s\n", paint(a.errs, cyan, "hint:"), hint)
	}
}

// note prints a line to stderr, where it is no part of the results.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.errs, "doorward: "+format+"\n", args...)
}

// isTerminal reports whether a stream of the app is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	red  = "\x1b[31m"
	cyan = "\x1b[36m"
)

// paint colours text for a terminal, unless NO_COLOR is set (no-color.org).
func paint(w io.Writer, colour, text string) string {
	if !isTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return colour + text + "\x1b[0m"
}
