package main

import (
	"log/slog"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
)

// clockWatch tells the operator when this node's clock goes wrong, and when it is right again.
type clockWatch struct {
	store backend.Database
	log   *slog.Logger
	wrong bool
}

// look is called by one goroutine at a time.
func (c *clockWatch) look() {
	const tolerated = 10 * time.Second
	off := c.store.ClockOffset().Round(time.Second)
	switch wrong := off.Abs() > tolerated; {
	case wrong == c.wrong:
		return
	case wrong:
		c.log.Warn("the clock of this node differs from the database's; from 30 s on it answers 503 to tokens that are good, and is not ready", "ahead_of_node", off)
	default:
		c.log.Info("the clock of this node agrees with the database's again", "ahead_of_node", off)
	}
	c.wrong = !c.wrong
}
