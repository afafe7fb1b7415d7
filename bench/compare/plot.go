package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// plot is a chart of horizontal bars.
type plot struct {
	title, note string
	against     string // what the ratios are of: the head of their column
	groups      []group
}

type group struct {
	label string
	bars  []bar
}

type bar struct {
	name  string
	value float64
	label string // the value as text
	ratio string // to what the plot is against; empty for that itself
	kind  string // "own", "peer" or "floor": a class of the style sheet
}

const (
	plotWidth  = 760
	margin     = 20
	barLeft    = 252
	barRoom    = 306 // for the longest bar; its label follows
	ratioRight = plotWidth - margin
	barHeight  = 16
	barStep    = 25
	groupGap   = 18
	headHeight = 92
)

// style works on a light and on a dark page, and with no fonts but the reader's own. The chart brings its own ground, since a
// page may be dark where the reader's system is light.
const style = `<style>
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.ground{fill:#fff;stroke:#d1d9e0}.axis{stroke:#d1d9e0}
.title{font-size:17px;font-weight:600}.label,.first{font-weight:600}.note,.head,.ratio{fill:#59636e}
.name,.head,.ratio{text-anchor:end}.head,.note{font-size:12px}.first{fill:#0969da}
.own{fill:#0969da}.peer{fill:#afb8c1}.floor{fill:#d4a72c}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.ground{fill:#0d1117;stroke:#3d444d}.axis{stroke:#3d444d}
.note,.head,.ratio{fill:#9198a1}.first{fill:#58a6ff}.own{fill:#388bfd}.peer{fill:#59636e}.floor{fill:#bb8009}
}
</style>`

// svg draws the chart. The bars of each group have a scale of their own.
func (p plot) svg() []byte {
	height := headHeight + margin - groupGap
	for _, g := range p.groups {
		height += g.height() + groupGap
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n%s\n",
		plotWidth, height, plotWidth, height, html.EscapeString(p.title), style)
	fmt.Fprintf(&b, `<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", plotWidth-1, height-1)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="32">%s</text><text class="note" x="%d" y="53">%s</text>`+"\n",
		margin, html.EscapeString(p.title), margin, html.EscapeString(p.note))
	fmt.Fprintf(&b, `<text class="head" x="%d" y="%d">%s</text>`+"\n", ratioRight, headHeight-14, html.EscapeString(p.against))
	y := headHeight
	for _, g := range p.groups {
		g.draw(&b, y)
		y += g.height() + groupGap
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (g group) height() int {
	if g.label == "" {
		return barStep * len(g.bars)
	}
	return barStep * (len(g.bars) + 1)
}

// draw draws the group from y on.
func (g group) draw(b *bytes.Buffer, y int) {
	var longest float64
	for _, bar := range g.bars {
		longest = max(longest, bar.value)
	}
	if g.label != "" {
		fmt.Fprintf(b, `<text class="label" x="%d" y="%d">%s</text>`+"\n", margin, y+12, html.EscapeString(g.label))
		y += barStep
	}
	fmt.Fprintf(b, `<path class="axis" d="M%d.5 %dV%d"/>`+"\n", barLeft-2, y-3, y+barStep*len(g.bars)-barStep+barHeight+3)
	for _, bar := range g.bars {
		width, class := max(1.5, bar.value/longest*barRoom), "name"
		if bar.kind == "own" {
			class = "name first"
		}
		fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
			class, barLeft-12, y+12, html.EscapeString(bar.name), bar.kind, barLeft, y, width, barHeight)
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text><text class="ratio" x="%d" y="%d">%s</text>`+"\n",
			barLeft+width+8, y+12, html.EscapeString(bar.label), ratioRight, y+12, html.EscapeString(bar.ratio))
		y += barStep
	}
}

// times is a ratio as people read it: what is much less than one as a part.
func times(x float64) string {
	if x < 0.1 {
		return fmt.Sprintf("1/%.0f", 1/x)
	}
	return ratio(x) + " ×"
}

func (r *result) plots() map[string]plot {
	verify := plot{title: "Verify a token", note: "processor time for one token, median; shorter is better", against: "× Doorward"}
	sign := plot{title: "Sign a token", note: "processor time for one token, median; shorter is better", against: "× Doorward"}
	for _, alg := range algorithms {
		verify.groups = append(verify.groups, timeGroup(string(alg), r.verify[alg]))
		sign.groups = append(sign.groups, timeGroup(string(alg), r.sign[alg]))
	}
	all := map[string]plot{
		"verify.svg": verify, "sign.svg": sign, "middleware.svg": r.middlewarePlot(), "http.svg": r.httpPlot(),
		"gate.svg": r.gatePlot(), "refresh-rate.svg": r.refreshPlot(),
	}
	if len(r.flask) > 0 {
		all["flask.svg"] = r.flaskPlot()
	}
	return all
}

func timeGroup(label string, figures []figure) group {
	g := group{label: label}
	for _, f := range figures {
		if f.name == control {
			continue
		}
		b := bar{name: f.name, value: f.median(), label: duration(f.median()), kind: kind(f.name)}
		if f.name != ours {
			b.ratio = times(f.over(figures[0]))
		}
		g.bars = append(g.bars, b)
	}
	return g
}

func (r *result) middlewarePlot() plot {
	p := plot{title: "Middleware, in process", note: "processor time more than the bare handler's, median; shorter is better", against: "× Doorward HS256"}
	var g group
	own := r.overBare(doorwardHS256)
	for _, f := range r.inProcess {
		if isBare(f.name) {
			continue
		}
		over := r.overBare(f.name)
		b := bar{name: f.name, value: over, label: duration(over), kind: kind(f.name)}
		if f.name != doorwardHS256 {
			b.ratio = times(over / own)
		}
		g.bars = append(g.bars, b)
	}
	p.groups = []group{g}
	return p
}

func (r *result) httpPlot() plot {
	p := plot{title: "HTTP over loopback", note: "requests per second, median; longer is better", against: "× bare net/http"}
	p.groups = []group{rates(r.loopback, r.loopback[0])}
	return p
}

func (r *result) gatePlot() plot {
	p := plot{title: "In front of an upstream", note: "requests per second, median; longer is better", against: "× bare net/http"}
	for _, g := range []struct {
		label, base string
		questions   bool
	}{{"A request to the upstream", gateBare, false}, {"A proxy's question", questionBare, true}} {
		var loads []load
		for _, passage := range r.passages(g.questions) {
			loads = append(loads, passage.load)
		}
		bars := rates(loads, r.passage(g.base).load)
		bars.label = g.label
		p.groups = append(p.groups, bars)
	}
	return p
}

func (r *result) refreshPlot() plot {
	p := plot{title: "Durable refreshes on SQLite", note: "refreshes per second, median; longer is better", against: "× the disk alone"}
	p.groups = []group{rates(r.refresh, findLoad(r.refresh, diskSync))}
	return p
}

func rates(loads []load, base load) (g group) {
	for _, l := range loads {
		b := bar{name: l.name, value: median(l.rate), label: thousands(int(median(l.rate))), kind: kind(l.name)}
		if l.name != base.name {
			b.ratio = times(l.against(base))
		}
		g.bars = append(g.bars, b)
	}
	return g
}

func (r *result) flaskPlot() plot {
	p := plot{title: "A tutorial's /protected", note: "processor time for one request, median; shorter is better", against: "× doorward serve"}
	var g group
	own := findLoad(r.flask, doorwardServe)
	for _, l := range r.flask {
		b := bar{name: l.name, value: median(l.cpu), label: duration(median(l.cpu)), kind: kind(l.name)}
		if l.name != own.name {
			b.ratio = times(l.cpuAgainst(own))
		}
		g.bars = append(g.bars, b)
	}
	p.groups = []group{g}
	return p
}

func kind(name string) string {
	switch {
	case strings.HasPrefix(name, ours), name == ownProgram, strings.Contains(name, doorwardServe):
		return "own"
	case name == raw, name == diskSync, isBare(name):
		return "floor"
	}
	return "peer"
}
