package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail
	Test        string // empty: the package as a whole
	Output      string
	Elapsed     float64
	FailedBuild string
}

// report counts tests and prints what a person needs: a line for each package, the output of what failed.
type report struct {
	out                     io.Writer
	passed, failed, skipped int
	output                  map[key]*strings.Builder // of the tests that have not ended, and of packages
	ran, broken             map[string]int           // tests that ran and that failed, by package
	reasons                 map[string][]string      // names of the skipped tests, by reason
}

// key is a test, or with an empty test a package.
type key struct{ pkg, test string }

func newReport(out io.Writer) *report {
	return &report{
		out: out, output: map[key]*strings.Builder{},
		ran: map[string]int{}, broken: map[string]int{}, reasons: map[string][]string{},
	}
}

// read follows one stream of events. Lines that are none are passed on.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			r.event(e)
		} else {
			fmt.Fprintf(r.out, "%s", line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) event(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output":
		r.buffer(e).WriteString(e.Output)
	case !slices.Contains([]string{"pass", "fail", "skip"}, e.Action):
	case e.Test == "":
		r.packageEnded(e)
	default:
		r.testEnded(e)
	}
}

func (r *report) buffer(e event) *strings.Builder {
	k := key{e.Package, e.Test}
	if r.output[k] == nil {
		r.output[k] = &strings.Builder{}
	}
	return r.output[k]
}

func (r *report) testEnded(e event) {
	text := r.take(key{e.Package, e.Test})
	r.ran[e.Package]++
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.broken[e.Package]++
		fmt.Fprint(r.out, text)
	case "skip":
		r.skipped++
		why := skipReason(text)
		r.reasons[why] = append(r.reasons[why], e.Package+"."+e.Test)
	}
}

func (r *report) packageEnded(e event) {
	text := r.take(key{e.Package, ""})
	ran, broken := r.ran[e.Package], r.broken[e.Package]
	delete(r.ran, e.Package)
	delete(r.broken, e.Package)
	if e.Action != "fail" {
		if ran > 0 {
			fmt.Fprintf(r.out, "ok    %s  %d tests  %.1fs\n", e.Package, ran, e.Elapsed)
		}
		return
	}
	for k := range r.output { // a panic or a timeout leaves tests that never ended
		if k.pkg == e.Package {
			fmt.Fprint(r.out, r.take(k))
		}
	}
	if broken == 0 {
		r.failed++
	}
	fmt.Fprint(r.out, text)
}

// abandoned counts a command that failed without saying in which test.
func (r *report) abandoned(why string) {
	r.failed++
	fmt.Fprintf(r.out, "FAIL  %s\n", why)
}

// close prints the summary and returns the exit code.
func (r *report) close(strict bool) int {
	for _, why := range slices.Sorted(maps.Keys(r.reasons)) {
		names := r.reasons[why]
		fmt.Fprintf(r.out, "skip  %d: %s\n", len(names), why)
		for _, name := range names[:min(len(names), 5)] {
			fmt.Fprintf(r.out, "      %s\n", name)
		}
	}
	code := 0
	if r.failed > 0 {
		code = 1
	}
	if r.passed+r.failed == 0 {
		fmt.Fprintln(r.out, "no test ran")
		code = 1
	}
	if strict && r.skipped > 0 {
		fmt.Fprintln(r.out, "a skipped test counts as a failure here (CI=true)")
		code = 1
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return code
}

func (r *report) take(k key) string {
	b := r.output[k]
	if b == nil {
		return ""
	}
	delete(r.output, k)
	return b.String()
}

var place = regexp.MustCompile(`^\s+\S+_test\.go:\d+: `)

// skipReason is what a test said on its way out, without the place in the code.
func skipReason(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			said = append(said, strings.TrimSpace(place.ReplaceAllString(line, "")))
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
