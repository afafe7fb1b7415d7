package gate

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leastPace is how many bytes a second a client has to send or to take while others wait for the upstream, and
	// slack is how far it may fall behind: a phone that loses its network for a moment keeps its place.
	leastPace = 1 << 10
	slack     = 3 * time.Second
)

// errGaveWay says that a client kept the upstream waiting while others waited for the upstream.
var errGaveWay = errors.New("gate: the client was slow, and others wait for the upstream")

// places are the requests that are at the upstream. Connections to it are few, and a client holds one for as long as it
// goes on sending a body or taking an answer. So when there are more requests than connections, the slowest client
// gives way: any number of slow ones delays nobody for long.
type places struct {
	most int         // 0 is any number
	many atomic.Bool // a connection carries many, as those of HTTP/2: nobody waits for one

	mu    sync.Mutex // guards what follows
	taken map[*transit]struct{}
	again bool // relieve is to come
}

func newPlaces() *places { return &places{taken: map[*transit]struct{}{}} }

// take counts a request, until leave.
func (p *places) take(t *transit) {
	if p.most == 0 {
		return
	}
	p.mu.Lock()
	p.taken[t] = struct{}{}
	crowded := len(p.taken) > p.most && !p.again && !p.many.Load()
	p.again = p.again || crowded
	p.mu.Unlock()
	if crowded {
		p.relieve()
	}
}

func (p *places) leave(t *transit) {
	if p.most == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, t)
}

// relieve lets as many give way as are too many, if so many are slow, and comes again while there are too many.
func (p *places) relieve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.taken) > p.most && !p.many.Load() {
		t := p.slowest(now)
		if t == nil {
			time.AfterFunc(slack, p.relieve)
			return
		}
		delete(p.taken, t)
		t.giveWay()
	}
	p.again = false
}

// slowest returns the request whose client is behind most, nil if none is by slack. p.mu is held.
func (p *places) slowest(now time.Time) (slowest *transit) {
	most := slack
	for t := range p.taken {
		if behind := t.pace.behindAt(now); behind >= most {
			slowest, most = t, behind
		}
	}
	return slowest
}

// giveWay ends a request that waits for its client.
func (t *transit) giveWay() {
	t.cancel(errGaveWay)
	if t.body != nil {
		t.body.leave() // The transport waits until nobody reads it.
	}
}

// pace is how far a client is behind leastPace, of the time in which it is waited for. What it is ahead does not count.
type pace struct {
	since  atomic.Int64 // when it began to be waited for, in nanoseconds; 0 if it is not
	behind atomic.Int64 // in nanoseconds
}

// wait notes that nothing goes on until the client has sent or taken something.
func (c *pace) wait(now time.Time) { c.since.Store(now.UnixNano()) }

// came notes that it has, and how much.
func (c *pace) came(bytes int) {
	if since := c.since.Swap(0); since != 0 {
		waited := time.Now().UnixNano() - since
		c.behind.Store(max(0, c.behind.Load()+waited-int64(bytes)*int64(time.Second)/leastPace))
	}
}

func (c *pace) behindAt(now time.Time) time.Duration {
	behind := c.behind.Load()
	if since := c.since.Load(); since != 0 {
		behind += now.UnixNano() - since
	}
	return time.Duration(behind)
}
