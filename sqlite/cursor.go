package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// cursor is the end of the log as a reader saw it. There is one writer at a time, so that
// nothing can appear before it later. A file that was replaced by an older copy has the
// same lineage but another history. It is told by the last entry before the cursor, which
// is missing there or was recorded at another time.
type cursor struct {
	lineage  string
	position int64 // of the next entry
	last     int64 // when the entry before position was recorded; 0 if it was deleted
}

// Resume finds the place of a cursor. A cursor of another history counts as the zero cursor.
func (e *engine) Resume(ctx context.Context, tx sqlstore.Tx, after issuer.Cursor) (sqlstore.Place, error) {
	end := cursor{position: 1}
	err := tx.QueryRowContext(ctx, `
		SELECT value, 1 + COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0)
		FROM meta WHERE name = 'lineage'`).Scan(&end.lineage, &end.position)
	if err != nil {
		return sqlstore.Place{}, err
	}
	if end.last, err = recordedBefore(ctx, tx, end.position); err != nil {
		return sqlstore.Place{}, err
	}
	place := sqlstore.Place{Lineage: end.lineage, Next: end.text()}
	if after == "" {
		return place, nil
	}
	start, ok := parseCursor(after)
	if !ok || start.lineage != end.lineage || start.position > end.position {
		return place, nil
	}
	last, err := recordedBefore(ctx, tx, start.position)
	if err == nil && last == start.last {
		place.From = start.position
	}
	return place, err
}

func (c cursor) text() issuer.Cursor {
	return issuer.Cursor(fmt.Sprintf("%s.%d.%d", c.lineage, c.position, c.last))
}

func parseCursor(text issuer.Cursor) (c cursor, ok bool) {
	const lineageLen = 32
	if len(text) <= lineageLen {
		return c, false
	}
	c.lineage = string(text[:lineageLen])
	n, err := fmt.Sscanf(string(text[lineageLen:]), ".%d.%d", &c.position, &c.last)
	return c, err == nil && n == 2 && c.text() == text && c.position > 0
}

// recordedBefore returns when the entry before a position was recorded, or 0 if there is none.
func recordedBefore(ctx context.Context, tx sqlstore.Tx, position int64) (at int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT recorded_at FROM revocations WHERE position = $1`, position-1).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return at, err
}
