package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// What ends because its caller has gone is no failure of the database, whatever the driver says of it.
func TestReadGivenUp(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx, giveUp := context.WithCancel(t.Context())
	err := sqlstore.Read(ctx, f.Whole.Store, "look", func(_ context.Context, tx sqlstore.Tx, _ time.Time) error {
		giveUp()
		for { // until the transaction has been rolled back
			if _, err := tx.ExecContext(t.Context(), `SELECT 1`); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, issuer.ErrUnavailable) {
		t.Errorf("%v, want context.Canceled alone", err)
	}
}
