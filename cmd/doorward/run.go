package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"golang.org/x/term"
)

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
		return failure.ExitDone
	}
	if problems := config.AsProblems(err); problems != nil {
		for _, p := range problems {
			a.complain(p.Error(), p.Hint)
		}
		return failure.ExitUsage
	}
	if f, ok := errors.AsType[*failure.Error](err); ok {
		a.complain(err.Error(), f.Hint)
		return f.Code
	}
	a.complain(err.Error(), "")
	return failure.ExitFailed
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
