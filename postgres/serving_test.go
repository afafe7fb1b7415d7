package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/postgres"
)

// Nodes that start at once all leave their settings; one of them stays.
func TestServingTogether(t *testing.T) {
	t.Parallel()
	url := template(t)
	nodes := [2]*postgres.Store{open(t, url), open(t, url)}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := nodes[i%2].SetServing(t.Context(), fmt.Sprintf("node: %d\n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if text, err := nodes[0].Serving(t.Context()); err != nil || !strings.HasPrefix(text, "node: ") {
		t.Errorf("Serving = %q, %v", text, err)
	}
}
