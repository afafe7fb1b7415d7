package move

// A kind is what a column holds, in both dialects.
type kind int

const (
	text kind = iota
	number
	truth
	bytes
)

// table describes a table to [Move]: its key, which comes first, and its other columns.
type table struct {
	name    string
	key     []column
	columns []column
}

type column struct {
	name string
	kind kind
}

func (t table) all() []column { return append(append([]column{}, t.key...), t.columns...) }

func columns(k kind, names ...string) []column {
	list := make([]column, len(names))
	for i, name := range names {
		list[i] = column{name, k}
	}
	return list
}

func join(lists ...[]column) (all []column) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// moved are the tables whose rows Move copies, each after those that it refers to. Not copied
// are meta, which is about one database, and a cut-off's position, which the database gives.
var moved = []table{
	{"subjects", columns(text, "subject"), join(columns(number, "epoch"), columns(text, "last_id"))},
	{"sessions", columns(text, "id"), join(
		columns(bytes, "handle"), columns(text, "subject"), columns(number, "epoch"),
		columns(text, "client_id", "scope", "audience", "claims"),
		columns(number, "auth_time", "created_at", "last_used_at", "idle", "idle_end", "absolute_end", "ended_at"),
		columns(text, "end_reason"), columns(number, "rev", "generation", "held_since", "late_run"),
		columns(truth, "late", "mixed"), columns(number, "quiet"), columns(truth, "all_scopes"),
	)},
	{"revocations", columns(text, "kind", "id", "before"), columns(number, "expires_at", "recorded_at")},
	{"ring", columns(number, "one"), columns(number, "rev")},
	{"keys", columns(text, "id"), join(
		columns(text, "purpose", "algorithm"), columns(bytes, "sealed"),
		columns(number, "created_at", "use_from", "keep_until", "access_ttl"),
	)},
	{"users", columns(text, "id"), join(
		columns(text, "name", "canonical", "email", "external_id", "hash"), columns(truth, "disabled", "must_change"),
		columns(number, "password_expires_at", "password_changed_at", "created_at"),
	)},
	{"user_roles", columns(text, "user_id", "role"), nil},
	{"devices", columns(bytes, "digest"), join(columns(text, "user_id"), columns(number, "created_at", "used_at"))},
	{"roles", columns(text, "name"), columns(number, "created_at")},
	{"role_scopes", columns(text, "role", "scope"), nil},
	{"resets", columns(text, "user_id"), join(columns(bytes, "digest"), columns(number, "expires_at"))},
	{"clients", columns(text, "id"), join(
		columns(text, "name", "scope", "audiences"), columns(truth, "disabled"), columns(number, "created_at"),
	)},
	{"client_secrets", join(columns(text, "client_id"), columns(bytes, "digest")), columns(number, "created_at", "expires_at", "used_at")},
	{"api_keys", columns(text, "id"), join(
		columns(bytes, "digest"), columns(text, "owner", "name", "scope"), columns(truth, "everything"), columns(text, "audiences"),
		columns(number, "created_at", "expires_at", "used_at", "revoked_at"),
	)},
	{"tries", columns(bytes, "key"), columns(number, "count", "ends_at", "refused")},
	{"audit", columns(number, "seq"), join(
		columns(number, "at"), columns(text, "kind", "actor", "address", "request_id", "subject", "session", "reason"),
		columns(number, "block"),
	)},
	{"audit_blocks", columns(number, "number"), join(
		columns(number, "count", "first", "last", "sealed_at"), columns(bytes, "digest"), columns(text, "key"), columns(bytes, "mac"),
	)},
	{"audit_anchor", columns(number, "one"), join(
		columns(number, "number"), columns(bytes, "mac"), columns(number, "made_at"), columns(text, "key"), columns(bytes, "proof"),
	)},
	{"audit_keys", columns(number, "number"), join(columns(text, "id"), columns(bytes, "sealed"), columns(number, "created_at"))},
}
