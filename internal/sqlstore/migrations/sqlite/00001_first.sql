-- Times are milliseconds since 1970, 0 for "not". Identifiers are text and are
-- compared byte by byte.

-- +goose Up
-- +goose StatementBegin
-- "door" in ASCII: tells a file of ours from one of another program.
PRAGMA application_id = 1685024626;

-- Facts about the whole database. lineage names this history of it. A row
-- without a use of its own is there to be locked.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES
    ('lineage', lower(hex(randomblob(16)))),
    ('users', '');

-- epoch counts how often all sessions of the subject were ended. last_id is the
-- greatest session ID or cut-off made for it. Rows stay when the user goes.
CREATE TABLE subjects (
    subject TEXT    NOT NULL PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    last_id TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    handle       BLOB    NOT NULL UNIQUE,
    subject      TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    client_id    TEXT    NOT NULL,
    scope        TEXT    NOT NULL,
    audience     TEXT    NOT NULL,
    claims       TEXT    NOT NULL,
    auth_time    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    idle         INTEGER NOT NULL,
    idle_end     INTEGER NOT NULL,
    absolute_end INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL DEFAULT 0,
    end_reason   TEXT    NOT NULL DEFAULT '',
    rev          INTEGER NOT NULL DEFAULT 0,
    generation   INTEGER NOT NULL DEFAULT 0,
    held_since   INTEGER NOT NULL DEFAULT 0,
    late_run     INTEGER NOT NULL DEFAULT 0,
    late         INTEGER NOT NULL DEFAULT 0,
    mixed        INTEGER NOT NULL DEFAULT 0,
    quiet        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_subject ON sessions (subject, id);
CREATE INDEX sessions_live ON sessions (subject) WHERE ended_at = 0;

-- Cut-offs. A reader resumes at a position; AUTOINCREMENT never gives one twice.
-- before is empty for the kinds session and key, of which there is one per id.
CREATE TABLE revocations (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    before      TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    UNIQUE (kind, id, before)
) STRICT;
CREATE INDEX revocations_expiry ON revocations (expires_at) WHERE expires_at > 0;

CREATE TABLE ring (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    rev INTEGER NOT NULL
) STRICT;
INSERT INTO ring (one, rev) VALUES (1, 0);

CREATE TABLE keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    use_from   INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    access_ttl INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    session    TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;

CREATE TABLE users (
    id                  TEXT    NOT NULL PRIMARY KEY,
    name                TEXT    NOT NULL,
    canonical           TEXT    NOT NULL UNIQUE,
    hash                TEXT    NOT NULL,
    disabled            INTEGER NOT NULL,
    must_change         INTEGER NOT NULL,
    password_expires_at INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL,
    created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE tries (
    key     BLOB    NOT NULL PRIMARY KEY,
    count   INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX tries_end ON tries (ends_at);
-- +goose StatementEnd
