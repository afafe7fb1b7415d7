package postgres

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// defaultSchema is the schema of the database in which the tables are.
const defaultSchema = "doorward"

// connection returns how to connect. Its errors hold no part of the URL.
func connection(cfg Config) (*pgx.ConnConfig, error) {
	if cfg.Connections == 1 || cfg.Connections < 0 {
		return nil, fmt.Errorf("postgres: Config.Connections is %d, the least is 2", cfg.Connections)
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" {
		return nil, fmt.Errorf("%w: want postgres://user@host:5432/name", ErrURL)
	}
	query, err := url.ParseQuery(strings.ReplaceAll(u.RawQuery, "+", "%2B")) // In these URLs a plus sign is one (PostgreSQL documentation, 34.1.1.2).
	if err != nil {
		return nil, fmt.Errorf("%w: the parameters after ? are not understood", ErrURL)
	}
	password, inURL := u.User.Password()
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if query.Has("password") {
		password, inURL = query.Get("password"), true
		query.Del("password")
	}
	conn, err := parse(u, query)
	mode := query.Get("sslmode")
	if err == nil && mode == "" && hasRemote(conn) { // whatever PGSSLMODE says
		query.Set("sslmode", "verify-full")
		conn, err = parse(u, query)
	}
	if err != nil {
		return nil, err
	}
	if inURL {
		conn.Password = password
	}
	return conn, complete(conn, mode)
}

// parse parses a URL without a password, so that no error can hold one.
func parse(u *url.URL, query url.Values) (*pgx.ConnConfig, error) {
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	conn, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	return conn, nil
}

// hasRemote reports whether a host is not this machine.
func hasRemote(conn *pgx.ConnConfig) bool {
	return !local(conn.Host) || slices.ContainsFunc(conn.Fallbacks, func(f *pgconn.FallbackConfig) bool { return !local(f.Host) })
}

// local reports whether a host is this machine: loopback or the folder of a unix socket.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") ||
		err == nil && addr.IsLoopback()
}

// complete checks conn and adds the settings of this package. mode is the sslmode in the URL.
func complete(conn *pgx.ConnConfig, mode string) error {
	if hasRemote(conn) && (mode == "allow" || mode == "prefer") {
		return fmt.Errorf("%w: sslmode=%s lets anyone on the way switch TLS off; use verify-full, or disable where the network is trusted", ErrURL, mode)
	}
	if conn.ConnectTimeout == 0 || conn.ConnectTimeout > connectTimeout {
		conn.ConnectTimeout = connectTimeout
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	conn.DialFunc = dialer.DialContext
	// A replica can neither be written nor trusted to know the newest revocation.
	if conn.ValidateConnect == nil {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	conn.AfterConnect = neverAsynchronous
	schema, named := conn.RuntimeParams["search_path"]
	if !named {
		schema = defaultSchema
	}
	if !plainName(schema) {
		return fmt.Errorf("%w: search_path must name one schema, in lower-case letters, digits and _", ErrURL)
	}
	conn.RuntimeParams["search_path"] = schema
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "doorward"
	}
	return nil
}

// neverAsynchronous makes commits of this connection durable before they are acknowledged,
// even if the server is set up otherwise.
func neverAsynchronous(ctx context.Context, conn *pgconn.PgConn) error {
	return conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`).Close()
}

func plainName(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && len(name) < 64
}
