-- +goose Up
-- +goose StatementBegin
-- Devices that have logged in as a user. digest is the SHA-256 of what a device keeps.
-- used_at is created_at until the device came back.
CREATE TABLE devices (
    digest     BYTEA            NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT           NOT NULL,
    used_at    BIGINT           NOT NULL
);
CREATE INDEX devices_user ON devices (user_id);
-- +goose StatementEnd
