package main

import (
	"context"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// reloader reads the configuration again when SIGHUP asks for it.
type reloader struct {
	*node
	issuer *issuer.Issuer
	server *server.Server // that was started
	proxy  *gate.Proxy    // in use; nil without an upstream
}

// follow reloads at each SIGHUP, in a goroutine. The function that it returns ends the
// goroutine and waits for it.
func (r *reloader) follow(ctx context.Context) func() {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-r.hangups:
				r.reload(ctx)
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
	}
}

// reload reads the configuration again and uses it for new requests. Requests under way
// end as they began. A configuration that has faults, or that changes what only a restart
// can change, is not used.
func (r *reloader) reload(ctx context.Context) {
	next, err := r.read()
	if err == nil {
		next.Resolve(r.node.address)
		err = r.adopt(next)
	}
	if problems := config.AsProblems(err); problems != nil {
		for _, p := range problems {
			told := []any{"err", p.Error()}
			if p.Hint != "" {
				told = append(told, "hint", p.Hint)
			}
			r.log.Error("the new configuration is not used, the old one stays", told...)
		}
		return
	}
	if err != nil {
		r.log.Error("the new configuration is not used, the old one stays", "err", err)
		return
	}
	r.leave(ctx, next)
	r.log.Info("the configuration was read again", "routes", len(next.Routes))
}

func (r *reloader) adopt(next *config.Config) error {
	if settled := config.Settled(r.Config, next); len(settled) > 0 {
		return config.Problems{{Text: strings.Join(settled, ", ") + ": changed, which needs a restart"}}
	}
	if err := checkFiles(next); err != nil {
		return err
	}
	srv, proxy, err := r.node.server(next, r.issuer)
	if err != nil {
		return err
	}
	r.server.Become(srv)
	if r.proxy != nil {
		r.proxy.Close()
	}
	r.proxy = proxy
	setLevel(r.level, next)
	return nil
}
