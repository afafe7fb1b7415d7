package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
)

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	privateFiles()
	root := rootCommand(shell.Shell{Args: args, In: in, Out: out, Err: errs})
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return report(errs, root.ExecuteContext(ctx))
}

// report prints an error and returns the exit code.
func report(to io.Writer, err error) int {
	if err == nil {
		return failure.ExitDone
	}
	if problems := config.AsProblems(err); problems != nil {
		for _, p := range problems {
			complain(to, p.Error(), p.Hint)
		}
		return failure.ExitUsage
	}
	if f, ok := errors.AsType[*failure.Error](err); ok {
		complain(to, err.Error(), f.Hint)
		return f.Code
	}
	complain(to, err.Error(), "")
	return failure.ExitFailed
}

func complain(to io.Writer, text, hint string) {
	fmt.Fprintf(to, "doorward: %s %s\n", paint(to, red, "error:"), text)
	if hint != "" {
		fmt.Fprintf(to, "doorward: %s %s\n", paint(to, cyan, "hint:"), hint)
	}
}

const (
	red  = "\x1b[31m"
	cyan = "\x1b[36m"
)

// paint colours text for a terminal, unless NO_COLOR is set (no-color.org).
func paint(w io.Writer, colour, text string) string {
	if !shell.IsTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return colour + text + "\x1b[0m"
}
