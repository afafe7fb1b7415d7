package sqlite_test

import "testing"

// One connection writes, and nobody holds one once a call has returned.
func TestPools(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.KeyRing(t.Context()); err != nil {
		t.Fatal(err)
	}
	pools := s.Pools()
	if write, read := pools["write"], pools["read"]; len(pools) != 2 || write.MaxOpenConnections != 1 || write.InUse+read.InUse != 0 || read.Idle == 0 {
		t.Errorf("%+v", pools)
	}
}
