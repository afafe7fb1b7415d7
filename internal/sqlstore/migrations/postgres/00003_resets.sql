-- +goose Up
-- +goose StatementBegin
-- The one link with which a user may set a password. digest is the SHA-256 of its token.
CREATE TABLE resets (
    user_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest     BYTEA            NOT NULL UNIQUE,
    expires_at BIGINT           NOT NULL
);
-- +goose StatementEnd
