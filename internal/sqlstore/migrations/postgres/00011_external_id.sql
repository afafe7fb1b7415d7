-- +goose Up
-- +goose StatementBegin
-- The ID of a user at the API or in the program that they come from, empty if there is none.
ALTER TABLE users ADD COLUMN external_id TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE UNIQUE INDEX users_external_id ON users (external_id) WHERE external_id <> '';
-- +goose StatementEnd
