package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/reference/referencetest"
)

var (
	parityRow = regexp.MustCompile("(?m)^\\| `([A-Z]+ /admin/v1/[^`]+)` \\| (`doorward .+`) \\|$")
	shellRow  = regexp.MustCompile("(?m)^\\| (`doorward [^|]+`) \\| [^|]*[a-z]{3}[^|]* \\|$")
	quoted    = regexp.MustCompile("`doorward ([^`]+)`")
)

// What the admin API can do, a command can, and the other way round: the tables in docs/admin-api.md name one for each
// operation, and each command, with its operation or with the reason why it has none.
func TestParity(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	operations, err := referencetest.Operations()
	if err != nil {
		t.Fatal(err)
	}
	operations = slices.DeleteFunc(operations, func(op string) bool { return !strings.Contains(op, " /admin/v1/") })
	var named []string
	overHTTP, atShell := map[string]bool{}, map[string]bool{}
	for _, row := range parityRow.FindAllStringSubmatch(page, -1) {
		named = append(named, row[1])
		for _, command := range quoted.FindAllStringSubmatch(row[2], -1) {
			overHTTP[command[1]] = true
		}
	}
	slices.Sort(named)
	if !slices.Equal(named, operations) {
		t.Errorf("the table names\n%q\nand openapi.yaml has\n%q", named, operations)
	}
	for _, row := range shellRow.FindAllStringSubmatch(page, -1) {
		for _, command := range quoted.FindAllStringSubmatch(row[1], -1) {
			if atShell[command[1]] || overHTTP[command[1]] {
				t.Errorf("doorward %s is named twice", command[1])
			}
			atShell[command[1]] = true
		}
	}
	want := commands()
	got := slices.Sorted(maps.Keys(overHTTP))
	got = slices.Sorted(slices.Values(append(got, slices.Collect(maps.Keys(atShell))...)))
	if !slices.Equal(got, want) || len(atShell) == 0 {
		t.Errorf("the tables name the commands\n%q\nand there are\n%q", got, want)
	}
}

// commands are all commands that do something, sorted. Those that complete command lines count as one.
func commands() (list []string) {
	root := rootCommand(shell.Shell{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() || cmd.Name() == "completion" {
			list = append(list, strings.TrimPrefix(cmd.CommandPath(), "doorward "))
			return
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(list)
	return list
}
