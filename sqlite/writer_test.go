package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/sqlite"
)

var errOwn = errors.New("an error of the function's own")

// put writes one row; count says how many a prefix has.
func put(name string) func(context.Context, sqlstore.Tx) error {
	return func(ctx context.Context, tx sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, '')`, name)
		return err
	}
}

func names(t *testing.T, s *sqlite.Store, like string) (list []string) {
	t.Helper()
	err := s.Read(t.Context(), func(ctx context.Context, tx sqlstore.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, `SELECT name FROM meta WHERE name LIKE $1 ORDER BY name`, like)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			list = append(list, name)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// batch makes the functions share one transaction: a first writer holds the lead
// until all of them are queued.
func batch(t *testing.T, s *sqlite.Store, writers []func()) {
	t.Helper()
	err := s.Write(t.Context(), func(context.Context, sqlstore.Tx) error {
		for _, w := range writers {
			go w()
			synctest.Wait()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

func TestWriteTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		cancelled, cancel := context.WithCancel(t.Context())
		inBatch, cancelInBatch := context.WithCancel(t.Context())
		defer cancelInBatch()
		var mu sync.Mutex
		outcome := map[string]string{}
		writer := func(name string, ctx context.Context, f func(context.Context, sqlstore.Tx) error) func() {
			return func() {
				got := told(func() error { return s.Write(ctx, f) })
				mu.Lock()
				defer mu.Unlock()
				outcome[name] = got
			}
		}
		fails := func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(put("b_fails")(ctx, tx), errOwn)
		}
		panics := func(ctx context.Context, tx sqlstore.Tx) error {
			_ = put("b_panics")(ctx, tx)
			panic("lost")
		}
		breaks := func(ctx context.Context, tx sqlstore.Tx) error {
			return errors.Join(put("b_breaks")(ctx, tx), put("b_breaks")(ctx, tx))
		}
		// The context of the function outlives that of its caller.
		cancels := func(ctx context.Context, tx sqlstore.Tx) error {
			cancelInBatch()
			return errors.Join(ctx.Err(), put("b_cancels")(ctx, tx))
		}
		batch(t, s, []func(){
			writer("good", t.Context(), put("b_good")),
			writer("fails", t.Context(), fails),
			writer("panics", t.Context(), panics),
			writer("breaks", t.Context(), breaks),
			writer("leaves", cancelled, put("b_leaves")),
			writer("cancels", inBatch, cancels),
			writer("last", t.Context(), put("b_last")),
			cancel,
		})
		want := map[string]string{
			"good": "<nil>", "cancels": "<nil>", "last": "<nil>",
			"fails": errOwn.Error(), "panics": "panic: lost", "leaves": context.Canceled.Error(),
			"breaks": "constraint failed: UNIQUE constraint failed: meta.name (1555)",
		}
		if fmt.Sprint(outcome) != fmt.Sprint(want) {
			t.Errorf("outcome %v\n   want %v", outcome, want)
		}
		if got := fmt.Sprint(names(t, s, "b_%")); got != "[b_cancels b_good b_last]" {
			t.Errorf("written: %s", got)
		}
		if err := s.Write(t.Context(), put("after")); err != nil {
			t.Error(err)
		}
	})
}

// told is what the caller of f learns.
func told(f func() error) (outcome string) {
	defer func() {
		if lost := recover(); lost != nil {
			outcome = fmt.Sprint("panic: ", lost)
		}
	}()
	return fmt.Sprint(f())
}

// A transaction that is gone takes the work of everyone in it along, and nobody hangs.
func TestWriteLosesTransaction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		own  error
	}{{"and tells", errOwn}, {"and hides it", nil}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				errs := make([]error, 3)
				ends := func(ctx context.Context, tx sqlstore.Tx) error {
					_, err := tx.ExecContext(ctx, `ROLLBACK`)
					return errors.Join(err, tt.own)
				}
				batch(t, s, []func(){
					func() { errs[0] = s.Write(t.Context(), put("b_1")) },
					func() { errs[1] = s.Write(t.Context(), ends) },
					func() { errs[2] = s.Write(t.Context(), put("b_2")) },
				})
				for i, err := range errs {
					if err == nil {
						t.Errorf("writer %d was told that its work is kept", i)
					}
				}
				if tt.own != nil && !errors.Is(errs[1], errOwn) {
					t.Errorf("the culprit reads %v", errs[1])
				}
				if got := names(t, s, "b_%"); len(got) > 0 {
					t.Errorf("written: %s", got)
				}
				if err := s.Write(t.Context(), put("after")); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestCloseWaitsForWriters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		var closing sync.WaitGroup
		var closed atomic.Bool
		err := s.Write(t.Context(), func(ctx context.Context, tx sqlstore.Tx) error {
			closing.Go(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				closed.Store(true)
			})
			synctest.Wait()
			if closed.Load() {
				t.Error("Close does not wait for the writer")
			}
			return put("b_1")(ctx, tx)
		})
		closing.Wait()
		if err != nil {
			t.Error(err)
		}
		if err := s.Write(t.Context(), put("b_2")); err == nil {
			t.Error("a closed store accepts a write")
		}
	})
}
