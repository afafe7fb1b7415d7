-- +goose Up
-- +goose StatementBegin
-- When a secret stops working, 0 for never, and when it was last used, 0 for not yet.
ALTER TABLE client_secrets ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE client_secrets ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
-- +goose StatementEnd
