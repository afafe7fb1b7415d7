package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/doorward/doorward/jwt"
)

// target is one line of what Doorward must measure up to.
type target struct {
	work, must, measured string
	met                  bool
	limit                string // what stands in the way, by profile: for a target that is missed
}

func (r *result) targets() []target {
	all := []target{r.targetHS256()}
	for _, t := range []struct {
		alg    jwt.Algorithm
		allocs float64
	}{{jwt.EdDSA, 2}, {jwt.ES256, 13}, {jwt.RS256, 11}} {
		all = append(all, r.targetAsymmetric(t.alg, t.allocs))
	}
	all = append(append(all, r.targetCached()), r.targetsHTTP()...)
	return append(append(append(all, r.targetsFlask()...), r.targetsGate()...), r.targetRefresh(), r.targetGrowth())
}

func (r *result) targetHS256() target {
	own, golang := find(r.verify[jwt.HS256], ours), find(r.verify[jwt.HS256], "golang-jwt v5")
	times := golang.over(own)
	return target{
		"verify HS256", "≥ 5 × faster than golang-jwt, ≤ 2 allocations",
		fmt.Sprintf("%.1f ×, %.0f", times, own.allocs), times >= 5 && own.allocs <= 2, limitHS256,
	}
}

func (r *result) targetAsymmetric(alg jwt.Algorithm, allocs float64) target {
	own, floor := find(r.verify[alg], ours), find(r.verify[alg], raw)
	times := own.over(floor)
	return target{
		fmt.Sprintf("verify %s", alg), fmt.Sprintf("≤ 1.15 × the crypto call alone, ≤ %.0f allocations", allocs),
		fmt.Sprintf("%.2f × (least: %.2f ×), %.0f", times, own.minimum()/floor.minimum(), own.allocs), times <= 1.15 && own.allocs <= allocs, limitAsymmetric,
	}
}

func (r *result) targetCached() target {
	cold, seen := find(r.verify[jwt.EdDSA], ours), find(r.verify[jwt.EdDSA], cached)
	times := cold.over(seen)
	return target{
		"verify EdDSA, token seen before", "≥ 50 × faster than the first time, 0 allocations",
		fmt.Sprintf("%.0f ×, %.0f", times, seen.allocs), times >= 50 && seen.allocs == 0, limitSeen,
	}
}

func (r *result) targetsHTTP() []target {
	var garbage float64
	for _, c := range r.reject[:len(r.reject)-1] { // the last one's signature is good
		garbage = max(garbage, c.figures[0].allocs)
	}
	look := max(r.revocation[0].median(), r.revocation[1].median())
	var all []target
	for _, pair := range [][2]string{{doorwardSeen, golangEdDSA}, {doorwardHS256, golangHS256}} {
		times := r.overBare(pair[1]) / r.overBare(pair[0])
		all = append(all, target{
			"middleware in process, " + pair[0], "≥ 5 × less than golang-jwt's, over the bare handler", fmt.Sprintf("%.1f ×", times), times >= 5,
			limitHS256,
		})
	}
	for _, name := range []string{doorwardSeen, doorwardHS256} {
		share := findLoad(r.loopback, name).against(r.loopback[0])
		all = append(all, target{"HTTP, " + name, "≥ 0.90 of bare net/http's requests/s", fmt.Sprintf("%.2f", share), share >= 0.90, limitHTTP})
	}
	return append(
		all,
		target{"refuse garbage", "0 allocations", fmt.Sprintf("%.0f", garbage), garbage == 0, ""},
		target{
			"revocation check", "≤ 100 ns, ≤ 60 MiB at 1,000,000 entries",
			fmt.Sprintf("%s, %.0f MiB", duration(look), r.memory), look <= 100 && r.memory <= 60, limitRevocation,
		},
	)
}

// targetsFlask are against gunicorn as it is by default, which takes less than with threads.
func (r *result) targetsFlask() []target {
	if len(r.flask) == 0 {
		return nil
	}
	var all []target
	for _, name := range []string{ownProgram, doorwardServe} {
		times := findLoad(r.flask, flaskPlain).cpuAgainst(findLoad(r.flask, name))
		all = append(all, target{
			"a tutorial's /protected, " + name, "≥ 15 × less processor time than Flask's, for each request", fmt.Sprintf("%.1f ×", times), times >= 15,
			limitServe,
		})
	}
	return all
}

// targetsGate are against the standard library's proxy and a bare handler. Latency is what each adds to the upstream's.
func (r *result) targetsGate() []target {
	cpu := r.passage(gateServe).cpuAgainst(r.passage(gateAlone).load)
	paced := r.added(gateServe, func(p passage) []float64 { return p.p50 }) / r.added(gateAlone, func(p passage) []float64 { return p.p50 })
	one := r.added(gateServe, func(p passage) []float64 { return p.alonep50 }) / r.added(gateAlone, func(p passage) []float64 { return p.alonep50 })
	share := r.passage(questionServe).against(r.passage(questionBare).load)
	return []target{
		{
			"reverse proxy", "processor time and added latency ≤ 1.25 × httputil.ReverseProxy alone",
			fmt.Sprintf("%.2f ×; p50 at %s/s %.2f ×, of one client %.2f ×", cpu, thousands(int(r.effort.gatePace)), paced, one), max(cpu, paced, one) <= 1.25, limitProxy,
		},
		{"forward-auth", "≥ 0.85 of bare net/http's requests/s", fmt.Sprintf("%.2f", share), share >= 0.85, limitForward},
	}
}

func (r *result) targetRefresh() target {
	rate := median(findLoad(r.refresh, refreshRow(ruleOwn, 32)).rate)
	return target{"refresh on SQLite, durable, 32 callers", "≥ 5,000 a second", thousands(int(rate)), rate >= 5000, limitRefresh}
}

func (r *result) targetGrowth() target {
	few, many := r.growth[0], r.growth[len(r.growth)-1]
	times := many.cpuAgainst(few)
	return target{"refresh among " + many.name, "≤ 1.25 × the processor time among " + few.name, fmt.Sprintf("%.2f ×", times), times <= 1.25, ""}
}

func (r *result) pageTargets(w io.Writer) {
	fmt.Fprint(w, "## What we hold ourselves to\n\n", targetsText)
	tableTargets(w, r.targets())
}

// tableTargets says of each target whether it is met.
func tableTargets(w io.Writer, targets []target) {
	fmt.Fprint(w, "| work | must | measured | |\n|---|---|---|---|\n")
	var limits []string
	for _, t := range targets {
		verdict := "met"
		if !t.met {
			verdict = "missed"
			if t.limit != "" && !slices.Contains(limits, t.limit) {
				limits = append(limits, t.limit)
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", t.work, t.must, t.measured, verdict)
	}
	fmt.Fprintln(w)
	if len(limits) > 0 {
		fmt.Fprint(w, "What stands in the way of those that were missed, by profile:\n\n", strings.Join(limits, ""), "\n")
	}
}
