package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

// serveSettings are the settings that serve has flags for.
var serveSettings = []string{"listen", "metrics.listen", "issuer", "audience", "access_ttl", "tls.cert", "tls.key", "insecure_http", "upstream"}

func serveCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. In an empty data folder it makes a master key, signing keys and
the user admin with a random password, which it shows on a terminal and otherwise
writes to DIR/admin-password. Until that password is changed it gives no admin
rights, and after 24 hours it stops working; "doorward user passwd admin" makes
another.

SIGHUP makes it read the configuration file again; one that is not good is refused
with its faults in the log, and the old one stays.

With --database several servers on several machines are one: give them the same
database, --issuer and DOORWARD_MASTER_KEY_FILE. The one that makes the user admin
shows the password, or writes it to its own DIR.

SIGTERM and SIGINT end it: /readyz turns to 503, requests under way have 15
seconds to finish, and the exit code is 0. Several servers may run on one data
folder of one machine; give them the same --issuer.`,
		Example: `  doorward serve
  doorward serve --upstream http://127.0.0.1:5000
  doorward serve --listen 0.0.0.0:8443 --issuer https://auth.example.com --tls-cert chain.pem --tls-key key.pem
  doorward serve --listen 10.0.0.5:8080 --issuer https://auth.example.com --insecure-http
  doorward serve --database postgres://doorward@db.example.com/doorward --issuer https://auth.example.com`,
		Args: shell.Want(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// From here on: SIGHUP ends a process that does not ask for it, and systemd takes that end for a wanted one.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			signal.Ignore(syscall.SIGPIPE) // Otherwise the next line of the log would end it if whoever reads the log is gone.
			cfg, err := config.Read(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runServer(ctx, sh, cfg, hangups, func() (*config.Config, error) { return config.Read(cmd) })
		},
	}
	config.AddFlags(cmd, serveSettings...)
	return cmd
}

// runServer runs until ctx ends. At each of hangups it reads the configuration again, with read.
func runServer(ctx context.Context, sh shell.Shell, cfg *config.Config, hangups <-chan os.Signal, read func() (*config.Config, error)) error {
	defer runtime.KeepAlive(heapRoom())
	level := &slog.LevelVar{}
	log, flush := newLogger(sh.Err, cfg, level)
	defer flush()
	catchStrays(log)
	for _, name := range config.Unknown(os.Environ()) {
		log.Warn("this environment variable means nothing here", "name", name)
	}
	if p := cfg.Exposed(); p != nil {
		log.Warn("a secret is open to other users", "err", p.Error(), "hint", p.Hint)
	}
	if err := checkFiles(cfg); err != nil {
		return err
	}
	tlsConfig, err := listenerTLS(cfg, log)
	if err != nil {
		return err
	}
	if !cfg.OnPostgres() {
		if err := folder.CheckKeyFolder(cfg); err != nil {
			return err
		}
		if err := folder.Make(cfg, sh.Args); err != nil {
			return err
		}
		folder.Warn(cfg, log)
	}
	key, err := folder.MasterKeyOrNew(cfg)
	if err != nil {
		return err
	}
	store, err := backend.OpenStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	b, err := backend.New(cfg, store)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	if b.BreachedErr != nil {
		return errors.Join(b.BreachedErr, store.Close())
	}
	n := &node{shell: sh, Backend: b, log: log, level: level, tls: tlsConfig, hangups: hangups, read: read, master: key}
	return errors.Join(n.run(ctx), b.Close(), store.Close())
}

// heapRoom returns memory that is never used. The garbage collector counts it as alive and runs the less often for it: a
// server that keeps 1 MiB alive would collect for every 3 MiB, which takes a tenth of a request through the gate. It has to
// be made before the first hash: memory that a hash has used would have to be cleared, and so be resident.
func heapRoom() []byte { return make([]byte, 8<<20) }
