package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// cursor is what a reader has seen of the log: every transaction before next but those in
// open, which had not ended. Numbers are given to transactions when they begin to write and not
// in the order in which they commit, so that "after the last number seen" would lose those
// that commit late.
//
// A cursor is good for one run of one server, in which history cannot change: a server that was
// restored, was promoted in the place of another, or got an older copy of its disk was started
// at another time. After a restart the reader gets everything once more.
type cursor struct {
	lineage string
	started int64   // when the server was started, in microseconds since 1970
	next    int64   // the least number that had not been given
	open    []int64 // numbers before next of transactions that had not ended
}

// Resume finds the place of a cursor. A cursor of another run of the server counts as the zero cursor.
func (e *engine) Resume(ctx context.Context, tx sqlstore.Tx, after issuer.Cursor) (sqlstore.Place, error) {
	end, err := here(ctx, tx)
	if err != nil {
		return sqlstore.Place{}, err
	}
	place := sqlstore.Place{Lineage: end.lineage, Next: end.text()}
	start, ok := parseCursor(after)
	if ok && start.lineage == end.lineage && start.started == end.started && start.next <= end.next {
		place.From, place.Also = start.next, start.open
	}
	return place, nil
}

// probe returns an error if the role is not allowed to run the query of here.
func (e *engine) probe(ctx context.Context, tx sqlstore.Tx) error {
	_, err := here(ctx, tx)
	return err
}

// here returns the cursor after all that the transaction sees. The lineage names the
// database, and the timeline of its server, which changes when a replica is promoted or
// a backup is restored to a point in time. A copy of the database has another lineage, too.
func here(ctx context.Context, tx sqlstore.Tx) (cursor, error) {
	var c cursor
	var lineage, system, database, timeline, snapshot string
	err := tx.QueryRowContext(ctx, `
		SELECT (SELECT value FROM meta WHERE name = 'lineage'),
			(SELECT system_identifier::text FROM pg_control_system()),
			(SELECT oid::text FROM pg_database WHERE datname = current_database()),
			left(pg_walfile_name(pg_current_wal_lsn()), 8),
			(EXTRACT(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
			pg_current_snapshot()::text`).Scan(&lineage, &system, &database, &timeline, &c.started, &snapshot)
	if err != nil {
		return c, err
	}
	digest := sha256.Sum256([]byte(strings.Join([]string{lineage, system, database, timeline}, " ")))
	c.lineage = fmt.Sprintf("%x", digest[:16])
	return c, c.see(snapshot)
}

// see sets next and open from a snapshot as the server writes it: "xmin:xmax:xip,…".
func (c *cursor) see(snapshot string) error {
	parts := strings.Split(snapshot, ":")
	if len(parts) != 3 {
		return fmt.Errorf("postgres: a snapshot reads %q", snapshot)
	}
	oldest, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return err
	}
	if c.next, err = strconv.ParseInt(parts[1], 10, 64); err != nil || parts[2] == "" {
		return err
	}
	// With very many of them the reader resumes at the oldest, and sees some entries again.
	const most = 64
	numbers := strings.Split(parts[2], ",")
	if len(numbers) > most {
		c.next = oldest
		return nil
	}
	c.open, err = parseNumbers(numbers)
	return err
}

func (c cursor) text() issuer.Cursor {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.%d.%d", c.lineage, c.started, c.next)
	for _, number := range c.open {
		fmt.Fprintf(&b, ".%d", number)
	}
	return issuer.Cursor(b.String())
}

func parseCursor(text issuer.Cursor) (cursor, bool) {
	parts := strings.Split(string(text), ".")
	if len(parts) < 3 {
		return cursor{}, false
	}
	numbers, err := parseNumbers(parts[1:])
	if err != nil {
		return cursor{}, false
	}
	c := cursor{lineage: parts[0], started: numbers[0], next: numbers[1], open: numbers[2:]}
	return c, c.text() == text && c.next > 0
}

func parseNumbers(texts []string) ([]int64, error) {
	numbers := make([]int64, len(texts))
	for i, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		numbers[i] = n
	}
	return numbers, nil
}
