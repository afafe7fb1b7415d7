package cause_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/cause"
)

func TestAttrs(t *testing.T) {
	t.Parallel()
	inner, outer := errors.New("account: wrong secret"), errors.New("account: not let in")
	known := cause.With(inner, "client_id", "dwc_1", "sub", "")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"plain", inner, "reason=account: wrong secret"},
		{"a package twice", fmt.Errorf("%w: %w", outer, inner), "reason=account: not let in: wrong secret"},
		{"a package twice inside", fmt.Errorf("read: %w: %w", outer, inner), "reason=read: account: not let in: wrong secret"},
		{"two packages", fmt.Errorf("doorward: claims: %w", inner), "reason=doorward: claims: account: wrong secret"},
		{"lines", errors.Join(outer, errors.New("b\nc")), "reason=account: not let in; b; c"},
		{"known", known, "reason=account: wrong secret client_id=dwc_1"},
		{"known inside", fmt.Errorf("%w: %w", outer, known), "reason=account: not let in: wrong secret client_id=dwc_1"},
		{"the inner one knows better", cause.With(fmt.Errorf("a: %w", known), "client_id", "other", "sid", "s"), "reason=a: account: wrong secret client_id=dwc_1 sid=s"},
		{"long", cause.With(errors.New(strings.Repeat("é", 300)), "sub", strings.Repeat("s", 201)), "reason=" + strings.Repeat("é", 256) + "… sub=" + strings.Repeat("s", 200) + "…"},
	}
	for _, test := range tests {
		var got []string
		for _, a := range cause.Attrs(test.err) {
			got = append(got, a.String())
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if !errors.Is(known, inner) || known.Error() != inner.Error() {
		t.Error("what is known changes the error")
	}
	if cause.With(nil, "sub", "s") != nil {
		t.Error("no error became one")
	}
}
