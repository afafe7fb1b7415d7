-- +goose Up
-- +goose StatementBegin
-- Keys with which users and clients call without a login. owner is the id of the one or of
-- the other. digest is the SHA-256 of the key. scope and audiences are words, one space
-- between two; everything stands for all that the owner has. expires_at is 0 for never,
-- used_at and revoked_at are 0 for not yet.
CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest     BYTEA            NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    everything BOOLEAN          NOT NULL,
    audiences  TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL,
    used_at    BIGINT           NOT NULL,
    revoked_at BIGINT           NOT NULL
);
CREATE INDEX api_keys_owner ON api_keys (owner, id);
-- +goose StatementEnd
