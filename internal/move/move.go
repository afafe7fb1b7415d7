// Package move copies everything that one database holds to another, of either kind, and compares them.
package move

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Errors of [Move] and [CheckMoved].
var (
	// ErrMoving says that a move from or to this store has begun and is not complete.
	ErrMoving = errors.New("a move of this store is not complete")
	// ErrMoved says that the content of this store was moved to another.
	ErrMoved = errors.New("this store was moved to another database")
	// ErrDiffers says that the copy is not what was copied.
	ErrDiffers = errors.New("the copy differs from the original")
)

// Rows of meta that mark a move. Their value in both stores is the name of the move: the lineage of the store that is
// moved, and a random word, so that no other move is taken for it.
const (
	metaLeaving  = "moving"      // the store is being moved
	metaLeft     = "moved"       // it was
	metaArriving = "moving_from" // the store is being filled
	metaArrived  = "moved_from"  // it was
)

// CheckMoved returns ErrMoving or ErrMoved for a store that must not be used.
func CheckMoved(ctx context.Context, s *sqlstore.Store) error {
	var mark string
	err := sqlstore.Read(ctx, s, "read meta", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		return tx.QueryRowContext(ctx, `SELECT COALESCE(MIN(name), '') FROM meta WHERE name IN ($1, $2, $3)`,
			metaArriving, metaLeaving, metaLeft).Scan(&mark)
	})
	switch {
	case err != nil || mark == "":
		return err
	case mark == metaLeft:
		return ErrMoved
	}
	return ErrMoving
}

// Stay removes the marks of a move from the store that is or was moved away from, so that it can be used
// again. It reports whether there were any.
func Stay(ctx context.Context, s *sqlstore.Store) (marked bool, err error) {
	err = sqlstore.Write(ctx, s, "unmark", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM meta WHERE name IN ($1, $2)`, metaLeaving, metaLeft)
		if err != nil {
			return err
		}
		n, err := gone.RowsAffected()
		marked = n > 0
		return err
	})
	return marked, err
}

// Move copies everything in from to an empty store, compares both, and marks from as moved.
// Nobody else may use either meanwhile; the marks keep a server from it. A Move that was
// interrupted leaves them, and the next one goes on where it ended. Move calls progress after
// each batch with the number of steps done and of all steps.
func Move(ctx context.Context, from, to *sqlstore.Store, progress func(done, all int64)) error {
	m := &move{from: from, to: to, progress: progress}
	complete, err := m.arrived(ctx)
	if err != nil {
		return err
	}
	if !complete {
		if err := m.run(ctx); err != nil {
			return err
		}
	}
	return sqlstore.SetMeta(ctx, from, metaLeaving, metaLeft, m.name)
}

// move is one run of Move.
type move struct {
	name      string
	from, to  *sqlstore.Store
	progress  func(done, all int64)
	done, all int64
}

// arrived reports whether an earlier Move has copied and compared everything, and sets m.name to the name of that
// move. It returns ErrMoved if from was moved elsewhere, and sqlstore.ErrOccupied if another move has filled to.
func (m *move) arrived(ctx context.Context) (bool, error) {
	left, gone, err := sqlstore.Meta(ctx, m.from, metaLeft)
	if err != nil {
		return false, err
	}
	if !gone {
		if left, _, err = sqlstore.Meta(ctx, m.from, metaLeaving); err != nil {
			return false, err
		}
	}
	arrived, there, err := sqlstore.Meta(ctx, m.to, metaArrived)
	switch m.name = left; {
	case err != nil:
		return false, err
	case there && arrived == left:
		return true, nil
	case gone:
		return false, ErrMoved
	case there: // by a move that was taken back: what has happened since is not in it
		return false, fmt.Errorf("%w: it holds what another move has copied", sqlstore.ErrOccupied)
	}
	return false, nil
}

func (m *move) run(ctx context.Context) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	for _, t := range moved {
		n, err := countRows(ctx, m.from, t)
		if err != nil {
			return err
		}
		m.all += 3 * n // copied, and read on both sides
	}
	for _, t := range moved {
		if err := m.copy(ctx, t); err != nil {
			return err
		}
	}
	for _, t := range moved {
		if err := m.compare(ctx, t); err != nil {
			return err
		}
	}
	return m.finish(ctx)
}

// begin marks the store to fill, which must be empty, and then the other. If it refuses the first it leaves no
// mark, and nothing is copied before both are marked.
func (m *move) begin(ctx context.Context) error {
	lineage, _, err := sqlstore.Meta(ctx, m.from, "lineage")
	if err != nil {
		return err
	}
	arriving, there, err := sqlstore.Meta(ctx, m.to, metaArriving)
	switch {
	case err != nil:
		return err
	case !there:
		m.name = lineage + " " + rand.Text()
		err = m.occupy(ctx)
	case m.name == "" && strings.HasPrefix(arriving, lineage+" "): // it ended between the two marks, or was taken back
		m.name = arriving
	case m.name != arriving:
		err = fmt.Errorf("%w: another move into it is not complete", sqlstore.ErrOccupied)
	}
	if err != nil {
		return err
	}
	return sqlstore.SetMeta(ctx, m.from, metaLeaving, metaLeaving, m.name)
}

// occupy marks the store to fill, which must be empty.
func (m *move) occupy(ctx context.Context) error {
	return sqlstore.WriteAlone(ctx, m.to, "begin the move", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		for _, t := range moved {
			var n int64
			if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&n); err != nil {
				return err
			}
			if n > 0 && t.name != "ring" {
				return fmt.Errorf("%w: there are %s", sqlstore.ErrOccupied, t.name)
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM ring`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)`, metaArriving, m.name)
		return err
	})
}

// copy copies the rows that come after the last one in the store to fill.
func (m *move) copy(ctx context.Context, t table) error {
	last, err := lastKey(ctx, m.to, t)
	if err != nil {
		return err
	}
	there, err := countRows(ctx, m.to, t)
	if err != nil {
		return err
	}
	m.step(int(there))
	for {
		list, err := rowsAfter(ctx, m.from, t, last)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := insertRows(ctx, m.to, t, list); err != nil {
			return err
		}
		m.step(len(list))
		last = list[len(list)-1][:len(t.key)]
	}
}

func (m *move) compare(ctx context.Context, t table) error {
	n, sum, err := digest(ctx, m.from, t, m.step)
	if err != nil {
		return err
	}
	copies, copied, err := digest(ctx, m.to, t, m.step)
	if err != nil {
		return err
	}
	if n != copies || sum != copied {
		return fmt.Errorf("%w: %s has %d rows, the copy %d, with digests %x and %x", ErrDiffers, t.name, n, copies, sum[:4], copied[:4])
	}
	return nil
}

func (m *move) finish(ctx context.Context) error {
	err := sqlstore.Moved(ctx, m.to)
	if err != nil {
		return err
	}
	return sqlstore.SetMeta(ctx, m.to, metaArriving, metaArrived, m.name)
}

func (m *move) step(rows int) {
	m.done += int64(rows)
	m.progress(min(m.done, m.all), m.all)
}
