package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/issuer"
)

// TestOwner runs commands on a data folder of somebody else.
func TestOwner(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such owner here")
	}
	dir, owner := "/", "root" // For everybody but root, the root folder belongs to somebody else.
	if os.Geteuid() == 0 {
		dir, owner = t.TempDir(), "nobody"
		if err := os.Chown(dir, 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"user", "list"},
		{"user", "add", "it's me"},
		{"session", "revoke", "--user", "alice"},
		{"key", "rotate"},
		{"token", "issue", "alice"},
		{"backup", "copy.db"},
		{"serve", "--listen", "127.0.0.1:0"},
	} {
		args = append(args, "--data", dir)
		_, errs := command(t, failure.ExitRefused, "", args...)
		quoted := strings.Replace(strings.Join(args, " "), "it's me", `'it'\''s me'`, 1)
		want := fmt.Sprintf("doorward: error: the data folder %s belongs to %s\ndoorward: hint: sudo -u %s doorward %s\n", dir, owner, owner, quoted)
		if errs != want {
			t.Errorf("got  %s\nwant %s", errs, want)
		}
	}
	for url, hint := range map[string]string{
		"postgres://u:h@x-7@db/doorward":      "postgres://u:PASSWORD@db/doorward",
		"postgres://u@db:5432/doorward":       "postgres://u@db:5432/doorward",
		"postgres://db/d?user=u&password=hx7": "'postgres://db/d?user=u&password=PASSWORD'",
	} {
		_, errs := command(t, failure.ExitRefused, "", "migrate", "--to", url, "--data", dir)
		if !strings.HasSuffix(errs, " doorward migrate --to "+hint+" --data "+dir+"\n") {
			t.Errorf("%s: %s", url, errs)
		}
	}
}

// TestAttack_H12 refuses a data folder in which everybody may put files.
func TestAttack_H12(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such mode here")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("doorward: error: everybody may write to the data folder %[1]s\ndoorward: hint: chmod o-w %[1]s\n", dir)
	for _, args := range [][]string{{"user", "list"}, {"serve", "--listen", "127.0.0.1:0"}} {
		if _, errs := command(t, failure.ExitRefused, "", append(args, "--data", dir)...); errs != want {
			t.Errorf("%v: got  %s\nwant %s", args, errs, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the refused folder holds %v, %v", left, err)
	}
}

// A folder that others may look into is told in the log, with its mode and what to do.
func TestOpenFolderIsTold(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such mode here")
	}
	for mode, want := range map[os.FileMode]bool{0o700: false, 0o750: true, 0o770: true, 0o701: true} {
		var log strings.Builder
		cfg := &config.Config{Data: t.TempDir()}
		if err := os.Chmod(cfg.Data, mode); err != nil {
			t.Fatal(err)
		}
		folder.Warn(cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), fmt.Sprintf("mode=%#o hint=\"chmod 700 ", mode)); got != want {
			t.Errorf("mode %#o: told %t, want %t: %s", mode, got, want, log.String())
		}
	}
}

// A store that was lost is not replaced by a new one in silence.
func TestLostStoreIsTold(t *testing.T) {
	t.Parallel()
	const told = "the store is gone or empty: a new one is begun"
	dir := filepath.Join(t.TempDir(), "data")
	store := filepath.Join(dir, "doorward.db")
	start := func(want bool) {
		t.Helper()
		s, err := startServer(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(s.logs.text(), told); got != want {
			t.Errorf("told %v, want %v:\n%s", got, want, s.logs.text())
		}
	}
	start(false)
	start(false)
	if err := os.Truncate(store, 0); err != nil {
		t.Fatal(err)
	}
	_, errs := command(t, failure.ExitFailed, "", "user", "list", "--data", dir)
	if !strings.Contains(errs, "the store "+store+" is empty") {
		t.Errorf("a command on an empty store: %s", errs)
	}
	if info, err := os.Stat(store); err != nil || info.Size() != 0 {
		t.Errorf("a command made a store of it: %v", err)
	}
	start(true)
	if err := os.Remove(store); err != nil {
		t.Fatal(err)
	}
	start(true)
	start(false)
}

// TestMasterKeyOnce makes one key from several processes that start at once.
func TestMasterKeyOnce(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Source{Flags: map[string]string{"data": t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	var keys [8]issuer.MasterKey
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = folder.MasterKeyOrNew(cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("two processes hold different keys")
		}
	}
	info, err := os.Stat(filepath.Join(cfg.Data, "master.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if names, _ := filepath.Glob(filepath.Join(cfg.Data, ".new-*")); len(names) > 0 {
		t.Errorf("left over: %v", names)
	}
}

// TestAttack_G07 prints what holds secrets in every way that a log or an error may.
func TestAttack_G07(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Source{Flags: map[string]string{"data": t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := folder.MasterKeyOrNew(cfg)
	if err != nil {
		t.Fatal(err)
	}
	store, err := backend.OpenStore(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	cfg.Database = config.NewSecret("postgres://doorward:hunter2hunter2@db.example.com/doorward")
	b, err := backend.New(cfg, store)
	if err != nil {
		t.Fatal(err)
	}
	iss, err := b.NewIssuer(t.Context(), b.IssuerConfig(key, nil))
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("all", "cfg", cfg, "key", key, "backend", b.Config)
	}
	values := []any{cfg, *cfg, key, &key, b, *b, iss, struct{ K issuer.MasterKey }{key}}
	for _, v := range values {
		text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v)
		if data, err := json.Marshal(v); err == nil {
			text += string(data)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%T prints the password of the database", v)
		}
		if strings.Contains(text, key.Text()) {
			t.Errorf("%T prints the master key", v)
		}
	}
	if strings.Contains(logged.String(), key.Text()) {
		t.Error("a log holds the master key")
	}
	stored, err := os.ReadFile(cfg.MasterKeyFile)
	if err != nil || strings.TrimSpace(string(stored)) != key.Text() {
		t.Fatalf("what was looked for is not what is stored: %v", err)
	}
	err = filepath.WalkDir(cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == cfg.MasterKeyFile {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), key.Text()) {
			t.Errorf("%s holds the master key", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
