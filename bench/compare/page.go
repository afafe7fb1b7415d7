package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// write writes the page and its plots into a folder.
func (r *result) write(folder string) error {
	if err := os.MkdirAll(filepath.Join(folder, "img"), 0o755); err != nil {
		return err
	}
	for name, plot := range r.plots() {
		if err := os.WriteFile(filepath.Join(folder, "img", name), plot.svg(), 0o644); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	if err := r.page(&page); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "benchmarks.md"), page.Bytes(), 0o644)
}

func (r *result) page(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprint(w, "<!-- Written by `make bench`. -->\n\n# Benchmarks\n\n")
	fmt.Fprint(w, introduction)
	r.pageTargets(w)
	r.pageVerify(w)
	r.pageSign(w)
	r.pageReject(w)
	r.pageRevocation(w)
	r.pageHTTP(w)
	r.pageFlask(w)
	r.pageGate(w)
	r.pageRefresh(w)
	fmt.Fprint(w, method)
	r.pageMachine(w)
	return w.Flush()
}

func (r *result) pageVerify(w io.Writer) {
	fmt.Fprint(w, "## Verify a token\n\n![Time to verify a token](img/verify.svg)\n\n", verifyText)
	for _, alg := range algorithms {
		fmt.Fprintf(w, "### %s\n\n", alg)
		figures := r.verify[alg]
		table(w, figures, figures[0], last(figures))
	}
}

func (r *result) pageSign(w io.Writer) {
	fmt.Fprint(w, "## Sign a token\n\n![Time to sign a token](img/sign.svg)\n\n", signText)
	for _, alg := range algorithms {
		fmt.Fprintf(w, "### Sign %s\n\n", alg)
		figures := r.sign[alg]
		table(w, figures, figures[0], last(figures))
	}
}

// table has a line for each figure, with its ratios to ours and to the floor.
func table(w io.Writer, figures []figure, own, floor figure) {
	fmt.Fprint(w, "| | median | least | allocations | bytes | × Doorward | × crypto alone |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, f := range figures {
		fmt.Fprintf(w, "| %s | %s | %s | %.0f | %.0f | %s | %s |\n",
			f.name, duration(f.median()), duration(f.minimum()), f.allocs, f.bytes, ratio(f.over(own)), ratio(f.over(floor)))
	}
	fmt.Fprintln(w)
}

func (r *result) pageReject(w io.Writer) {
	fmt.Fprint(w, "## Refuse a token\n\n", rejectText, "| HS256 |")
	for _, f := range r.reject[0].figures {
		fmt.Fprintf(w, " %s |", f.name)
	}
	fmt.Fprint(w, "\n|---|", strings.Repeat("--:|", len(r.reject[0].figures)), "\n")
	for _, c := range r.reject {
		fmt.Fprintf(w, "| %s |", c.name)
		for _, f := range c.figures {
			fmt.Fprintf(w, " %s, %.0f |", duration(f.median()), f.allocs)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

func (r *result) pageRevocation(w io.Writer) {
	fmt.Fprintf(w, "## Look for a revocation\n\n%s revoked sessions take %.0f MiB. %s", thousands(r.entries), r.memory, revocationText)
	fmt.Fprint(w, "| `RevocationSet.Check` | median | least | allocations |\n|---|--:|--:|--:|\n")
	for _, f := range r.revocation {
		fmt.Fprintf(w, "| %s | %s | %s | %.0f |\n", f.name, duration(f.median()), duration(f.minimum()), f.allocs)
	}
	fmt.Fprintln(w)
}

func (r *result) pageHTTP(w io.Writer) {
	fmt.Fprint(w, "## HTTP middleware\n\n![Cost of the middleware for one request](img/middleware.svg)\n\n", middlewareText)
	fmt.Fprint(w, "| in process | median | least | allocations | over its bare handler | × Doorward HS256 |\n|---|--:|--:|--:|--:|--:|\n")
	own := r.overBare(doorwardHS256)
	for _, f := range r.inProcess {
		over, times := r.overBare(f.name), "–"
		if over > 0 && !isBare(f.name) {
			times = ratio(over / own)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %.0f | %s | %s |\n", f.name, duration(f.median()), duration(f.minimum()), f.allocs, duration(over), times)
	}
	fmt.Fprint(w, "\n## HTTP over loopback\n\n![Requests per second against bare net/http](img/http.svg)\n\n", loopbackText)
	fmt.Fprint(w, "| server | requests/s, median | × bare net/http | processor time × bare |\n|---|--:|--:|--:|\n")
	for _, l := range r.loopback {
		fmt.Fprintf(w, "| %s | %.0f | %.2f | %.2f |\n", l.name, median(l.rate), l.against(r.loopback[0]), l.cpuAgainst(r.loopback[0]))
	}
	fmt.Fprintln(w)
}

func (r *result) pageFlask(w io.Writer) {
	fmt.Fprint(w, "## Beside a tutorial's Flask app\n\n")
	if len(r.flask) == 0 {
		fmt.Fprint(w, "Not measured: ", errNoFlask, ".\n\n")
		return
	}
	fmt.Fprint(w, "![Processor time of one request](img/flask.svg)\n\n", flaskText)
	fmt.Fprint(w, "| `GET /protected` | processor time, median | × doorward serve | requests/s, median |\n|---|--:|--:|--:|\n")
	own := findLoad(r.flask, doorwardServe)
	for _, l := range r.flask {
		fmt.Fprintf(w, "| %s | %s | %s | %.0f |\n", l.name, duration(median(l.cpu)), ratio(l.cpuAgainst(own)), median(l.rate))
	}
	fmt.Fprintf(w, "\n%s.\n\n", r.versions)
}

func (r *result) pageGate(w io.Writer) {
	fmt.Fprint(w, "## In front of an upstream\n\n![Requests per second](img/gate.svg)\n\n", gateText)
	head := func(what, base string) {
		fmt.Fprintf(w, "| %s | requests/s, median | × %s | processor time, median | × %s | at %s/s: p50, p99 | one client: p50, p99 |\n|---|--:|--:|--:|--:|--:|--:|\n",
			what, base, base, thousands(int(r.effort.gatePace)))
	}
	line := func(p, base passage) {
		fmt.Fprintf(w, "| %s | %.0f | %.2f | %s | %.2f | %s, %s | %s, %s |\n", p.name, median(p.rate), p.against(base.load), duration(median(p.cpu)),
			p.cpuAgainst(base.load), duration(median(p.p50)), duration(median(p.p99)), duration(median(p.alonep50)), duration(median(p.alonep99)))
	}
	head("`GET /hello`", "ReverseProxy")
	for _, p := range r.passages(false) {
		line(p, r.passage(gateAlone))
	}
	if r.nginx == "" {
		fmt.Fprintf(w, "\n%s, so there is no row of it.\n", errNoNginx)
	} else {
		fmt.Fprintf(w, "\n%s.\n", r.nginx)
	}
	fmt.Fprint(w, "\n", questionText)
	head("a question", "bare")
	for _, p := range r.passages(true) {
		line(p, r.passage(questionBare))
	}
	fmt.Fprintln(w)
}

func (r *result) pageRefresh(w io.Writer) {
	fmt.Fprint(w, "## Refresh a session\n\n![Refreshes per second](img/refresh-rate.svg)\n\n", refreshText)
	fmt.Fprint(w, "| | each second, median | × the disk alone | × strict rotation | processor time, median |\n|---|--:|--:|--:|--:|\n")
	disk := findLoad(r.refresh, diskSync)
	fmt.Fprintf(w, "| %s | %.0f | 1.00 | | %s |\n", disk.name, median(disk.rate), duration(median(disk.cpu)))
	for _, rule := range []string{ruleOwn, ruleStrict} {
		for _, callers := range callerCounts {
			l := findLoad(r.refresh, refreshRow(rule, callers))
			fmt.Fprintf(w, "| %s | %.0f | %s | %s | %s |\n", l.name, median(l.rate), ratio(l.against(disk)),
				ratio(l.against(findLoad(r.refresh, refreshRow(ruleStrict, callers)))), duration(median(l.cpu)))
		}
	}
	fmt.Fprint(w, "\n### Among many sessions\n\n", growthText)
	few := r.growth[0]
	fmt.Fprintf(w, "| | each second, median | × %s | processor time, median | × %s |\n|---|--:|--:|--:|--:|\n", few.name, few.name)
	for _, l := range r.growth {
		fmt.Fprintf(w, "| %s | %.0f | %.2f | %s | %.2f |\n", l.name, median(l.rate), l.against(few), duration(median(l.cpu)), l.cpuAgainst(few))
	}
	fmt.Fprint(w, "\n## Programs\n\n", programsText)
}

// overBare is what the middleware takes more than the handler of its framework alone.
func (r *result) overBare(name string) float64 {
	base := find(r.inProcess, bare)
	if strings.HasPrefix(name, "gin") {
		base = find(r.inProcess, bareGin)
	}
	f := find(r.inProcess, name)
	differences := make([]float64, len(f.times))
	for i := range differences {
		differences[i] = f.times[i] - base.times[i]
	}
	return median(differences)
}

func isBare(name string) bool { return strings.HasPrefix(name, "bare") }

func find(figures []figure, name string) figure {
	for _, f := range figures {
		if f.name == name {
			return f
		}
	}
	return figure{}
}

func findLoad(loads []load, name string) load {
	for _, l := range loads {
		if l.name == name {
			return l
		}
	}
	return load{}
}

func last(figures []figure) figure { return figures[len(figures)-1] }

func (r *result) pageMachine(w io.Writer) {
	fmt.Fprintf(w, "## The machine\n\n%s; %d processors; %s/%s, %s; measured in %s. %d rounds of %v in process, %d rounds of %v over loopback and of refreshes, %d × %d in front of an upstream.\n\n",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().Format("January 2006"),
		r.effort.rounds, r.effort.slice, r.effort.httpRounds, r.effort.httpSlice, r.effort.gateStarts, r.effort.gateRounds)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	fmt.Fprint(w, "| module | version |\n|---|---|\n")
	for _, d := range info.Deps {
		for _, peer := range []string{"golang-jwt/jwt/v5", "go-jose/v4", "lestrrat-go/jwx", "jwtauth", "gin-jwt", "gin-gonic/gin"} {
			if strings.Contains(d.Path, peer) {
				fmt.Fprintf(w, "| %s | %s |\n", d.Path, d.Version)
			}
		}
	}
}

// processor is the name of the processor, where Linux tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "Processor unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "Processor unknown"
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	case ns >= 1e5:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	case ns >= 1e4:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns >= 1e3:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	case ns < 0.05: // less than the noise
		return "0 ns"
	case ns >= 100:
		return fmt.Sprintf("%.0f ns", ns)
	}
	return fmt.Sprintf("%.1f ns", ns)
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func ratio(x float64) string {
	if x >= 10 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
