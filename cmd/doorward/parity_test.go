package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/reference/referencetest"
)

var (
	parityRow = regexp.MustCompile("(?m)^\\| `([A-Z]+ /admin/v1/[^`]+)` \\| (`doorward .+`) \\|$")
	quoted    = regexp.MustCompile("`doorward ([^`]+)`")
)

// What the admin API can do, a command can: the table in docs/admin-api.md names one for each operation.
func TestParity(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	operations, err := referencetest.Operations()
	if err != nil {
		t.Fatal(err)
	}
	operations = slices.DeleteFunc(operations, func(op string) bool { return !strings.Contains(op, " /admin/v1/") })
	var named []string
	root := (&app{}).rootCommand()
	for _, row := range parityRow.FindAllStringSubmatch(string(page), -1) {
		named = append(named, row[1])
		for _, command := range quoted.FindAllStringSubmatch(row[2], -1) {
			cmd, rest, err := root.Find(strings.Fields(command[1]))
			if err != nil || len(rest) > 0 || cmd.HasSubCommands() {
				t.Errorf("%s: there is no doorward %s", row[1], command[1])
			}
		}
	}
	slices.Sort(named)
	if !slices.Equal(named, operations) {
		t.Errorf("the table names\n%q\nand openapi.yaml has\n%q", named, operations)
	}
}
