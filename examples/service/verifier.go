package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

type settings struct {
	issuer, revocations, audience string
	clientID, clientSecret        string
	maxStaleness                  time.Duration
}

// checker is all that a service needs to check tokens by itself.
type checker struct {
	keys     *remote.KeySet
	feed     *remote.Feed
	verifier *doorward.Verifier
}

func newChecker(s settings) (*checker, error) {
	keys, err := remote.NewKeySet(remote.Config{Issuer: s.issuer})
	if err != nil {
		return nil, err
	}
	feed, err := remote.NewFeed(remote.FeedConfig{
		URL:      cmp.Or(s.revocations, strings.TrimSuffix(s.issuer, "/")+"/revocations"),
		ClientID: s.clientID, ClientSecret: s.clientSecret, MaxStaleness: s.maxStaleness, Keys: keys,
	})
	if err != nil {
		return nil, err
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: s.issuer, Audience: s.audience, Keys: keys, Revocations: feed, ClockOffset: feed.ClockOffset,
	})
	if err != nil {
		return nil, err
	}
	return &checker{keys, feed, v}, nil
}

// follow keeps the keys and the revocations fresh until ctx ends.
func (c *checker) follow(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { _ = c.keys.Run(ctx) }) // both return nil
	both.Go(func() { _ = c.feed.Run(ctx) })
	both.Wait()
}

// readyz tells a load balancer whether this service can judge tokens now, and why not.
func (c *checker) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := c.feed.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "ready: %d revocations, %v old\n", c.feed.Len(), c.feed.Age().Round(time.Millisecond))
}
