package postgres_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// The end of a client finds when its last session lapses by an index of their own. The planner is
// kept from reading the whole table, which it prefers while that is empty, and from looking at the
// client's ID, as it does not after some calls.
func TestEndOfClientUsesItsIndex(t *testing.T) {
	t.Parallel()
	url := template(t)
	db := raw(t, url)
	s := open(t, url+"&enable_seqscan=off&plan_cache_mode=force_generic_plan")
	if _, err := s.EndClient(t.Context(), "dwc_1", issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // the server counts at the latest when a connection ends
		t.Fatal(err)
	}
	scans := 0
	for deadline := time.Now().Add(10 * time.Second); scans == 0 && time.Now().Before(deadline); {
		err := db.QueryRowContext(t.Context(), `SELECT idx_scan FROM pg_stat_user_indexes, pg_sleep(0.02) WHERE indexrelname = 'sessions_client'`).Scan(&scans)
		if err != nil {
			t.Fatal(err)
		}
	}
	if scans == 0 {
		t.Error("the index sessions_client is not used")
	}
}
