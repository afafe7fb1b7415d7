-- +goose Up
-- +goose StatementBegin
-- The block that a row of the audit record is sealed in, 0 for none. It never changes again.
ALTER TABLE audit ADD COLUMN block INTEGER NOT NULL DEFAULT 0;
CREATE INDEX audit_block ON audit (block, seq);
CREATE INDEX audit_at ON audit (at, seq);
CREATE INDEX audit_subject ON audit (subject, seq) WHERE subject <> '';

-- A block holds the rows of audit with its number. digest is the SHA-256 of them, mac that
-- of the block and of the mac before it, under the key that is named.
CREATE TABLE audit_blocks (
    number    INTEGER NOT NULL PRIMARY KEY,
    count     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    sealed_at INTEGER NOT NULL,
    digest    BLOB    NOT NULL,
    key       TEXT    NOT NULL,
    mac       BLOB    NOT NULL
) STRICT;

-- The block with which what is kept begins: it and those before it were deleted after the
-- retention. mac is that of the block, proof the MAC of this row.
CREATE TABLE audit_anchor (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number  INTEGER NOT NULL,
    mac     BLOB    NOT NULL,
    made_at INTEGER NOT NULL,
    key     TEXT    NOT NULL,
    proof   BLOB    NOT NULL
) STRICT;

-- The keys of blocks, under the master key. The one with the greatest number seals.
CREATE TABLE audit_keys (
    number     INTEGER NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
-- +goose StatementEnd
