package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/sqlstore"
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
			if err := sqlstore.SetServing(t.Context(), nodes[i%2].Store, fmt.Sprintf("node: %d\n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if text, err := sqlstore.Serving(t.Context(), nodes[0].Store); err != nil || !strings.HasPrefix(text, "node: ") {
		t.Errorf("Serving = %q, %v", text, err)
	}
}
