package postgres

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
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
	query, err := url.ParseQuery(u.RawQuery)
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
	mode := query.Get("sslmode")
	if mode == "" && hasRemote(u, query) {
		query.Set("sslmode", "verify-full")
	}
	u.RawQuery = query.Encode()
	// What is parsed here holds no password, so that no error can.
	conn, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if inURL {
		conn.Password = password
	}
	return conn, complete(conn, mode)
}

// hasRemote reports whether a host of the URL is not this machine.
func hasRemote(u *url.URL, query url.Values) bool {
	hosts := strings.Split(u.Host, ",")
	if query.Has("host") {
		hosts = strings.Split(query.Get("host"), ",")
	}
	for _, host := range hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !local(strings.Trim(host, "[]")) {
			return true
		}
	}
	return false
}

// local reports whether a host is this machine: loopback or the folder of a unix socket.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") ||
		err == nil && addr.IsLoopback()
}

// complete sets what every connection has.
func complete(conn *pgx.ConnConfig, mode string) error {
	if remote := !local(conn.Host); remote && (mode == "allow" || mode == "prefer") {
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

// neverAsynchronous keeps a server that acknowledges commits before they are durable from
// doing so here.
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
