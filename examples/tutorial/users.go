package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// users is the tutorial's own table of people. The driver "sqlite" comes with package sqlite.
type users struct{ db *sql.DB }

// user is one row without its hash.
type user struct{ id, name, role string }

const schema = `CREATE TABLE IF NOT EXISTS users (
	id            TEXT PRIMARY KEY,
	name          TEXT NOT NULL UNIQUE,
	password_hash TEXT NOT NULL,
	role          TEXT NOT NULL
)`

func openUsers(ctx context.Context, path string) (*users, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &users{db}, nil
}

// seed adds the people that a new table starts with. Their passwords are in the
// tutorials for everyone to read: this is for trying, not for the open network.
func (u *users) seed(ctx context.Context, hasher *password.Hasher, people []person) error {
	var count int
	err := u.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&count)
	if err != nil || count > 0 {
		return err
	}
	for _, p := range people {
		hash, err := hasher.Hash(ctx, p.password)
		if err != nil {
			return err
		}
		// The id is random: a name may change hands, its tokens must not.
		_, err = u.db.ExecContext(ctx, `INSERT INTO users (id, name, password_hash, role) VALUES ($1, $2, $3, $4)`,
			rand.Text(), p.name, hash, p.role)
		if err != nil {
			return err
		}
	}
	return nil
}

// Subject is what the issuer asks at each login and refresh: who is gone gets no more tokens,
// and a role that changed is in the next one.
func (u *users) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	found, err := u.byID(ctx, id)
	if err != nil {
		return issuer.Subject{}, err
	}
	return issuer.Subject{Active: true, Name: found.name, Roles: []string{found.role}}, nil
}

// byID returns issuer.ErrNotFound if there is no such user.
func (u *users) byID(ctx context.Context, id string) (user, error) {
	return u.one(ctx, `SELECT id, name, role FROM users WHERE id = $1`, id)
}

// byName does too. Names are compared exactly.
func (u *users) byName(ctx context.Context, name string) (user, error) {
	return u.one(ctx, `SELECT id, name, role FROM users WHERE name = $1`, name)
}

func (u *users) hash(ctx context.Context, id string) (hash string, err error) {
	err = u.db.QueryRowContext(ctx, `SELECT password_hash FROM users WHERE id = $1`, id).Scan(&hash)
	return hash, err
}

// replaceHash changes nothing if the password was changed meanwhile.
func (u *users) replaceHash(ctx context.Context, id, old, hash string) error {
	_, err := u.db.ExecContext(ctx, `UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, hash, id, old)
	return err
}

func (u *users) one(ctx context.Context, query, arg string) (found user, err error) {
	err = u.db.QueryRowContext(ctx, query, arg).Scan(&found.id, &found.name, &found.role)
	if errors.Is(err, sql.ErrNoRows) {
		err = issuer.ErrNotFound
	}
	return found, err
}
