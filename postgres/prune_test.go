package postgres_test

import "testing"

// What is long over goes, in batches; what is not stays.
func TestPrune(t *testing.T) {
	t.Parallel()
	url := template(t)
	store, db := open(t, url), raw(t, url)
	// IDs of the year 2020, and sessions that lapsed then.
	exec(t, db, `INSERT INTO sessions (id, handle, subject, epoch, client_id, scope, audience, claims,
			auth_time, created_at, last_used_at, idle, idle_end, absolute_end)
		SELECT '016f5e66-e800-7000-8000-' || lpad(i::text, 12, '0'), decode(lpad(i::text, 64, '0'), 'hex'), 'u_1', 0, '', '', '', '',
			1577836800000, 1577836800000, 1577836800000, 1, 1577836800001, CASE WHEN i % 2 = 0 THEN 1577836800001 ELSE 9999999999999 END
		FROM generate_series(1, 200) AS i`)
	exec(t, db, `UPDATE sessions SET idle_end = 9999999999999 WHERE absolute_end = 9999999999999`)
	exec(t, db, `INSERT INTO revocations (kind, id, before, expires_at, recorded_at)
		SELECT 'session', i::text, '', 1577836800000, 1577836800000 FROM generate_series(1, 120) AS i`)
	exec(t, db, `INSERT INTO revocations (kind, id, before, expires_at, recorded_at) VALUES ('key', 'kid', '', 0, 1577836800000)`)
	n, err := store.Prune(t.Context())
	if err != nil || n != 100+120 {
		t.Errorf("%d rows went, %v, want 220", n, err)
	}
	wantIDs(t, since(t, store, ""), "kid")
}
