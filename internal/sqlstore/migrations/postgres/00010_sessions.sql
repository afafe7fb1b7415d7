-- +goose Up
-- +goose StatementBegin
-- To end the tokens of a client asks when its last session lapses. The sessions of logins that
-- name no client, which are most, are not here.
CREATE INDEX sessions_client ON sessions (client_id, absolute_end) WHERE ended_at = 0 AND client_id <> 'doorward';
-- +goose StatementEnd
