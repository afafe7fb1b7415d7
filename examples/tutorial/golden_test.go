package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of differences into README.md")

// recordings is every file, and how the example runs that it is replayed against. The
// second tutorial's are replayed against an example that names another origin than
// theirs; TestNamedOrigin shows what a named one may do.
var recordings = []struct {
	name, file, recipes string
	config              config
}{
	{"first", "t000.json", "tokens_t000.json", config{dialect: first}},
	{"first, modern", "modern_t000.json", "tokens_t000.json", config{dialect: first}},
	{"second", "t001.json", "tokens_t001.json", config{dialect: second, origin: "https://front.example"}},
	{"second, modern", "modern_t001.json", "tokens_t001.json", config{dialect: second, origin: "https://front.example"}},
	{"next steps, memory", "next_memory.json", "tokens_t000.json", config{dialect: first}},
	{"next steps, SQL", "next_sql.json", "tokens_t000.json", config{dialect: first}},
	{"next steps, locations", "next_locations.json", "tokens_t000.json", config{dialect: first, locations: true}},
}

// tally counts what became of the cases of one recording, or of all.
type tally struct {
	total, same, differ, kept int
	by                        []int // of differences
}

// TestGolden replays every recorded case. Each gets its recorded answer, or one that
// exactly one entry of the table of differences explains; a recorded defect is never
// answered without an entry. An entry without cases is an error, and so is a README
// that does not hold the table.
func TestGolden(t *testing.T) {
	counts := make([]tally, len(recordings))
	t.Run("replay", func(t *testing.T) {
		for n, rec := range recordings {
			t.Run(rec.name, func(t *testing.T) {
				t.Parallel()
				counts[n] = replay(t, rec.file, rec.recipes, rec.config)
				t.Logf("%s: %d cases, %d as recorded, %d differ, %d kept",
					rec.file, counts[n].total, counts[n].same, counts[n].differ, counts[n].kept)
			})
		}
	})
	sum := tally{by: make([]int, len(differences))}
	for _, c := range counts {
		if c.total == 0 {
			return // run in part, or stopped: the counts mean nothing
		}
		sum.add(c)
	}
	t.Logf("all: %d cases, %d as recorded, %d differ, %d kept", sum.total, sum.same, sum.differ, sum.kept)
	for n, d := range differences {
		if sum.by[n] == 0 {
			t.Errorf("no case needs the difference %q", d.what)
		}
	}
	if !t.Failed() {
		compareREADME(t, counts, sum)
	}
}

func replay(t *testing.T, file, recipes string, cfg config) tally {
	t.Helper()
	a := startApp(t, cfg)
	p := newReplayer(t, a, recipes)
	counts := tally{by: make([]int, len(differences))}
	for _, f := range readFlows(t, file) {
		p.begin()
		for _, e := range f.Steps {
			name := e.Name
			if len(f.Steps) > 1 {
				name = f.Name + "/" + e.Name
			}
			got := p.send(t, e)
			checkAnswer(t, a, name, e.Request, got)
			counts.judge(t, name, e, got)
		}
	}
	return counts
}

// judge finds the one reason why a case is answered as it is.
func (c *tally) judge(t *testing.T, name string, e exchange, got response) {
	t.Helper()
	recorded, here := outcomeOf(e.Request, e.Response), outcomeOf(e.Request, got)
	copied := recorded.String() == here.String()
	c.total++
	if !e.Defect && here.covers(recorded) {
		c.same++
		return
	}
	var found []int
	for n, d := range differences {
		if d.kept == copied && d.fits(name, recorded, here) {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 0 && copied:
		t.Errorf("%s: a defect is copied: %s\n\t%s", name, here, e.Comment)
	case len(found) == 0:
		t.Errorf("%s: not as recorded, and nothing says why:\n\trecorded %s\n\there     %s\n\t%s", name, recorded, here, e.Comment)
	case len(found) > 1:
		t.Errorf("%s: %q and %q both explain it", name, differences[found[0]].what, differences[found[1]].what)
	case copied:
		c.kept++
		c.by[found[0]]++
	default:
		c.differ++
		c.by[found[0]]++
	}
}

func (c *tally) add(o tally) {
	c.total, c.same, c.differ, c.kept = c.total+o.total, c.same+o.same, c.differ+o.differ, c.kept+o.kept
	for n, count := range o.by {
		c.by[n] += count
	}
}

// checkAnswer holds what is true of every answer, whatever was recorded.
func checkAnswer(t *testing.T, a *app, name string, r request, got response) {
	t.Helper()
	headers := map[string]string{}
	for _, h := range got.Headers {
		headers[h[0]] = h[1]
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil && got.Body != "" && !r.NoHost {
		t.Errorf("%s: the body is not one JSON object: %q", name, got.Body)
	}
	if got.Status >= 500 {
		t.Errorf("%s: status %d", name, got.Status)
	}
	if got.Status == 401 && !strings.HasPrefix(headers["Www-Authenticate"], `Bearer realm="tutorial"`) {
		t.Errorf("%s: 401 with the challenge %q", name, headers["Www-Authenticate"])
	}
	for header := range headers {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("%s: %s for an origin that is not named", name, header)
		}
	}
	token, ok := body[a.dialect.token].(string)
	if !ok {
		return
	}
	if _, err := a.verifier.Verify(t.Context(), token); err != nil {
		t.Errorf("%s: the token is not good: %v", name, err)
	}
	if headers["Cache-Control"] != "no-store" {
		t.Errorf("%s: a token with Cache-Control %q", name, headers["Cache-Control"])
	}
}

const (
	tableBegin = "<!-- The tables below are written by: go test ./examples/tutorial -run TestGolden -update -->\n"
	tableEnd   = "<!-- End of the tables. -->\n"
)

// compareREADME compares the tables in README.md with those that this run gives.
func compareREADME(t *testing.T, counts []tally, sum tally) {
	t.Helper()
	want := tables(counts, sum)
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	is, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatal("README.md has no place for the tables")
	}
	if is == want {
		return
	}
	if !*update {
		t.Fatal("the tables in README.md are not those of this run; go test ./examples/tutorial -run TestGolden -update writes them")
	}
	if err := os.WriteFile("README.md", []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func tables(counts []tally, sum tally) string {
	var b strings.Builder
	b.WriteString("\n| recording | file | cases | as recorded | differ | kept |\n|---|---|---|---|---|---|\n")
	for n, c := range counts {
		fmt.Fprintf(&b, "| %s | `%s` | %d | %d | %d | %d |\n", recordings[n].name, recordings[n].file, c.total, c.same, c.differ, c.kept)
	}
	fmt.Fprintf(&b, "| all | | %d | %d | %d | %d |\n\n", sum.total, sum.same, sum.differ, sum.kept)
	b.WriteString("| which cases | recorded | here | because | cases |\n|---|---|---|---|---|\n")
	for n, d := range differences {
		var from, to []string
		for _, pair := range d.pairs {
			from, to = addOnce(from, cell(pair[0])), addOnce(to, cell(pair[1]))
		}
		here := strings.Join(to, "<br>")
		if d.kept {
			here = "the same"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d |\n", d.what, strings.Join(from, "<br>"), here, d.because, sum.by[n])
	}
	return b.String() + "\n"
}

func cell(text string) string {
	return "`" + strings.ReplaceAll(text, "*", "…") + "`"
}

func addOnce(list []string, text string) []string {
	for _, have := range list {
		if have == text {
			return list
		}
	}
	return append(list, text)
}
