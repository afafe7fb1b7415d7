package doorwardtest

import (
	"testing"

	"github.com/doorward/doorward/internal/storetest"
	"github.com/doorward/doorward/issuer"
)

// TestStore checks that a store does what [issuer.Store] promises, each sentence in
// a subtest of its own. open returns an empty store and closes it in t.Cleanup; it is
// called once for each subtest, which run in parallel. The clock of the store must be a
// real one. What needs a month to pass is not checked here.
func TestStore(t *testing.T, open func(t *testing.T) issuer.Store) {
	storetest.Run(t, open)
}
