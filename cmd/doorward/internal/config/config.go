// Package config reads the settings of the doorward binary: flags over the
// environment over one strict YAML file over defaults. One table, [Settings],
// gives each setting its key in the file, its environment variable and its flag.
package config

import (
	"net/url"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/internal/quota"
)

// Config is the effective configuration. What a field means, and which values it takes, is said by
// its [Setting]. It holds paths of secrets, and of secrets only the URL of a database.
type Config struct {
	Data          string // data folder
	MasterKeyFile string // file with the master key

	Database            Secret // URL of a PostgreSQL database
	DatabaseFile        string // file with that URL
	DatabaseConnections int    // of this process, at most

	Listen        string   // host:port
	AdminListen   string   // host:port of the admin API; "" for none of its own
	ExportHashes  bool     // an admin may have the hashes of passwords over HTTP
	MetricsListen string   // host:port; "" for no metrics
	Issuer        string   // "" until the address is known, when Listen has port 0
	Audience      string   // what /login writes when the client names none; "" means Issuer
	Audiences     []string // further audiences that clients may ask for

	AccessTTL       time.Duration
	SessionIdle     time.Duration
	SessionAbsolute time.Duration
	RecentLogin     time.Duration

	MaxStaleness time.Duration
	Stale        string // "refuse", or "young:" and a time

	RefreshWindow time.Duration
	RefreshBudget int
	RefreshStrict bool
	RefreshLimit  int // of one session in a minute, in this process

	KeyAlgorithm string
	KeyLifetime  time.Duration
	PublishLead  time.Duration

	AuditRetention time.Duration // 0 for ever

	TLSCert      string
	TLSKey       string
	InsecureHTTP bool
	H2C          bool

	Upstream            string // URL of the API that is guarded; "" for none
	UpstreamAudience    string // "" means the URL
	UpstreamTimeout     time.Duration
	UpstreamConnections int
	UpstreamCAFile      string
	UpstreamToken       *UpstreamToken
	Routes              []Route
	RoutesDefault       string
	RoutesCase          string
	Identity            Identity
	TokensCookie        string // a cookie that may carry the access token to the upstream
	TrustedProxies      []string

	Prefix            string        // of Doorward's own endpoints
	Drain             time.Duration // how long the server goes on when it is to stop
	TokenField        string        // second name of the access token in the answer of /login
	LoginPage         string        // where browsers are sent
	LoginHosts        []string
	CORSOrigins       []string
	CORSCredentials   []string
	TokensHeader      string // a header that may carry the access token, beside Authorization
	APIKeysHeader     string // a header that may carry an API key, beside Authorization
	TokensUsername    bool
	Registration      string // closed or open
	MaxSessions       int    // of one user at once; 0 is any number
	PasswordMinLength int
	// PasswordBreachedFile is absolute; "" for none.
	PasswordBreachedFile string
	LogLevel             string
	LogFormat            string
	Connections          int
	LoginFailures        Failures
	RefreshFailures      Failures
	ForwardFailures      Failures
	ResetFailures        Failures
	Registrations        Failures
	KeyFailures          Failures
	ClientFailures       Failures
	// Inactive is answers of /oauth/introspect; its Network is one client.
	Inactive Failures

	file   string            // that was read; "" for none
	origin map[string]string // where the value of a setting, by its key, came from; none for a default
}

// Failures is how many times something may go wrong in a minute, in this process.
type Failures struct {
	Network int // for one /24, or /48 of IPv6
	All     int // for everybody together
}

// Limits is f as a quota wants it.
func (f Failures) Limits() quota.Limits { return quota.Limits{Each: f.Network, All: f.All} }

// Default returns the configuration of a machine on which nothing is set.
func Default() *Config {
	return &Config{
		Data:            "doorward-data",
		Listen:          "127.0.0.1:8080",
		AccessTTL:       10 * time.Minute,
		SessionIdle:     14 * day,
		SessionAbsolute: 30 * day,
		RecentLogin:     5 * time.Minute,
		MaxStaleness:    time.Minute,
		Stale:           "refuse",
		RefreshWindow:   10 * time.Second,
		RefreshBudget:   3,
		RefreshLimit:    30,
		KeyAlgorithm:    "EdDSA",
		KeyLifetime:     90 * day,
		PublishLead:     10 * time.Minute,
		AuditRetention:  365 * day,
		TokensUsername:  true,

		DatabaseConnections: 16,

		UpstreamTimeout:     time.Minute,
		UpstreamConnections: 512,
		RoutesDefault:       "token",
		RoutesCase:          "ignore",

		Registration:      "closed",
		PasswordMinLength: 15,
		LogLevel:          "info",
		LogFormat:         "auto",
		Connections:       4096,
		LoginFailures:     Failures{100, 3000},
		RefreshFailures:   Failures{300, 30_000},
		ForwardFailures:   Failures{300, 30_000},
		ResetFailures:     Failures{100, 1000},
		Registrations:     Failures{10, 120},
		KeyFailures:       Failures{300, 30_000},
		ClientFailures:    Failures{120, 12_000},
		Inactive:          Failures{6000, 60_000},
		origin:            map[string]string{},
	}
}

// Origin says where the value of a setting came from: "default", "--flag",
// the name of an environment variable, or a file and line.
func (c *Config) Origin(key string) string {
	if where, ok := c.origin[key]; ok {
		return where
	}
	return "default"
}

// YoungWhenStale is how long ago a token may have been issued that is accepted while
// revocations are out of date; 0 for none.
func (c *Config) YoungWhenStale() time.Duration {
	young, _ := parseStale(c.Stale) // it was checked when it was read
	return young
}

// OnPostgres reports whether the store is a PostgreSQL database, and not a file in the data folder.
func (c *Config) OnPostgres() bool { return c.Database.reveal() != "" || c.DatabaseFile != "" }

// DatabasePath is the file of the store, where it is one.
func (c *Config) DatabasePath() string { return filepath.Join(c.Data, "doorward.db") }

// ServingPath is the file in which the last serve on the data folder left what
// commands beside it have to know.
func (c *Config) ServingPath() string { return filepath.Join(c.Data, "serving.yaml") }

// AdminPasswordPath is the file of the first password of admin, when no
// terminal was there to show it on.
func (c *Config) AdminPasswordPath() string { return filepath.Join(c.Data, "admin-password") }

// TLS reports whether the listener speaks TLS.
func (c *Config) TLS() bool { return c.TLSCert != "" }

// Resolve fills in what follows from the address that the listener got: the
// issuer, where none is set, and the audience.
func (c *Config) Resolve(addr string) {
	if c.Issuer == "" {
		c.Issuer = c.scheme() + "://" + addr
	}
	if c.Audience == "" {
		c.Audience = c.Issuer
	}
}

func (c *Config) scheme() string {
	if c.TLS() {
		return "https"
	}
	return "http"
}

// Front is where clients find Doorward's endpoints: on the issuer's host, whatever path the issuer has, below the prefix.
func (c *Config) Front() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return c.Prefix
	}
	return u.Scheme + "://" + u.Host + c.Prefix
}

// URL is where a listener on addr is reached.
func (c *Config) URL(addr string) string { return c.scheme() + "://" + addr }
