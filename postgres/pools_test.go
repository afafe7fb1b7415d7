package postgres_test

import "testing"

// The pool is as large as it was asked to be, and nobody holds a connection once a call has returned.
func TestPools(t *testing.T) {
	t.Parallel()
	s := open(t, template(t))
	if _, err := s.KeyRing(t.Context()); err != nil {
		t.Fatal(err)
	}
	pools := s.Pools()
	if got := pools["all"]; len(pools) != 1 || got.MaxOpenConnections != 8 || got.Idle == 0 || got.InUse != 0 {
		t.Errorf("%+v", pools)
	}
}
