package config

import (
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/internal/server"
)

// Setting is one thing that can be configured.
type Setting struct {
	Key   string // dotted path in the file
	Flag  string // "" when there is none
	Usage string
	// Shared settings belong to the data folder rather than to one process:
	// commands take them from the last serve when they are not set otherwise.
	Shared bool
	// Live settings are read again while the server runs. The others hold from its start to its end.
	Live bool

	secret   bool // shown as "redacted"
	nonempty bool // says where the store or a secret is, or what protects: an empty variable is a mistake, not "unset"
	bind     func(*Config) value
}

// Settings returns every setting, in the order in which they are printed.
func Settings() []Setting { return settings }

// Find returns the setting of a key.
func Find(key string) (Setting, bool) {
	for _, s := range settings {
		if s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

// Settled returns the settings that differ between two configurations and hold from the start to the end.
func Settled(before, after *Config) []string {
	var keys []string
	for _, s := range settings {
		if !s.Live && s.bind(before).text() != s.bind(after).text() {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// Env is the name of the environment variable.
func (s Setting) Env() string {
	return "DOORWARD_" + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Bool reports whether the setting is a switch.
func (s Setting) Bool() bool {
	_, ok := s.bind(Default()).(toggle)
	return ok
}

// DefaultText is the default as text, "" when there is none.
func (s Setting) DefaultText() string { return s.bind(Default()).text() }

var settings = slices.Concat(baseSettings, gateSettings)

var baseSettings = []Setting{
	{
		Key: "data", Flag: "data", Usage: "data folder `DIR`: store, master key, first password", nonempty: true,
		bind: func(c *Config) value { return text{&c.Data, isSomething} },
	},
	{
		Key: "database", Flag: "database", Usage: "`URL` of a PostgreSQL database, for many nodes (default a file in --data)", secret: true, nonempty: true,
		bind: func(c *Config) value { return secret{&c.Database, isDatabase} },
	},
	{
		Key: "database_file", Usage: "`FILE` with the URL of the database, which holds a password", nonempty: true,
		bind: func(c *Config) value { return text{&c.DatabaseFile, isSomething} },
	},
	{
		Key: "database_connections", Usage: "connections of this process to the PostgreSQL database, at most",
		bind: func(c *Config) value { return number{&c.DatabaseConnections, 2, 1000} },
	},
	{
		Key: "master_key_file", Usage: "`FILE` with the master key (default DIR/master.key)", nonempty: true,
		bind: func(c *Config) value { return text{&c.MasterKeyFile, isSomething} },
	},

	{
		Key: "listen", Flag: "listen", Usage: "`ADDRESS` to listen on, host:port",
		bind: func(c *Config) value { return text{&c.Listen, isAddress} },
	},
	{
		Key: "admin.listen", Usage: "`ADDRESS` of a listener of its own for /admin/v1, host:port (default none)",
		bind: func(c *Config) value { return text{&c.AdminListen, isAddress} },
	},
	{
		Key: "admin.export_hashes", Live: true, Usage: "let an admin export users with the hashes of their passwords over HTTP",
		bind: func(c *Config) value { return toggle{&c.ExportHashes} },
	},
	{
		Key: "metrics.listen", Flag: "metrics", Usage: "`ADDRESS` of a listener of its own for /metrics, host:port (default none)",
		bind: func(c *Config) value { return text{&c.MetricsListen, isAddress} },
	},
	{
		Key: "issuer", Flag: "issuer", Shared: true, Usage: "`URL` by which clients reach this server (default scheme and listen address)",
		bind: func(c *Config) value { return text{&c.Issuer, isIssuer} },
	},
	{
		Key: "audience", Flag: "audience", Shared: true, Usage: "audience `NAME` of tokens from /login (default the issuer)",
		bind: func(c *Config) value { return text{&c.Audience, isWord} },
	},
	{
		Key: "audiences", Shared: true, Usage: "further audiences that clients may ask for",
		bind: func(c *Config) value { return list{&c.Audiences, isWord} },
	},
	{
		Key: "access_ttl", Flag: "access-ttl", Shared: true, Usage: "lifetime `D` of access tokens",
		bind: func(c *Config) value { return span{&c.AccessTTL, 10 * time.Second, 22 * time.Hour} },
	},

	{
		Key: "session.idle", Shared: true, Usage: "a session lapses when it was not refreshed for so long",
		bind: func(c *Config) value { return span{&c.SessionIdle, time.Second, 10 * 365 * day} },
	},
	{
		Key: "session.absolute", Shared: true, Usage: "a session lapses so long after the login",
		bind: func(c *Config) value { return span{&c.SessionAbsolute, time.Second, 10 * 365 * day} },
	},
	{
		Key: "recent_login", Live: true, Usage: "a change of password wants a login not older than this",
		bind: func(c *Config) value { return span{&c.RecentLogin, time.Second, day} },
	},
	{
		Key: "max_staleness", Usage: "revocations that were not heard of for so long are out of date",
		bind: func(c *Config) value { return span{&c.MaxStaleness, 2 * time.Second, time.Hour} },
	},
	{
		Key: "stale", Usage: "while they are: refuse, or young:D for tokens issued less than D ago",
		bind: func(c *Config) value { return text{&c.Stale, isStale} },
	},

	{
		Key: "refresh.window", Shared: true, Usage: "a spent refresh token is answered without a note for so long",
		bind: func(c *Config) value { return span{&c.RefreshWindow, 0, 10 * time.Minute} },
	},
	{
		Key: "refresh.budget", Shared: true, Usage: "lost replies in a row that end a session",
		bind: func(c *Config) value { return number{&c.RefreshBudget, 1, 100} },
	},
	{
		Key: "refresh.strict", Shared: true, Usage: "each refresh token works once: window 0s, budget 1",
		bind: func(c *Config) value { return toggle{&c.RefreshStrict} },
	},
	{
		Key: "refresh.limit", Usage: "refreshes of one session in a minute, beyond which the answer is 429",
		bind: func(c *Config) value { return number{&c.RefreshLimit, 1, 100_000} },
	},

	{
		Key: "keys.algorithm", Shared: true, Usage: "EdDSA, ES256 or RS256",
		bind: func(c *Config) value { return text{&c.KeyAlgorithm, isOneOf("EdDSA", "ES256", "RS256")} },
	},
	{
		Key: "keys.lifetime", Shared: true, Usage: "a signing key is replaced after so long",
		bind: func(c *Config) value { return span{&c.KeyLifetime, time.Minute, 10 * 365 * day} },
	},
	{
		Key: "keys.publish_lead", Shared: true, Usage: "a new key is published so long before it signs",
		bind: func(c *Config) value { return span{&c.PublishLead, time.Second, 30 * day} },
	},

	{
		Key: "audit.retention", Usage: "records of the audit record are deleted so long after they were sealed; 0s for never",
		bind: func(c *Config) value { return span{&c.AuditRetention, 0, 100 * 365 * day} },
	},

	{
		Key: "tls.cert", Flag: "tls-cert", Usage: "certificate chain `FILE`, PEM; read again when it changes", nonempty: true,
		bind: func(c *Config) value { return text{&c.TLSCert, isSomething} },
	},
	{
		Key: "tls.key", Flag: "tls-key", Usage: "private key `FILE` of the certificate, PEM", nonempty: true,
		bind: func(c *Config) value { return text{&c.TLSKey, isSomething} },
	},
	{
		Key: "insecure_http", Flag: "insecure-http", Usage: "listen without TLS off loopback, because a proxy ends TLS",
		bind: func(c *Config) value { return toggle{&c.InsecureHTTP} },
	},

	{
		Key: "server.h2c", Usage: "speak HTTP/2 without TLS too, with a proxy that ends TLS and passes gRPC on",
		bind: func(c *Config) value { return toggle{&c.H2C} },
	},
	{
		Key: "server.prefix", Shared: true, Live: true, Usage: "path before Doorward's own endpoints, such as /auth",
		bind: func(c *Config) value { return text{&c.Prefix, server.CheckPrefix} },
	},
	{
		Key: "server.drain", Usage: "how long connections are still accepted after SIGTERM, while /readyz says 503",
		bind: func(c *Config) value { return span{&c.Drain, 0, 5 * time.Minute} },
	},
	{
		Key: "login.token_field", Live: true, Usage: "second name of the access token in the answer of /login",
		bind: func(c *Config) value { return text{&c.TokenField, server.CheckTokenField} },
	},
	{
		Key: "login.page", Live: true, Usage: "path or `URL` of a page where the gate sends browsers that have no good token",
		bind: func(c *Config) value { return text{&c.LoginPage, gate.CheckLoginPage} },
	},
	{
		Key: "login.hosts", Live: true, Usage: "hosts, such as app.example.com, whose whole addresses the login page is told to return to",
		bind: func(c *Config) value { return list{&c.LoginHosts, gate.CheckLoginHost} },
	},
	{
		Key: "cors.origins", Live: true, Usage: "origins whose scripts may call the API with a token",
		bind: func(c *Config) value { return list{&c.CORSOrigins, origin.CheckWeb} },
	},
	{
		Key: "cors.credentials", Live: true, Usage: "origins whose scripts may use cookie mode",
		bind: func(c *Config) value { return list{&c.CORSCredentials, origin.CheckWeb} },
	},
	{
		Key: "tokens.header", Live: true, Usage: "a header that may carry the access token, such as x-access-token",
		bind: func(c *Config) value { return text{&c.TokensHeader, isField} },
	},
	{
		Key: "tokens.cookie", Live: true, Usage: "a cookie that may carry the access token to the upstream's routes",
		bind: func(c *Config) value { return text{&c.TokensCookie, isField} },
	},
	{
		Key: "tokens.username", Shared: true, Usage: "write preferred_username into tokens",
		bind: func(c *Config) value { return toggle{&c.TokensUsername} },
	},
	{
		Key: "api_keys.header", Live: true, Usage: "a header that may carry an API key, such as X-API-Key",
		bind: func(c *Config) value { return text{&c.APIKeysHeader, isField} },
	},
	{
		Key: "accounts.registration", Usage: "closed, or open: anybody may register at /register",
		bind: func(c *Config) value { return text{&c.Registration, isOneOf("closed", "open")} },
	},
	{
		Key: "accounts.max_sessions", Shared: true, Usage: "live sessions of one user at once, beyond which a login ends the one used longest ago; 0 is any number",
		bind: func(c *Config) value { return number{&c.MaxSessions, 0, 10_000} },
	},
	{
		Key: "password.min_length", Shared: true, Usage: "shortest password that is accepted, in characters",
		bind: func(c *Config) value { return number{&c.PasswordMinLength, 8, 256} },
	},
	{
		Key: "password.breached_file", Shared: true, Usage: "`FILE` of SHA-1 digests, sorted, of passwords that are refused (default none)", nonempty: true,
		bind: func(c *Config) value { return text{&c.PasswordBreachedFile, isSomething} },
	},
	{
		Key: "log.level", Live: true, Usage: "debug, info, warn or error",
		bind: func(c *Config) value { return text{&c.LogLevel, isOneOf("debug", "info", "warn", "error")} },
	},
	{
		Key: "log.format", Usage: "auto, json or text; auto is text on a terminal",
		bind: func(c *Config) value { return text{&c.LogFormat, isOneOf("auto", "json", "text")} },
	},
	{
		Key: "limits.connections", Usage: "connections open at once",
		bind: func(c *Config) value { return number{&c.Connections, 1, 1_000_000} },
	},
	limit("limits.login_network", "wrong passwords in a minute from one network", func(c *Config) *int { return &c.LoginFailures.Network }),
	limit("limits.login_all", "wrong passwords in a minute from everywhere", func(c *Config) *int { return &c.LoginFailures.All }),
	limit("limits.refresh_network", "refused refreshes in a minute from one network", func(c *Config) *int { return &c.RefreshFailures.Network }),
	limit("limits.refresh_all", "refused refreshes in a minute from everywhere", func(c *Config) *int { return &c.RefreshFailures.All }),
	limit("limits.forward_network", "tokens refused by forward-auth in a minute from one network", func(c *Config) *int { return &c.ForwardFailures.Network }),
	limit("limits.forward_all", "tokens refused by forward-auth in a minute from everywhere", func(c *Config) *int { return &c.ForwardFailures.All }),
	limit("limits.reset_network", "wrong reset links in a minute from one network", func(c *Config) *int { return &c.ResetFailures.Network }),
	limit("limits.reset_all", "wrong reset links in a minute from everywhere", func(c *Config) *int { return &c.ResetFailures.All }),
	limit("limits.register_network", "registrations in a minute from one network", func(c *Config) *int { return &c.Registrations.Network }),
	limit("limits.register_all", "registrations in a minute from everywhere", func(c *Config) *int { return &c.Registrations.All }),
	limit("limits.api_keys_network", "wrong API keys in a minute from one network", func(c *Config) *int { return &c.KeyFailures.Network }).settled(),
	limit("limits.api_keys_all", "wrong API keys in a minute from everywhere", func(c *Config) *int { return &c.KeyFailures.All }).settled(),
	limit("limits.client_network", "wrong client credentials in a minute from one network", func(c *Config) *int { return &c.ClientFailures.Network }),
	limit("limits.client_all", "wrong client credentials in a minute from everywhere", func(c *Config) *int { return &c.ClientFailures.All }),
	limit("limits.introspect_client", "introspections in a minute of tokens that are not active, by one client", func(c *Config) *int { return &c.Inactive.Network }),
	limit("limits.introspect_all", "introspections in a minute of tokens that are not active, by all clients", func(c *Config) *int { return &c.Inactive.All }),
}

// limit is a setting of how often something may be done.
func limit(key, what string, field func(*Config) *int) Setting {
	return Setting{
		Key: key, Live: true, Usage: what + ", beyond which the answer is 429",
		bind: func(c *Config) value { return number{field(c), 1, 1_000_000} },
	}
}

// settled returns the setting as one that holds from the start to the end.
func (s Setting) settled() Setting {
	s.Live = false
	return s
}
