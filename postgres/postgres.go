// Package postgres keeps sessions, revocations, keys and people in a PostgreSQL
// database, 13 or newer, for any number of nodes.
//
// The clock of the store is that of the database: the nodes' own may differ. What a method
// has written when it returns survives what the database survives: synchronous_commit is
// never off. If the connection is lost while a transaction commits, the method returns an
// error although the transaction may have happened.
//
// Everything is in one schema of the database, "doorward", unless search_path in the URL
// names another.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Errors of [Open].
var (
	// ErrURL says that Config.URL is not understood, or asks for what is refused.
	ErrURL = errors.New("postgres: the URL of the database")
	// ErrServer says that Doorward cannot use the server: it is older than 13, it is not
	// PostgreSQL, or the encoding of the database is not UTF8.
	ErrServer = errors.New("postgres: this server cannot be used")
	// ErrNewer says that a newer version of doorward has changed the schema.
	ErrNewer = sqlstore.ErrNewer
)

// Timeouts. Together they bound how long a caller waits for a database that does not
// answer, and how long a node that hangs keeps others waiting for its locks.
const (
	connectTimeout     = 5 * time.Second  // to make a connection
	acquireTimeout     = 5 * time.Second  // for a free connection of the pool, or a new one
	lockTimeout        = 4 * time.Second  // lock_timeout: for a row that another transaction holds
	statementTimeout   = 5 * time.Second  // statement_timeout: for one statement
	transactionTimeout = 10 * time.Second // for a transaction as this process sees it
	idleTimeout        = 10 * time.Second // idle_in_transaction_session_timeout: for a process that hangs in one
)

// DefaultConnections is how many connections a [Store] holds at most, beside the one on
// which it listens.
const DefaultConnections = 16

// Config says where the database is. URL is required.
type Config struct {
	// URL is postgres://user@host:5432/name, with the parameters and the defaults of libpq:
	// sslmode, sslrootcert, target_session_attrs, several hosts, and so on. Where it leaves
	// sslmode out, a host that is not this machine is asked for TLS and its certificate checked
	// (verify-full). The modes allow and prefer are refused there: anyone on the way could
	// switch TLS off.
	URL string `json:"-"`
	// Connections is how many connections are open at most, beside the one that listens. On one of them
	// only revocations and keys are read, which so wait for nobody. 0 means [DefaultConnections]; the least is 2.
	Connections int
	// Logger gets warnings, of a connection without TLS or a server that may lose what it
	// acknowledged, and a record when the schema is brought up to date. Nil discards them.
	Logger *slog.Logger
}

// Validate returns what is wrong with the configuration, as far as that can be told without the server. It reads the
// files that the URL names. Its errors hold no password.
func (c Config) Validate() error {
	_, err := connection(c)
	return err
}

// String leaves the URL out, which may hold a password.
func (c Config) String() string { return fmt.Sprintf("postgres with %d connections", c.Connections) }

// GoString leaves the URL out.
func (c Config) GoString() string { return c.String() }

// Store is an issuer.Store in a PostgreSQL database. All methods may be called concurrently.
type Store struct {
	*sqlstore.Store
	engine *engine
	close  func() error
}

// Open connects to the database and brings its schema up to date; other nodes that open it
// wait meanwhile. It returns [ErrNewer] for a schema that a newer version has made unusable,
// [ErrURL] and [ErrServer]. It starts no goroutine but those of database/sql; the one that
// listens to other nodes begins with the first WaitChange. All end with Close.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	conn, err := connection(cfg)
	if err != nil {
		return nil, err
	}
	e, err := openEngine(ctx, cfg, conn)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	return &Store{Store: sqlstore.New(e), engine: e, close: sync.OnceValue(e.close)}, nil
}

// Close closes the connections. No method may be called after it.
func (s *Store) Close() error {
	return s.close()
}

// Pools returns the state of the connections, beside the one that listens.
func (s *Store) Pools() map[string]sql.DBStats {
	return map[string]sql.DBStats{"shared": s.engine.db.Stats(), "reserved": s.engine.reserved.Stats()}
}

func openEngine(ctx context.Context, cfg Config, conn *pgx.ConnConfig) (*engine, error) {
	if err := setUp(ctx, conn, cfg.Logger); err != nil {
		return nil, err
	}
	size := cfg.Connections
	if size == 0 {
		size = DefaultConnections
	}
	conn = conn.Copy()
	for name, limit := range map[string]time.Duration{
		"lock_timeout":                        lockTimeout,
		"statement_timeout":                   statementTimeout,
		"idle_in_transaction_session_timeout": idleTimeout,
	} {
		conn.RuntimeParams[name] = fmt.Sprint(limit.Milliseconds())
	}
	e := &engine{db: openPool(conn, size-1), reserved: openPool(conn, 1), size: size, listener: newListener(conn)}
	e.announcer = &announcer{send: e.notify}
	if err := e.Read(ctx, e.probe); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func openPool(conn *pgx.ConnConfig, size int) *sql.DB {
	never := func(context.Context, stdlib.ShouldPingParams) bool { return false } // begin notices dead connections
	db := stdlib.OpenDB(*conn, stdlib.OptionShouldPing(never))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour) // so that nodes come back to a host that was away
	return db
}
