package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/inspect"
)

// Attack_F10, over three nodes whose clocks differ by nearly a minute: what ends all sessions of somebody ends each that
// there was, and none that comes after, also within the same second. Attack_G11: then the clocks of two jump.
func TestAttack_F10_ClocksOfNodes(t *testing.T) {
	t.Parallel()
	rounds := 10
	if soak {
		rounds = 1000
	}
	program, err := skewedBinary()
	if err != nil {
		t.Fatal(err)
	}
	service, err := skewedService()
	if err != nil {
		t.Fatal(err)
	}
	c := startCluster(t, clusterConfig{
		nodes: 3, services: 2, bound: 10 * time.Second,
		program: program, clocks: []string{"29,-61", "0", "-27,3600"},
		service: service, serviceClocks: []string{"0,-61", "0,3600"},
		settings: "refresh: {window: 1ms, budget: 100, limit: 10000}\ntrusted_proxies: [127.0.0.1]\n",
	})
	c.checkClocks(29*time.Second, 0, -27*time.Second)
	c.awaitAll(c.mint(1)[0].AccessToken, 20*time.Second)
	t.Run("everywhere, and again", func(t *testing.T) {
		same := 0
		c.rounds(rounds, func(round int, p *someone) {
			if p.endAndReturn(t, round) {
				same++
			}
		})
		t.Logf("%d rounds, %d of them within one second", rounds, same)
	})
	t.Run("a login during a change of the password", func(t *testing.T) {
		ended, refused := 0, 0
		c.rounds(rounds, func(round int, p *someone) {
			for _, status := range p.changeDuringLogin(t, round) {
				if status == 200 {
					ended++
				} else {
					refused++
				}
			}
		})
		t.Logf("%d rounds: %d logins were too late, and %d sessions ended", rounds, refused, ended)
	})
	t.Run("Attack_G11 the clocks of two nodes jump", c.jumpClocks)
	t.Run("Attack_G11 the clocks of services jump", c.jumpServices)
}

// jumpServices sets the clocks of both services, and sets them right again. One takes new tokens for those of the future then,
// the other finds that all have expired. Both know the time of the issuer by its answers, and say 503.
func (c *cluster) jumpServices(t *testing.T) {
	token := c.mint(1)[0].AccessToken
	c.awaitAll(token, 5*time.Second)
	for _, f := range c.services {
		setClock(t, f.cmd.Process, f.url+"/readyz")
		got, err := call("GET", f.url+"/orders", token, "")
		c.wantUnknown(t, f.url, got, err, 503)
		setClock(t, f.cmd.Process, f.url+"/readyz")
	}
	c.awaitAll(token, 5*time.Second)
}

// jumpClocks sets the clocks of nodes 0 and 2 while people work, and sets them right again. Neither knows then what a
// token is worth: it says 503 from the first moment on, never 401, and is not ready. Whoever asks another node, or
// wants a login, a refresh or a logout of these two, notices nothing.
func (c *cluster) jumpClocks(t *testing.T) {
	ask := c.inspector(t)
	l := c.startLoad(c.people(6))
	defer l.stop()
	for _, i := range []int{0, 2} {
		setClock(t, c.nodes[i].cmd.Process, c.nodes[i].address+"/livez")
		if ready := must(t, 503, "GET", c.nodes[i].address+"/readyz", "", ""); ready.member("reason") != "clock" {
			t.Errorf("node %d is not ready: %s", i, ready.body)
		}
	}
	must(t, 200, "GET", c.nodes[1].address+"/readyz", "", "")
	fresh := c.mint(1)[0].AccessToken
	for i, want := range []int{503, 200, 503} {
		at := c.nodes[i].address
		for _, path := range []string{"/me", "/protected", "/forward-auth/envoy/orders"} {
			got, err := call("GET", at+path, fresh, "")
			c.wantUnknown(t, at+path, got, err, want)
		}
		got, err := ask(at, fresh)
		c.wantUnknown(t, at+"/oauth/introspect", got, err, want)
	}
	begun, before := time.Now(), l.count(503)
	for tick := time.Tick(20 * time.Millisecond); l.count(503) < before+50 || l.count(200) < 150 || l.count(204) < 8; <-tick {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("nodes with wrong clocks judge tokens")
		}
	}
	for _, i := range []int{0, 2} {
		setClock(t, c.nodes[i].cmd.Process, c.nodes[i].address+"/livez")
	}
	c.awaitAll(c.mint(1)[0].AccessToken, 5*time.Second)
	for _, m := range c.nodes {
		must(t, 200, "GET", m.address+"/readyz", "", "")
	}
	l.stop()
	l.settle(t)
	l.judge(t)
}

// wantUnknown wants the status and, if that is 503, that it says so of tokens and when to come again.
func (c *cluster) wantUnknown(t *testing.T, url string, got answer, err error, status int) {
	t.Helper()
	if err != nil || got.status != status || status == 503 && (got.member("error") != "unavailable" || got.header.Get("Retry-After") == "") {
		t.Errorf("%s: %d %s, %v, want %d", url, got.status, got.body, err, status)
	}
}

// inspector returns what asks a node about a token by introspection.
func (c *cluster) inspector(t *testing.T) func(at, token string) (answer, error) {
	t.Helper()
	var added struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	out := c.command("client", "add", "inspector", "--scope", "tokens:introspect", "--json")
	if err := json.Unmarshal([]byte(out), &added); err != nil {
		t.Fatal(err)
	}
	return func(at, token string) (answer, error) {
		form := strings.NewReader(url.Values{"token": {token}}.Encode())
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/oauth/introspect", form)
		if err != nil {
			return answer{}, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(added.ID, added.Secret)
		return exchange(r)
	}
}

// setClock sets the clock of a process to the next of its settings, and waits until it is set.
func setClock(t *testing.T, p *os.Process, url string) {
	t.Helper()
	before := clockOf(t, url)
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if eventually(func() bool { return (clockOf(t, url) - before).Abs() > 30*time.Second }) != nil {
		t.Fatalf("the clock at %s does not jump", url)
	}
}

// checkClocks wants that the clocks of the nodes are as wrong as they were asked to be.
func (c *cluster) checkClocks(wanted ...time.Duration) {
	c.t.Helper()
	for i, shift := range wanted {
		if off := clockOf(c.t, c.nodes[i].address+"/livez") - shift; off.Abs() > 5*time.Second {
			c.t.Fatalf("the clock of node %d is %v off, want %v", i, off+shift, shift)
		}
		told := func() bool { return strings.Contains(c.nodes[i].logs.text(), "the clock of this node differs") }
		if shift == 0 && told() {
			c.t.Errorf("node %d finds its clock wrong", i)
		}
		if shift != 0 && eventually(told) != nil {
			c.t.Errorf("node %d does not tell that its clock is wrong", i)
		}
	}
}

// clockOf returns how far the clock of a process is ahead, to a second.
func clockOf(t *testing.T, url string) time.Duration {
	t.Helper()
	got, err := call("GET", url, "", "")
	if err != nil {
		t.Fatal(err)
	}
	date, err := time.Parse(time.RFC1123, got.header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(date)
}

// someone is a user of a cluster.
type someone struct {
	c            *cluster
	name, secret string
}

// rounds runs rounds. Each user has five of them, so that wrong passwords do not become too many.
func (c *cluster) rounds(n int, round func(int, *someone)) {
	const each = 5
	var p *someone
	for i := range n {
		if i%each == 0 {
			p = c.someone()
		}
		round(i, p)
	}
}

func (c *cluster) someone() *someone {
	name := "u" + strings.ToLower(rand.Text()[:10])
	return &someone{c, name, firstLine(c.command("user", "add", name))}
}

// at is the URL of a node; the next number is another node.
func (p *someone) at(i int) string { return p.c.nodes[i%len(p.c.nodes)].address }

// endAndReturn logs in at one node, ends all sessions at another and logs in again at the third. It reports whether
// all that was within one second of the database's clock.
func (p *someone) endAndReturn(t *testing.T, round int) bool {
	before := must(t, 200, "POST", p.at(round)+"/login", "", credentials(p.name, p.secret))
	must(t, 204, "POST", p.at(round+1)+"/logout?everywhere=true", before.member("access_token"), "")
	after := must(t, 200, "POST", p.at(round+2)+"/login", "", credentials(p.name, p.secret))
	p.wantEnded(t, before)
	p.wantLive(t, after)
	return issuedAt(t, before) == issuedAt(t, after)
}

// changeDuringLogin changes the password at one node while somebody logs in with the old one at the others. It returns
// what those logins were answered.
func (p *someone) changeDuringLogin(t *testing.T, round int) []int {
	old := must(t, 200, "POST", p.at(round)+"/login", "", credentials(p.name, p.secret))
	next := rand.Text()
	var logins [2]answer
	var errs [3]error
	var changed answer
	var all sync.WaitGroup
	for i := range logins {
		all.Go(func() {
			logins[i], errs[i] = call("POST", p.at(round+1+i)+"/login", "", credentials(p.name, p.secret))
		})
	}
	all.Go(func() {
		body := fmt.Sprintf(`{"current":%q,"new":%q}`, p.secret, next)
		changed, errs[2] = call("POST", p.at(round)+"/password", old.member("access_token"), body)
	})
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if changed.status != 200 {
		t.Errorf("password: %d %s", changed.status, changed.body)
		return nil
	}
	p.secret = next
	p.wantEnded(t, old)
	p.wantLive(t, changed)
	var statuses []int
	for _, login := range logins {
		statuses = append(statuses, login.status)
		switch login.status {
		case 200:
			p.wantEnded(t, login)
		case 401:
		default:
			t.Errorf("login: %d %s", login.status, login.body)
		}
	}
	return statuses
}

// wantEnded wants that a session has ended: at once where it would be refreshed, and within the bound at every judge.
func (p *someone) wantEnded(t *testing.T, session answer) {
	t.Helper()
	for i := range p.c.nodes {
		if got, err := call("POST", p.at(i)+"/refresh", "", refreshBody(session.member("refresh_token"))); err != nil || got.status != 400 {
			t.Errorf("refresh of a session that was ended: %d %s, %v", got.status, got.body, err)
		}
	}
	for _, j := range p.c.judges() {
		if _, err := j.await(session.member("access_token"), 401, p.c.bound); err != nil {
			t.Error(err)
		}
	}
}

// wantLive wants that no judge refuses a session, and that it goes on.
func (p *someone) wantLive(t *testing.T, session answer) {
	t.Helper()
	for _, j := range p.c.judges() {
		if got := j.status(session.member("access_token")); got != 200 {
			t.Errorf("%s says %d of a session that was begun after the end of all", j.name, got)
		}
	}
	if got, err := call("POST", p.at(0)+"/refresh", "", refreshBody(session.member("refresh_token"))); err != nil || got.status != 200 {
		t.Errorf("refresh: %d %s, %v", got.status, got.body, err)
	}
}

// issuedAt returns the second in which an access token was made.
func issuedAt(t *testing.T, session answer) int64 {
	t.Helper()
	_, text, err := inspect.Decode(session.member("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.IssuedAt
}
