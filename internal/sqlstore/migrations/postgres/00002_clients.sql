-- +goose Up
-- +goose StatementBegin
-- Programs with a credential of their own. scope and audiences are the words that
-- they may be granted, one space between two.
CREATE TABLE clients (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    scope      TEXT COLLATE "C" NOT NULL,
    audiences  TEXT COLLATE "C" NOT NULL,
    disabled   BOOLEAN          NOT NULL,
    created_at BIGINT           NOT NULL
);

-- SHA-256 of each live secret.
CREATE TABLE client_secrets (
    client_id  TEXT COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    digest     BYTEA            NOT NULL,
    created_at BIGINT           NOT NULL,
    PRIMARY KEY (client_id, digest)
);
-- +goose StatementEnd
