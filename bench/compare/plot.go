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
	groups      []group
}

type group struct {
	label string
	bars  []bar
}

type bar struct {
	name, label string
	value       float64
	kind        string // "own", "peer" or "floor": a class of the style sheet
}

const (
	plotWidth = 760
	barLeft   = 250
	barRoom   = 330 // for the longest bar; its label follows
	barHeight = 18
	barStep   = 24
)

// style works on a light and on a dark page, and with no fonts but the reader's own.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}
.title{font-size:16px;font-weight:600}.label{font-weight:600}.note{fill:#59636e}.name{text-anchor:end}
.own{fill:#0969da}.peer{fill:#8c959f}.floor{fill:#bf8700}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.own{fill:#4493f8}.peer{fill:#6e7681}.floor{fill:#d29922}}
</style>`

// svg draws the chart. The bars of each group have a scale of their own.
func (p plot) svg() []byte {
	height := 62
	for _, g := range p.groups {
		height += barStep*len(g.bars) + 14
		if g.label != "" {
			height += barStep
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n%s\n",
		plotWidth, height, plotWidth, height, html.EscapeString(p.title), style)
	fmt.Fprintf(&b, `<text class="title" x="8" y="22">%s</text><text class="note" x="8" y="44">%s</text>`+"\n",
		html.EscapeString(p.title), html.EscapeString(p.note))
	y := 62
	for _, g := range p.groups {
		y = g.draw(&b, y) + 14
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws the group from y on and returns where it ends.
func (g group) draw(b *bytes.Buffer, y int) int {
	var longest float64
	for _, bar := range g.bars {
		longest = max(longest, bar.value)
	}
	if g.label != "" {
		fmt.Fprintf(b, `<text class="label" x="8" y="%d">%s</text>`+"\n", y+14, html.EscapeString(g.label))
		y += barStep
	}
	for _, bar := range g.bars {
		width := max(1, bar.value/longest*barRoom)
		fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
			barLeft-8, y+14, html.EscapeString(bar.name), bar.kind, barLeft, y, width, barHeight)
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", barLeft+width+8, y+14, html.EscapeString(bar.label))
		y += barStep
	}
	return y
}

func (r *result) plots() map[string]plot {
	timeNote := "median processor time of one token, and how many times Doorward's; shorter is better"
	verify := plot{title: "Verify a token", note: timeNote}
	sign := plot{title: "Sign a token", note: timeNote}
	for _, alg := range algorithms {
		verify.groups = append(verify.groups, timeGroup(string(alg), r.verify[alg]))
		sign.groups = append(sign.groups, timeGroup(string(alg), r.sign[alg]))
	}
	all := map[string]plot{"verify.svg": verify, "sign.svg": sign, "middleware.svg": r.middlewarePlot(), "http.svg": r.httpPlot()}
	all["refresh-rate.svg"] = r.refreshPlot()
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
		text := duration(f.median())
		if f.name != ours {
			text += "  " + ratio(f.over(figures[0])) + " ×"
		}
		g.bars = append(g.bars, bar{f.name, text, f.median(), kind(f.name)})
	}
	return g
}

func (r *result) middlewarePlot() plot {
	p := plot{title: "Middleware, in process", note: "what it adds to the bare handler, and how many times Doorward HS256; shorter is better"}
	var g group
	own := r.overBare(doorwardHS256)
	for _, f := range r.inProcess {
		if over := r.overBare(f.name); !isBare(f.name) {
			g.bars = append(g.bars, bar{f.name, duration(over) + "  " + ratio(over/own) + " ×", over, kind(f.name)})
		}
	}
	p.groups = []group{g}
	return p
}

func (r *result) httpPlot() plot {
	p := plot{title: "HTTP over loopback", note: "requests per second, and the share of bare net/http's; longer is better"}
	var g group
	for _, l := range r.loopback {
		label := fmt.Sprintf("%.0f  %.2f", median(l.rate), l.against(r.loopback[0]))
		g.bars = append(g.bars, bar{l.name, label, median(l.rate), kind(l.name)})
	}
	p.groups = []group{g}
	return p
}

func (r *result) flaskPlot() plot {
	p := plot{title: "A tutorial's /protected", note: "median processor time of one request, and how many times doorward serve's; shorter is better"}
	var g group
	own := findLoad(r.flask, doorwardServe)
	for _, l := range r.flask {
		label := duration(median(l.cpu))
		if l.name != own.name {
			label += "  " + ratio(l.cpuAgainst(own)) + " ×"
		}
		k := "own"
		if strings.HasPrefix(l.name, "Flask") {
			k = "peer"
		}
		g.bars = append(g.bars, bar{l.name, label, median(l.cpu), k})
	}
	p.groups = []group{g}
	return p
}

func (r *result) refreshPlot() plot {
	p := plot{title: "Durable refreshes on SQLite", note: "refreshes per second, and how many times what the disk alone can sync; longer is better"}
	disk := findLoad(r.refresh, diskSync)
	var g group
	for _, l := range r.refresh {
		k := "peer"
		switch {
		case l.name == diskSync:
			k = "floor"
		case strings.HasPrefix(l.name, ruleOwn):
			k = "own"
		}
		g.bars = append(g.bars, bar{l.name, fmt.Sprintf("%.0f  %.2f ×", median(l.rate), l.against(disk)), median(l.rate), k})
	}
	p.groups = []group{g}
	return p
}

func kind(name string) string {
	switch {
	case len(name) >= len(ours) && name[:len(ours)] == ours:
		return "own"
	case name == raw || isBare(name):
		return "floor"
	}
	return "peer"
}
