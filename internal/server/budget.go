package server

import (
	"net/netip"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/quota"
)

// Limits bounds what strangers may do in a minute, in this process: each network (a /24,
// or a /48 of IPv6), and all together. A zero limit has its default.
type Limits struct {
	// Login is wrong passwords: 100 and 3,000. Known devices have no part in it.
	Login quota.Limits
	// Refresh is refused refreshes: 300 and 30,000. Beyond them a token that this issuer
	// did not make gets 429; one that it made is looked at all the same.
	Refresh quota.Limits
	// Reset is wrong reset links: 100 and 1,000. One that is good is looked at all the same.
	Reset quota.Limits
	// Register is registrations, refused ones too: 10 and 120.
	Register quota.Limits
	// Inactive is answers of /oauth/introspect that a token is not active, to one client and to
	// all: 6,000 and 60,000. Beyond them they are 429; of a token that is active it is said all the same.
	Inactive quota.Limits
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limits    *quota.Limits
		each, all int
	}{
		{&l.Login, 100, 3000},
		{&l.Refresh, 300, 30_000},
		{&l.Reset, 100, 1000},
		{&l.Register, 10, 120},
		{&l.Inactive, 6000, 60_000},
	} {
		setDefault(&d.limits.Each, d.each)
		setDefault(&d.limits.All, d.all)
	}
	return l
}

// budgets are the limits and what is spent of them.
type budgets struct{ login, refresh, reset, register *endpoint.Budget }

func newBudgets(l Limits) budgets {
	return budgets{
		login: quota.NewBudget[netip.Prefix](l.Login), refresh: quota.NewBudget[netip.Prefix](l.Refresh),
		reset: quota.NewBudget[netip.Prefix](l.Reset), register: quota.NewBudget[netip.Prefix](l.Register),
	}
}
