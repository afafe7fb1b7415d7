package accounts_test

import (
	"testing"

	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
)

var event = sqlstoretest.Event

type fixture struct{ *sqlstoretest.Fixture }

func open(t *testing.T) *fixture {
	t.Helper()
	return &fixture{sqlstoretest.Open(t)}
}
