package server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/reference/referencetest"
	"github.com/doorward/doorward/internal/server"
)

// openapi.yaml has every route and nothing else. The harness holds each answer that a test sees against it.
func TestContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct, s.server.Registration = true, true })
	w.do("GET", "/livez", nil)
	promised, err := referencetest.Operations()
	must(t, err)
	served := server.Routes(w.server)
	for i, rt := range served {
		served[i] = strings.Replace(rt, "{$}", "", 1)
	}
	slices.Sort(served)
	for _, op := range served {
		if !slices.Contains(promised, op) {
			t.Errorf("openapi.yaml has no %s", op)
		}
	}
	for _, op := range promised {
		if !slices.Contains(served, op) {
			t.Errorf("the server has no %s", op)
		}
	}
}
