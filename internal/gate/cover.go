package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkPath refuses a path that is missing or written in another program's way, which would never fit.
func checkPath(path string) error {
	if path == "" {
		return errors.New("path is missing; /** is everything")
	}
	if strings.ContainsAny(path, "<>{}") || strings.Contains(path, "/:") {
		return errors.New("<name>, {name} and :name mean nothing here; /orders/** is /orders and all below it (a sign that is meant is escaped: %7B, %3A)")
	}
	return nil
}

// checkReach returns an error if the rules before one leave no request to it.
func checkReach(before []rule, r *rule) error {
	left := slices.Clone(r.methods)
	var covering []string
	for i := range before {
		b := &before[i]
		if !b.covers(r) {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(left), func(m string) bool { return slices.Contains(b.methods, m) })
		if len(rest) < len(left) {
			covering = append(covering, fmt.Sprintf("rule %d (%s)", i+1, b.Path))
		}
		left = rest
	}
	if len(left) > 0 {
		return nil
	}
	return fmt.Errorf("is never reached: whatever it fits falls under %s before", strings.Join(covering, " or "))
}

// covers reports whether every path that fits other fits r too, whoever reads it.
func (r *rule) covers(other *rule) bool {
	return (r.below || !other.below) &&
		r.fits(other.keys[plainReader], plainReader) && r.fits(other.keys[lenientReader], lenientReader)
}
