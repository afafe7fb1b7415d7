// Command testsummary runs go test commands, one after the other, and says at the end how many tests passed,
// failed and were skipped, and why. With CI=true a skip is a failure.
//
//	testsummary -- go test -json -race ./... -- go test -json -run Alloc ./jwt
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv("CI") == "true", os.Stdout, os.Stderr))
}

// run returns 0 if every command succeeded, at least one test ran and, when strict, none was skipped.
func run(ctx context.Context, args []string, strict bool, stdout, stderr io.Writer) int {
	if len(args) < 2 || args[0] != "--" {
		fmt.Fprintln(stderr, "usage: testsummary -- go test -json ... [-- go test -json ...]")
		return 2
	}
	r := newReport(stdout)
	for _, command := range commands(args) {
		if err := follow(ctx, r, command, stderr); err != nil {
			r.abandoned(fmt.Sprintf("%q: %v", command, err))
		}
	}
	return r.close(strict)
}

// commands splits args at each "--".
func commands(args []string) (list [][]string) {
	for len(args) > 0 {
		args = args[1:]
		n := slices.Index(args, "--")
		if n < 0 {
			n = len(args)
		}
		if n > 0 {
			list = append(list, args[:n])
		}
		args = args[n:]
	}
	return list
}

// follow runs one command and reads its events. An exit status that a failed test explains is not reported again.
func follow(ctx context.Context, r *report, command []string, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := r.failed
	readErr := r.read(out)
	if err := cmd.Wait(); err != nil && r.failed == before {
		return err
	}
	return readErr
}
