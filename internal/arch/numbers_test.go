package arch_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// lists are the numbered acceptance lines that this release answers: each one is in the name or the
// comment of a test, written out in full, or has a row in docs/standards.md that says why it does not apply.
var lists = map[string][]string{
	"Behaviour": slices.Concat(span("F%d", 1, 102), span("P%d", 1, 98), span("B%d", 1, 60), span("C%d", 1, 50),
		[]string{"B9a", "B9b", "B15a", "B23a", "B30a", "B30b", "B30c", "B39a", "B39b", "B50a"}),
	"Standard": slices.Concat(span("J%02d", 1, 24), span("B%02d", 1, 3), span("K%02d", 3, 5), span("K%02d", 7, 12),
		span("A%02d", 1, 14), span("E%02d", 1, 5), span("T%02d", 1, 14), span("T%02d", 19, 21), span("P%02d", 1, 4),
		span("C%02d", 1, 14), span("C%02d", 16, 20), span("N%02d", 10, 14), span("R%02d", 1, 16), span("S%02d", 1, 18),
		span("H%02d", 1, 9), span("U%02d", 1, 27), span("W%02d", 1, 8), span("Z%02d", 1, 3), span("Z%02d", 5, 10),
		span("O%02d", 1, 20), span("V%02d", 1, 10), span("I%02d", 1, 7), span("I%02d", 9, 11), span("D%02d", 1, 7)),
	"Attack": slices.Concat(span("A%02d", 1, 30), span("B%02d", 1, 16), span("C%02d", 1, 20), span("D%02d", 1, 13), span("E%02d", 1, 15),
		span("F%02d", 1, 20), span("G%02d", 1, 12), span("H%02d", 1, 16), []string{"I03"}),
	"ASVS": slices.Concat(span("6.2.%d", 2, 12), span("7.2.%d", 1, 4), span("7.4.%d", 1, 3), []string{
		"2.4.1", "6.1.1", "6.3.1", "6.3.2", "6.3.3", "6.3.4", "6.3.8", "6.4.1", "6.4.2", "6.4.3", "6.4.6", "6.5.1", "6.5.5", "6.8.1", "6.8.2",
		"7.1.2", "7.3.1", "7.3.2", "7.4.5", "7.5.1", "7.5.2", "8.3.2", "11.4.2", "13.2.3", "15.2.2", "15.3.3", "15.3.4", "15.4.1", "15.4.2", "16.3.1",
	}),
}

var (
	numbered = regexp.MustCompile(`((?:Attack|Standard|Behaviour)_[A-Z]\d+[a-z]?|ASVS_\d+\.\d+\.\d+)`)
	// excuse is a row of a table: the number, and a reason that is one.
	excuse = regexp.MustCompile("(?m)^\\| `((?:Attack|Standard|Behaviour)_[A-Z]\\d+[a-z]?|ASVS_\\d+\\.\\d+\\.\\d+)` \\| (.{20,}) \\|$")
)

func TestNumberedLines(t *testing.T) {
	tested, err := numbersInTests("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	excused := map[string]bool{}
	for _, row := range excuse.FindAllStringSubmatch(string(text), -1) {
		list, line, _ := strings.Cut(row[1], "_")
		if excused[row[1]] || !slices.Contains(lists[list], line) {
			t.Errorf("%s is excused twice, or is no line of the list", row[1])
		}
		excused[row[1]] = true
	}
	for list, lines := range lists {
		for _, line := range lines {
			name := list + "_" + line
			switch {
			case !tested[name] && !excused[name]:
				t.Errorf("%s is neither tested nor excused in docs/standards.md", name)
			case tested[name] && excused[name]:
				t.Errorf("%s is tested and excused: one of them is not true", name)
			}
		}
	}
}

// numbersInTests collects the numbered lines that tests name.
func numbersInTests(root string) (map[string]bool, error) {
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return fs.SkipDir
		case entry.IsDir(), !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".txtar"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range numbered.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
		return err
	})
	return found, err
}

// span names the lines from first to last as their list writes them: "C%02d" or "F%d".
func span(format string, first, last int) []string {
	var names []string
	for n := first; n <= last; n++ {
		names = append(names, fmt.Sprintf(format, n))
	}
	return names
}
