package postgres

import (
	"context"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Moved sets the sequence that numbers the audit record behind the rows that were moved in.
func (e *engine) Moved(ctx context.Context, tx sqlstore.Tx) error {
	_, err := tx.ExecContext(ctx, `
		SELECT setval(pg_get_serial_sequence('audit', 'seq'), (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit), false)`)
	return err
}
