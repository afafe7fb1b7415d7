package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// cluster is real processes: servers on one PostgreSQL, and services that check tokens by themselves. Each server
// reaches the database, and each service the servers, over a wire of its own.
type cluster struct {
	t        *testing.T
	pg       *postgrestest.Server
	url      string // of the database, past the wires
	key      string // file of the master key
	config   string // file of settings that all nodes have
	bound    time.Duration
	login    string // the body of a login that is good
	front    *wire  // leads to a node that is up, and is the issuer's URL
	nodes    []*member
	services []*follower
}

// clusterConfig says what a cluster is made of.
type clusterConfig struct {
	nodes, services int
	bound           time.Duration // max_staleness of all
	settings        string        // further lines of the configuration file
	program         string        // that nodes run; "" is the usual one
	clocks          []string      // by how many seconds the clocks of the nodes are wrong, and after each SIGUSR1
	service         string        // the program of services; "" is the usual one
	serviceClocks   []string      // as clocks
}

// clockVariable holds the seconds by which the wall clock of a process is wrong, if it is one of skewedBinary.
const clockVariable = "TEST_CLOCK_SECONDS"

// member is one server of a cluster.
type member struct {
	*process
	address string // its URL, which outlives the process
	link    *wire  // to the database
	env     []string
	args    []string
}

// follower is a service of a cluster.
type follower struct {
	*service
	link *wire // to the servers
}

// judge is a place that judges access tokens.
type judge struct{ name, url string }

func startCluster(t *testing.T, cfg clusterConfig) *cluster {
	t.Helper()
	c := &cluster{t: t, pg: postgrestest.Start(t, "fsync=off"), bound: cfg.bound}
	c.url = c.pg.Database(t)
	base := t.TempDir()
	c.key, c.config = filepath.Join(base, "master.key"), filepath.Join(base, "doorward.yaml")
	command(t, failure.ExitDone, "", "key", "new-master", c.key)
	settings := fmt.Sprintf("max_staleness: %s\nmaster_key_file: %s\n%s", cfg.bound, c.key, cfg.settings)
	if err := os.WriteFile(c.config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c.front = newWire(t)
	c.nodes = make([]*member, cfg.nodes)
	for i := range c.nodes {
		c.nodes[i] = c.newMember(filepath.Join(base, fmt.Sprint("node", i)), cfg, i)
	}
	c.startNodes(cmp.Or(cfg.program, binary))
	c.front.lead(c.addresses(0)...)
	c.startServices(cfg)
	c.login = credentials("alice", firstLine(c.command("user", "add", "alice")))
	return c
}

func (c *cluster) newMember(dir string, cfg clusterConfig, i int) *member {
	m := &member{link: newWire(c.t, c.pg.Socket())}
	address := url.URL{
		Scheme: "postgres", User: url.User(postgrestest.Role), Host: m.link.address(),
		Path: "/" + postgrestest.Name(c.url), RawQuery: "sslmode=disable",
	}
	m.env = []string{"DOORWARD_DATABASE=" + address.String()}
	if i < len(cfg.clocks) {
		m.env = append(m.env, clockVariable+"="+cfg.clocks[i])
	}
	m.args = []string{"--config", c.config, "--issuer", c.front.url()}
	m.process = &process{dir: dir}
	return m
}

// startNodes starts all nodes at once.
func (c *cluster) startNodes(program string) {
	c.t.Helper()
	errs := make([]error, len(c.nodes))
	var starting sync.WaitGroup
	for i, m := range c.nodes {
		starting.Go(func() { errs[i] = m.start(program) })
	}
	starting.Wait()
	for i, m := range c.nodes {
		if errs[i] != nil {
			c.t.Fatal(errs[i])
		}
		c.t.Cleanup(func() {
			if err := m.stop(); err != nil {
				c.t.Errorf("stop: %v\n%s", err, m.logs.text())
			}
		})
	}
}

func (m *member) start(program string) error {
	p, err := startProgram(program, "", m.dir, m.env, m.args...)
	if err == nil {
		m.process, m.address = p, p.url
	}
	return err
}

// restart starts a node that was killed, at the address that it had.
func (m *member) restart() error {
	p, err := startServer(m.dir, m.env, append(m.args, "--listen", strings.TrimPrefix(m.address, "http://"))...)
	if err == nil {
		m.process = p
	}
	return err
}

// addresses returns those of the nodes, beginning with one of them.
func (c *cluster) addresses(first int) []string {
	var all []string
	for i := range c.nodes {
		all = append(all, strings.TrimPrefix(c.nodes[(first+i)%len(c.nodes)].address, "http://"))
	}
	return all
}

// startServices starts services that follow the nodes, each beginning with another.
func (c *cluster) startServices(cfg clusterConfig) {
	c.t.Helper()
	out := c.command("client", "add", "services", "--scope", "revocations:read", "--json")
	var added struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &added); err != nil {
		c.t.Fatal(err)
	}
	path, err := cfg.service, error(nil)
	if path == "" {
		path, err = serviceBinary()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range cfg.services {
		var env []string
		if i < len(cfg.serviceClocks) {
			env = append(env, clockVariable+"="+cfg.serviceClocks[i])
		}
		link := newWire(c.t, c.addresses(i)...)
		c.services = append(c.services, &follower{runService(c.t, path, env, added.Secret,
			"-issuer", c.front.url(), "-audience", c.front.url(), "-revocations", link.url()+"/revocations",
			"-client", added.ID, "-max-staleness", c.bound.String()), link})
	}
}

// command runs a command on the database and returns what it prints.
func (c *cluster) command(args ...string) string {
	c.t.Helper()
	out, _ := command(c.t, failure.ExitDone, "", append(args, "--config", c.config, "--database", c.url)...)
	return out
}

// judges returns the nodes and the services.
func (c *cluster) judges() []judge {
	var all []judge
	for i, m := range c.nodes {
		all = append(all, judge{fmt.Sprint("node ", i), m.address + "/protected"})
	}
	for i, f := range c.services {
		all = append(all, judge{fmt.Sprint("service ", i), f.url + "/orders"})
	}
	return all
}

// status is what a judge says of a token: 200 accepts it, 401 refuses it, 503 does not know; 0 is no answer.
func (j judge) status(token string) int {
	got, err := call("GET", j.url, token, "")
	if err != nil {
		return 0
	}
	return got.status
}

// await waits until a judge says so, and returns how long that took.
func (j judge) await(token string, status int, limit time.Duration) (time.Duration, error) {
	begun := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		asked := time.Now()
		got := j.status(token)
		if got == status {
			return time.Since(begun), nil
		}
		if asked.Sub(begun) > limit {
			return 0, fmt.Errorf("%s says %d after %v, want %d", j.name, got, asked.Sub(begun), status)
		}
		<-tick.C
	}
}

// awaitAll waits until all judges accept a token.
func (c *cluster) awaitAll(token string, limit time.Duration) {
	c.t.Helper()
	for _, j := range c.judges() {
		if _, err := j.await(token, 200, limit); err != nil {
			c.t.Fatal(err)
		}
	}
}

// mint makes sessions without a password, as "doorward token issue" does: those that a test needs by the thousand.
func (c *cluster) mint(n int) []issuer.TokenSet {
	c.t.Helper()
	store, err := postgres.Open(c.t.Context(), postgres.Config{URL: c.url})
	if err != nil {
		c.t.Fatal(err)
	}
	defer store.Close()
	text, err := os.ReadFile(c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := issuer.ParseMasterKey(strings.TrimSpace(string(text)))
	if err != nil {
		c.t.Fatal(err)
	}
	iss, err := issuer.New(c.t.Context(), issuer.Config{Issuer: c.front.url(), Store: store, MasterKey: key, Subjects: everyone{}})
	if err != nil {
		c.t.Fatal(err)
	}
	sets := make([]issuer.TokenSet, n)
	for i := range sets {
		attempt, err := iss.Begin(c.t.Context(), fmt.Sprint("minted", i%100))
		if err != nil {
			c.t.Fatal(err)
		}
		if sets[i], err = iss.Login(c.t.Context(), attempt, issuer.LoginRequest{}); err != nil {
			c.t.Fatal(err)
		}
	}
	return sets
}

// everyone is an issuer.Subjects to whom all are good.
type everyone struct{}

func (everyone) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{Active: true}, nil
}
