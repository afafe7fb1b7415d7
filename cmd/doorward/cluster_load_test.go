package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is people who log in, refresh and log out at a cluster, and others who ask its judges about their tokens.
type load struct {
	*history
	c        *cluster
	visitors []*visitor
	sessions atomic.Int64 // names them
	end      context.CancelFunc
	working  sync.WaitGroup

	mu     sync.Mutex // guards recent
	recent []visit    // the newest access tokens
}

// visit is one session as its client knows it.
type visit struct{ session, access, refresh string }

// visitor is one person. Only one goroutine at a time touches it.
type visitor struct {
	*load
	login   string // the body of a login that is good
	visit          // without a name while logged out
	leaving bool   // a logout was sent, and not acknowledged
	gone    visit  // the session that ended last
}

// people adds n users and returns the bodies of their logins.
func (c *cluster) people(n int) []string {
	c.t.Helper()
	var logins []string
	for i := range n {
		name := fmt.Sprint("visitor", i)
		logins = append(logins, credentials(name, firstLine(c.command("user", "add", name))))
	}
	return logins
}

// startLoad starts a load of as many people as there are logins.
func (c *cluster) startLoad(logins []string) *load {
	ctx, end := context.WithCancel(context.Background())
	l := &load{history: &history{begun: time.Now()}, c: c, end: end}
	for _, login := range logins {
		v := &visitor{load: l, login: login}
		l.visitors = append(l.visitors, v)
		l.working.Go(func() { each(ctx, 60*time.Millisecond, v.turn) })
	}
	for _, j := range c.judges() {
		l.working.Go(func() { each(ctx, 40*time.Millisecond, func() { l.ask(j) }) })
	}
	return l
}

// stop ends the load and waits for it.
func (l *load) stop() {
	l.end()
	l.working.Wait()
}

// each calls f again and again, as often as the pace at most.
func each(ctx context.Context, pace time.Duration, f func()) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// ask asks a judge about one of the newest tokens.
func (l *load) ask(j judge) {
	l.mu.Lock()
	if len(l.recent) == 0 {
		l.mu.Unlock()
		return
	}
	v := l.recent[rand.IntN(len(l.recent))]
	l.mu.Unlock()
	l.do(deedCheck, v.session, j.name, func() (answer, error) { return call("GET", j.url, v.access, "") })
}

func (l *load) remember(v visit) {
	const most = 30
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = append(l.recent, v)
	l.recent = l.recent[max(0, len(l.recent)-most):]
}

// turn does one thing at one of the nodes. What was not answered is tried again.
func (v *visitor) turn() {
	switch chance := rand.IntN(20); {
	case v.session == "":
		v.logIn()
	case v.leaving || chance < 2:
		v.logOut()
	case chance == 2 && v.gone.session != "":
		v.tryRefresh(v.gone)
	default:
		if got := v.tryRefresh(v.visit); got.status == 200 {
			v.take(got)
		}
	}
}

// post sends a request about a session to one of the nodes.
func (v *visitor) post(d deed, session, path, token, body string) answer {
	i := rand.IntN(len(v.c.nodes))
	return v.do(d, session, fmt.Sprint("node ", i), func() (answer, error) {
		return call("POST", v.c.nodes[i].address+path, token, body)
	})
}

func (v *visitor) logIn() {
	session := fmt.Sprint("session ", v.sessions.Add(1))
	if got := v.post(deedLogin, session, "/login", "", v.login); got.status == 200 {
		v.session = session
		v.take(got)
	}
}

func (v *visitor) take(got answer) {
	v.access, v.refresh = got.member("access_token"), got.member("refresh_token")
	v.remember(v.visit)
}

func (v *visitor) logOut() {
	v.leaving = true
	var got answer
	if rand.IntN(2) == 0 {
		got = v.post(deedLogout, v.session, "/logout", v.access, "")
	} else {
		got = v.post(deedLogout, v.session, "/logout", "", refreshBody(v.refresh))
	}
	if got.status == 204 {
		v.gone, v.visit, v.leaving = v.visit, visit{}, false
	}
}

func (v *visitor) tryRefresh(of visit) answer {
	return v.post(deedRefresh, of.session, "/refresh", "", refreshBody(of.refresh))
}

// settle wants that each session that was not logged out goes on, and that none does that was.
func (l *load) settle(t *testing.T) {
	t.Helper()
	for _, v := range l.visitors {
		if v.session != "" && !v.leaving {
			if got := v.tryRefresh(v.visit); got.status != 200 {
				t.Errorf("%s: at the end its refresh is answered %d %s", v.session, got.status, got.body)
			}
		}
		if v.gone.session != "" {
			if got := v.tryRefresh(v.gone); got.status != 400 || got.member("reason") != "logout" {
				t.Errorf("%s, logged out: at the end its refresh is answered %d %s", v.gone.session, got.status, got.body)
			}
		}
	}
}

// judge wants a history without faults, and one that is long enough to show some.
func (l *load) judge(t *testing.T) {
	t.Helper()
	found := l.faults(l.c.bound)
	for _, text := range found[:min(len(found), 20)] {
		t.Error(text)
	}
	accepted, ended, refused := l.count(200), l.count(204), l.count(401)+l.count(400)
	t.Logf("%d requests: %d accepted, %d ended, %d refused, %d not known, %d not answered",
		len(l.all), accepted, ended, refused, l.count(503), l.count(0))
	if accepted < 100 || ended < 5 || refused < 10 {
		t.Error("that is too little to prove anything")
	}
}
