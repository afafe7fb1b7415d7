-- +goose Up
-- +goose StatementBegin
-- Programs with a credential of their own. scope and audiences are the words that
-- they may be granted, one space between two.
CREATE TABLE clients (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    scope      TEXT    NOT NULL,
    audiences  TEXT    NOT NULL,
    disabled   INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- SHA-256 of each live secret.
CREATE TABLE client_secrets (
    client_id  TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, digest)
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd
