package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// users is the API's own table of people. Doorward never writes to it: it asks
// Subject, and nothing else. The driver "sqlite" comes with package sqlite.
type users struct {
	db     *sql.DB
	hasher *password.Hasher
}

// scopes says what each role may do.
var scopes = map[string]doorward.Scope{
	"clerk": {"orders:read"},
	"guest": {},
}

const schema = `CREATE TABLE IF NOT EXISTS users (
	id            TEXT PRIMARY KEY,
	name          TEXT NOT NULL UNIQUE,
	password_hash TEXT NOT NULL,
	role          TEXT NOT NULL,
	active        BOOLEAN NOT NULL DEFAULT TRUE
)`

// openUsers opens the table. A new one gets a first user, whose password is printed once.
func openUsers(ctx context.Context, folder string, out io.Writer) (*users, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "users.db"))
	if err != nil {
		return nil, err
	}
	u := &users{db: db, hasher: password.New(password.Config{})}
	if err := u.prepare(ctx, out); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return u, nil
}

func (u *users) prepare(ctx context.Context, out io.Writer) error {
	if _, err := u.db.ExecContext(ctx, schema); err != nil {
		return err
	}
	var count int
	if err := u.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&count); err != nil || count > 0 {
		return err
	}
	text := password.Generate()
	if err := u.add(ctx, "alice", text, "clerk"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "user alice, password %s\n", text)
	return err
}

func (u *users) add(ctx context.Context, name, text, role string) error {
	hash, err := u.hasher.Hash(ctx, text)
	if err != nil {
		return err
	}
	// The id is random: a name may change, and must not pass to someone else together with its tokens.
	_, err = u.db.ExecContext(ctx, `INSERT INTO users (id, name, password_hash, role) VALUES ($1, $2, $3, $4)`,
		rand.Text(), name, hash, role)
	return err
}

// Subject is what the issuer asks at each login and refresh: a role that changed takes
// effect there, and who is gone or not active is refused.
func (u *users) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	var name, role string
	var active bool
	err := u.db.QueryRowContext(ctx, `SELECT name, role, active FROM users WHERE id = $1`, id).Scan(&name, &role, &active)
	if errors.Is(err, sql.ErrNoRows) {
		return issuer.Subject{}, issuer.ErrNotFound
	}
	if err != nil {
		return issuer.Subject{}, err
	}
	return issuer.Subject{Active: active, Name: name, Roles: []string{role}, Scope: scopes[role]}, nil
}

// authenticate checks a password. The login begins before the hash is read, so that
// it comes to nothing if the password is changed meanwhile. An unknown name costs
// as much time as a wrong password.
func (u *users) authenticate(ctx context.Context, iss *issuer.Issuer, name, text string) (issuer.Attempt, error) {
	var id, hash string
	err := u.db.QueryRowContext(ctx, `SELECT id FROM users WHERE name = $1`, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return issuer.Attempt{}, u.hasher.VerifyNothing(ctx, text)
	}
	if err != nil {
		return issuer.Attempt{}, err
	}
	attempt, err := iss.Begin(ctx, id)
	if err != nil {
		return issuer.Attempt{}, err
	}
	if err := u.db.QueryRowContext(ctx, `SELECT password_hash FROM users WHERE id = $1`, id).Scan(&hash); err != nil {
		return issuer.Attempt{}, err
	}
	_, err = u.hasher.Verify(ctx, hash, text)
	return attempt, err
}
