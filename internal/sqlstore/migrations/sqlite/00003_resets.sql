-- +goose Up
-- +goose StatementBegin
-- The oldest schema that a program must know to use this one.
INSERT INTO meta (name, value) VALUES ('usable_from', '1');

-- The one link with which a user may set a password. digest is the SHA-256 of its token.
CREATE TABLE resets (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest     BLOB    NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd
