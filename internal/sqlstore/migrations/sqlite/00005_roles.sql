-- +goose Up
-- +goose StatementBegin
-- A role is a set of scopes. A role of a user that is not here has none.
CREATE TABLE roles (
    name       TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE role_scopes (
    role  TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    PRIMARY KEY (role, scope)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_roles_role ON user_roles (role, user_id);

-- Whether the login named no scope, so that the session has what its subject has.
ALTER TABLE sessions ADD COLUMN all_scopes INTEGER NOT NULL DEFAULT 0;
-- +goose StatementEnd
