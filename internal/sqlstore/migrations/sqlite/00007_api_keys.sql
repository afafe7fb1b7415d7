-- +goose Up
-- +goose StatementBegin
-- Keys with which users and clients call without a login. owner is the id of the one or of
-- the other. digest is the SHA-256 of the key. scope and audiences are words, one space
-- between two; everything stands for all that the owner has. expires_at is 0 for never,
-- used_at and revoked_at are 0 for not yet.
CREATE TABLE api_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    digest     BLOB    NOT NULL,
    owner      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    everything INTEGER NOT NULL,
    audiences  TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_owner ON api_keys (owner, id);
-- +goose StatementEnd
