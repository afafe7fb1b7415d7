package gate

import (
	"context"
	"net/http"
	"time"

	"github.com/doorward/doorward"
)

// Chooser returns what tells the number of the rule that a request falls under, -1 if it is none or
// several, whatever Validate says of the rules together.
func Chooser(routes []Route, exact bool) (func(wire, method string) int, error) {
	t := &table{exact: exact}
	for _, route := range routes {
		r, err := newRule(route, exact)
		if err != nil {
			return nil, err
		}
		t.rules = append(t.rules, r)
		t.raw = t.raw || route.RawPath
	}
	return func(wire, method string) int {
		found, _, err := t.find(wire, method)
		for i := range t.rules {
			if err == nil && found.rule == &t.rules[i] {
				return i
			}
		}
		return -1
	}, nil
}

// Sweep is one look at the open streams, as at a time of the test's own.
func (s *Streams) Sweep(ctx context.Context, now time.Time) { s.sweep(ctx, now) }

// Add takes over a stream that end ends.
func (s *Streams) Add(c *doorward.Claims, end context.CancelCauseFunc) { s.add(c, end, false) }

// ErrExternalID is why a caller is refused whom the upstream's token cannot name.
var ErrExternalID = errExternalID

// GivesWay reports whether one of two slow clients gives way that were too many when they came, if meanwhile a connection carries many.
func GivesWay(many bool) bool {
	p := newPlaces()
	p.most, p.again = 1, true
	p.many.Store(many)
	for range 2 {
		t := &transit{cancel: func(error) {}}
		t.pace.behind.Store(int64(time.Hour))
		p.taken[t] = struct{}{}
	}
	p.relieve()
	return len(p.taken) < 2
}

// SetIdentity makes the headers of a request to the upstream from those of the client.
func (g *Guard) SetIdentity(h http.Header, c *doorward.Claims) error {
	fields, refused := g.fields(c)
	if refused != nil {
		return refused.Err
	}
	g.identify(h, fields)
	return nil
}
