package audit

import "github.com/doorward/doorward/issuer"

// kinds are the kinds of all events that are ever recorded. They are declared all over Doorward; a test checks that
// none is missing here.
var kinds = []issuer.EventKind{
	"api_key_add", "api_key_failed", "api_key_revoke", "audit_export", "audit_key_rotate", "audit_prune", "backup", "backup_delete",
	"client_add", "client_disable", "client_enable", "client_end", "client_failed", "client_remove", "client_revoke", "client_secret_add",
	"client_secret_drop", "client_set", "device_new", "key_revoke", "key_rotate", "login", "login_failed", "login_throttled", "logout",
	"master_key_replace", "password_change", "password_rehash", "password_reset", "password_reset_failed", "password_reset_link", "password_set",
	"refresh_predecessor_used", "refresh_reuse", "role_add", "role_remove", "role_sessions_end", "role_set", "session_end", "store_rollback",
	"subject_end", "token_grant", "user_add", "user_delete", "user_disable", "user_email", "user_enable", "user_export", "user_external_id",
	"user_import", "user_register", "user_roles",
}
