-- +goose Up
-- +goose StatementBegin
-- Sessions get row numbers. The pages on the way to a row hold numbers then, some hundreds each, not
-- whole rows, of which a page holds fourteen: among a million sessions a refresh reads a third less.
CREATE TABLE session_rows (
    id           TEXT    NOT NULL PRIMARY KEY,
    handle       BLOB    NOT NULL,
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
    quiet        INTEGER NOT NULL DEFAULT 0,
    all_scopes   INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO session_rows SELECT * FROM sessions ORDER BY id;
CREATE UNIQUE INDEX sessions_handle ON session_rows (handle);
DROP TABLE sessions;
ALTER TABLE session_rows RENAME TO sessions;
CREATE INDEX sessions_subject ON sessions (subject, id);
CREATE INDEX sessions_live ON sessions (subject, id) WHERE ended_at = 0;
CREATE INDEX sessions_client ON sessions (client_id, absolute_end) WHERE ended_at = 0 AND client_id <> 'doorward';
-- +goose StatementEnd
