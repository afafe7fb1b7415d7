-- +goose Up
-- +goose StatementBegin
-- The e-mail address of a user, empty if none is known. Several may have the same.
ALTER TABLE users ADD COLUMN email TEXT COLLATE "C" NOT NULL DEFAULT '';

-- must_change says now of everybody whether somebody else chose their password, not of admins
-- alone: of those to whom an operator gave the last one, as far as the record goes.
UPDATE users SET must_change = TRUE
WHERE id IN (
        SELECT subject FROM audit WHERE kind IN ('user_add', 'password_set') AND seq IN (
            SELECT MAX(seq) FROM audit
            WHERE kind IN ('user_add', 'password_set', 'password_change', 'password_reset', 'user_register', 'user_import')
            GROUP BY subject))
    AND id NOT IN (SELECT user_id FROM user_roles WHERE role = 'admin');
-- +goose StatementEnd
