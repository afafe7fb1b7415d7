package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel    = "doorward"
	waitMost   = time.Second           // how long WaitChange waits for a hint
	coalesce   = 10 * time.Millisecond // how far apart the hints of one process are
	listenPace = time.Second           // after the connection was lost
)

// listener hears the hints of other nodes, on a connection of its own. While it has no
// connection, WaitChange still returns every second.
type listener struct {
	config *pgx.ConnConfig
	begin  sync.Once       // of the first wait, which begins to listen
	ctx    context.Context // ends with close
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex    // guards what follows
	heard int64         // counts hints
	seen  int64         // what heard was when a wait last returned for it
	news  chan struct{} // closed with the next hint
}

func newListener(config *pgx.ConnConfig) *listener {
	ctx, stop := context.WithCancel(context.Background())
	config = config.Copy()
	delete(config.RuntimeParams, "idle_in_transaction_session_timeout")
	return &listener{config: config, ctx: ctx, stop: stop, news: make(chan struct{})}
}

// wait returns when there is a hint that no wait has returned for, and after waitMost.
func (l *listener) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.begin.Do(func() { l.work.Go(l.follow) })
	most := time.NewTimer(waitMost)
	defer most.Stop()
	select {
	case <-l.unseen():
	case <-most.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = l.heard
	return nil
}

// close ends the listening and waits for it.
func (l *listener) close() {
	l.begin.Do(func() {})
	l.stop()
	l.work.Wait()
}

// unseen returns a channel that is closed when there is a hint that no wait has returned for.
func (l *listener) unseen() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == l.heard {
		return l.news
	}
	there := make(chan struct{})
	close(there)
	return there
}

// follow listens until close, on one connection after the other.
func (l *listener) follow() {
	for l.ctx.Err() == nil {
		_ = l.listen()
		pause := time.NewTimer(listenPace/2 + jitter(listenPace))
		select {
		case <-pause.C:
		case <-l.ctx.Done():
			pause.Stop()
		}
	}
}

// listen listens until the connection is lost.
func (l *listener) listen() error {
	conn, err := pgx.ConnectConfig(l.ctx, l.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(l.ctx, `LISTEN `+channel, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	for {
		l.hint() // also at the start, since earlier hints were not heard
		if _, err := conn.WaitForNotification(l.ctx); err != nil {
			return err
		}
	}
}

// hint ends the waits under way, or the next one.
func (l *listener) hint() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard++
	close(l.news)
	l.news = make(chan struct{})
}

// announcer sends hints to other processes, one for all changes that come close together. It
// does so after the commit: with a NOTIFY inside them, only one transaction commits at a time.
type announcer struct {
	send func()
	work sync.WaitGroup

	mu      sync.Mutex // guards what follows
	waiting bool       // there is a hint to send, and a timer for it
	closed  bool
	last    time.Time // when send was last called
}

func (a *announcer) announce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting || a.closed {
		return
	}
	a.waiting = true
	a.work.Add(1)
	time.AfterFunc(max(0, time.Until(a.last.Add(coalesce))), func() {
		defer a.work.Done()
		a.mu.Lock()
		a.waiting, a.last = false, time.Now()
		a.mu.Unlock()
		a.send()
	})
}

// close waits until the last hint was sent.
func (a *announcer) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.work.Wait()
}
