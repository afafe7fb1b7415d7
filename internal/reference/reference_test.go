package reference_test

import (
	"testing"

	"github.com/doorward/doorward/internal/reference/referencetest"
)

func TestFile(t *testing.T) {
	t.Parallel()
	list, err := referencetest.Operations()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 40 {
		t.Errorf("only %d operations: %q", len(list), list)
	}
}
