-- +goose Up
-- +goose StatementBegin
-- The block that a row of the audit record is sealed in, 0 for none. It never changes again.
ALTER TABLE audit ADD COLUMN block BIGINT NOT NULL DEFAULT 0;
CREATE INDEX audit_block ON audit (block, seq);
CREATE INDEX audit_at ON audit (at, seq);
CREATE INDEX audit_subject ON audit (subject, seq) WHERE subject <> '';

-- A block holds the rows of audit with its number. digest is the SHA-256 of them, mac that
-- of the block and of the mac before it, under the key that is named.
CREATE TABLE audit_blocks (
    number    BIGINT           NOT NULL PRIMARY KEY,
    count     BIGINT           NOT NULL,
    first     BIGINT           NOT NULL,
    last      BIGINT           NOT NULL,
    sealed_at BIGINT           NOT NULL,
    digest    BYTEA            NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    mac       BYTEA            NOT NULL
);

-- The block with which what is kept begins: it and those before it were deleted after the
-- retention. mac is that of the block, proof the MAC of this row.
CREATE TABLE audit_anchor (
    one     BIGINT           NOT NULL PRIMARY KEY CHECK (one = 1),
    number  BIGINT           NOT NULL,
    mac     BYTEA            NOT NULL,
    made_at BIGINT           NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    proof   BYTEA            NOT NULL
);

-- The keys of blocks, under the master key. The one with the greatest number seals.
CREATE TABLE audit_keys (
    number     BIGINT           NOT NULL PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    sealed     BYTEA            NOT NULL,
    created_at BIGINT           NOT NULL
);
-- +goose StatementEnd
