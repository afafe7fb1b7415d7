// Package diagnosis says in one line why a database cannot be reached, and what to do about it.
package diagnosis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"
)

// states are the hints for what a server answers, by its SQLSTATE.
var states = map[string]string{
	"28P01": "check the user and the password in the URL; the file that PGPASSFILE names may hold the password",
	"28000": "CREATE ROLE makes the user, if there is none; pg_hba.conf of the server says who may connect, from where, and whether with TLS",
	"3D000": "CREATE DATABASE makes it, or name another one in the URL",
	"42501": "the user must own the database: ALTER DATABASE name OWNER TO user",
}

// OfConnection returns the last cause of an error of postgres.Open, and a hint, "" where there is none. The
// driver tries addresses, with TLS and without, one after the other: the last is what the others lead to.
func OfConnection(err error) (text, hint string) {
	connect, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		hint := ""
		if answer, answered := errors.AsType[*pgconn.PgError](err); answered {
			hint = states[answer.Code]
		}
		return line(strings.TrimPrefix(err.Error(), "postgres: ")), hint
	}
	cause := last(connect.Unwrap())
	answer, answered := errors.AsType[*pgconn.PgError](cause)
	lookup, unknown := errors.AsType[*net.DNSError](cause)
	untrusted, isTLS := errors.AsType[*tls.CertificateVerificationError](cause)
	dial, unreached := errors.AsType[*net.OpError](cause)
	switch {
	case answered:
		return line(answer.Error()), states[answer.Code]
	case unknown:
		return line(lookup.Error()), "check the name of the host in the URL"
	case isTLS:
		return line(untrusted.Error()), "sslrootcert=FILE in the URL names the authority that signed the server's certificate, which must hold the name of the host"
	case strings.Contains(cause.Error(), "server refused TLS connection"):
		return "the server refuses TLS", "turn TLS on there; sslmode=disable in the URL does without where the network is trusted"
	case strings.Contains(cause.Error(), "read only connection"):
		return "the server is read-only", "a replica, or default_transaction_read_only is on there; the URL may name several hosts, with commas, and the one that can be written is found"
	case pgconn.Timeout(cause) && !errors.Is(cause, context.Canceled):
		return "the server does not answer in time", "check host and port in the URL, and what firewalls on the way let through"
	case unreached:
		return line(dial.Error()), "check host and port in the URL, and whether PostgreSQL runs and listens there"
	}
	return line(cause.Error()), ""
}

// OfURL returns the hint for a URL that is refused.
func OfURL(text string) string {
	if _, err := url.Parse(text); err != nil {
		return "a special character in a password is percent-encoded, as in p%40ss, or the file that PGPASSFILE names holds the password"
	}
	return "postgres://user@host:5432/name?sslmode=verify-full; docs/operate.md has the parameters"
}

// last follows the last of errors that are joined.
func last(err error) error {
	var joined interface{ Unwrap() []error }
	for errors.As(err, &joined) {
		all := joined.Unwrap()
		err = all[len(all)-1]
	}
	return err
}

// line puts text on one line, without what a terminal would obey: a server may have written it.
func line(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
}
