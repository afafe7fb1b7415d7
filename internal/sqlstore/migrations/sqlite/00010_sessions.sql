-- +goose Up

-- Sessions anew, as a table with row numbers. Without them the inner pages of its tree hold whole rows,
-- a dozen or two each, so that it is five pages deep for a million sessions, and too many for a cache.
-- Most indexes are made when all rows are there: entries that come in no order, one by one, would be
-- written to the log again and again.
CREATE TABLE sessions_anew (
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

-- To end the tokens of a client asks when its last session lapses. The sessions of logins that
-- name no client, which are most, are not here. This is made first: where another process has made
-- it, nothing may be done again.
CREATE INDEX sessions_client ON sessions_anew (client_id, absolute_end) WHERE ended_at = 0 AND client_id <> 'doorward';

INSERT INTO sessions_anew (id, handle, subject, epoch, client_id, scope, audience, claims, auth_time,
        created_at, last_used_at, idle, idle_end, absolute_end, ended_at, end_reason,
        rev, generation, held_since, late_run, late, mixed, quiet, all_scopes)
    SELECT id, handle, subject, epoch, client_id, scope, audience, claims, auth_time,
        created_at, last_used_at, idle, idle_end, absolute_end, ended_at, end_reason,
        rev, generation, held_since, late_run, late, mixed, quiet, all_scopes
    FROM sessions ORDER BY id;
DROP TABLE sessions;
ALTER TABLE sessions_anew RENAME TO sessions;
CREATE UNIQUE INDEX sessions_handle ON sessions (handle);
CREATE INDEX sessions_subject ON sessions (subject, id);
CREATE INDEX sessions_live ON sessions (subject, id) WHERE ended_at = 0;
