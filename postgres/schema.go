package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Keys of advisory locks: "door" in ASCII, and which.
const (
	lockWrites = `1685024626, 1` // shared by every transaction that writes; WriteAlone holds it alone
	lockSchema = `1685024626, 2` // held while the schema is brought up to date
	lockAudit  = `1685024626, 3` // held by the node that seals the audit record or deletes from it
)

// setUp brings the schema up to date. It has connections of its own, without the timeouts
// of the others or of the server, since an index of a large table takes its time.
func setUp(ctx context.Context, conn *pgx.ConnConfig, log *slog.Logger) (err error) {
	conn = conn.Copy()
	for _, name := range []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"} {
		conn.RuntimeParams[name] = "0"
	}
	db := openPool(conn, 2)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkServer(ctx, db, log); err != nil {
		return err
	}
	if err := checkTransport(ctx, db, conn, log); err != nil {
		return err
	}
	// Other nodes wait here. The lock goes with its connection, however this process ends.
	lock, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if _, err := lock.ExecContext(ctx, `SELECT pg_advisory_lock(`+lockSchema+`)`); err != nil {
		return fmt.Errorf("wait for other nodes: %w", err)
	}
	if err := makeSchema(ctx, lock, conn.RuntimeParams["search_path"]); err != nil {
		return err
	}
	if err := sqlstore.Migrate(ctx, db, sqlstore.Postgres, log); err != nil {
		return err
	}
	// In a dump of another server are positions that this one has yet to reach: readers would get them with every read.
	_, err = lock.ExecContext(ctx, `UPDATE revocations SET position = DEFAULT WHERE position >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint`)
	return err
}

// checkServer returns ErrServer for a server that the store cannot use.
func checkServer(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	var version, encoding, fsync string
	var number int
	err := db.QueryRowContext(ctx, `
		SELECT version(), current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('fsync')`).
		Scan(&version, &number, &encoding, &fsync)
	name, _, _ := strings.Cut(version, " ")
	switch {
	case err != nil:
		return err
	case name != "PostgreSQL" || strings.Contains(version, "-YB-"):
		return fmt.Errorf("%w: it is %.80q, and only PostgreSQL itself is known to keep what is promised", ErrServer, version)
	case number < 130000:
		return fmt.Errorf("%w: it is PostgreSQL %d, and 13 is the oldest that will do", ErrServer, number/10000)
	case encoding != "UTF8":
		return fmt.Errorf("%w: the encoding of the database is %s, not UTF8", ErrServer, encoding)
	case fsync == "off":
		log.Warn("this PostgreSQL runs with fsync=off: a loss of power loses what was acknowledged, and may damage the database")
	}
	return nil
}

// checkTransport warns of a connection that others on the network could read or change.
func checkTransport(ctx context.Context, db *sql.DB, conn *pgx.ConnConfig, log *slog.Logger) error {
	if !hasRemote(conn) {
		return nil
	}
	var encrypted bool
	err := db.QueryRowContext(ctx, `SELECT COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).Scan(&encrypted)
	if err != nil {
		return err
	}
	switch {
	case !encrypted:
		log.Warn("the connection to the database has no TLS; sslmode=verify-full has", "host", conn.Host)
	case conn.TLSConfig != nil && conn.TLSConfig.InsecureSkipVerify && conn.TLSConfig.VerifyPeerCertificate == nil && conn.TLSConfig.VerifyConnection == nil:
		log.Warn("the certificate of the database is not checked; sslmode=verify-full checks it", "host", conn.Host)
	}
	return nil
}

// makeSchema makes the schema, if it is missing, and returns ErrServer if tables would be in another one.
func makeSchema(ctx context.Context, conn *sql.Conn, name string) error {
	var there bool
	if err := conn.QueryRowContext(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, name).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.ExecContext(ctx, `CREATE SCHEMA `+name); err != nil {
			return fmt.Errorf("make the schema %s: %w", name, err)
		}
	}
	var used string
	if err := conn.QueryRowContext(ctx, `SELECT COALESCE(current_schema(), '')`).Scan(&used); err != nil {
		return err
	}
	if used != name {
		return fmt.Errorf("%w: it does not use the schema %s but %q: the user may not, or a pooler on the way ignores search_path", ErrServer, name, used)
	}
	return nil
}
