package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/cmd/doorward/internal/usage"
	"github.com/doorward/doorward/issuer"
)

// folder is the data folder: who owns it and the master key in or beside it.
type folder struct {
	shell shell.Shell
	cfg   *config.Config
}

// mustExist refuses a folder that no serve has filled.
func (f folder) mustExist() error {
	if _, err := os.Stat(f.cfg.Data); errors.Is(err, fs.ErrNotExist) {
		return failure.Failed(err, "doorward serve makes one; --data names another", "there is no data folder %s", f.cfg.Data)
	}
	if err := f.checkOwner(); err != nil {
		return err
	}
	store, err := os.Stat(f.cfg.DatabasePath())
	if errors.Is(err, fs.ErrNotExist) {
		return failure.Failed(err, "doorward serve makes one; --data names another folder", "there is no store in the data folder %s", f.cfg.Data)
	}
	if err == nil && store.Size() == 0 {
		return failure.Failed(nil, "put a backup in its place, or doorward serve makes a new one", "the store %s is empty", f.cfg.DatabasePath())
	}
	return err
}

// make makes the folder, mode 0700, where there is none.
func (f folder) make() error {
	if err := os.MkdirAll(f.cfg.Data, 0o700); err != nil {
		return failure.Failed(err, "--data names another folder", "cannot make the data folder: %v", err)
	}
	return f.checkOwner()
}

// checkOwner refuses a folder of another user: files made in it now would not
// be readable for the server, or not for its owner. It refuses one in which
// everybody may put a store and users of their own, too.
func (f folder) checkOwner() error {
	owner, mine, err := ownerOf(f.cfg.Data)
	if err != nil {
		return err
	}
	if !mine {
		return failure.Refused("sudo -u "+owner+" "+usage.Line(f.shell.Args), "the data folder %s belongs to %s", f.cfg.Data, owner)
	}
	info, err := os.Stat(f.cfg.Data)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 {
		return failure.Refused("chmod o-w "+f.cfg.Data, "everybody may write to the data folder %s", f.cfg.Data)
	}
	return err
}

// warn logs that a store was lost, and that the folder is open to other users. They can list its files, though not read
// them, and a group that may write to the folder can replace them.
func (f folder) warn(log *slog.Logger) {
	if f.isEmptied() {
		log.Warn("the store is gone or empty: a new one is begun, without users and sessions", "store", f.cfg.DatabasePath(),
			"hint", "if there was one, stop doorward, put a backup in its place, and remove doorward.db-wal and doorward.db-shm")
	}
	info, err := os.Stat(f.cfg.Data)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		log.Warn("the data folder is open to other users", "data", f.cfg.Data, "mode", fmt.Sprintf("%#o", info.Mode().Perm()), "hint", "chmod 700 "+f.cfg.Data)
	}
}

// masterKey reads the master key.
func (f folder) masterKey() (issuer.MasterKey, error) {
	if err := sharedKey(f.cfg); err != nil {
		return issuer.MasterKey{}, err
	}
	key, err := readMasterKey(f.cfg.MasterKeyFile, f.forbidden(), "put it back from where it is kept; without it the keys in the store cannot be read")
	named := f.cfg.Origin("master_key_file") != "default"
	if wrong, ok := errors.AsType[*failure.Error](err); ok && named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		wrong.Code = failure.ExitUsage // as for every other file that a setting names
	}
	return key, err
}

// readMasterKey reads the master key in a file whose mode has none of the forbidden bits. Hint is for a file that is missing.
func readMasterKey(path string, forbidden fs.FileMode, hint string) (issuer.MasterKey, error) {
	if err := config.SecretFile(path, forbidden); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return issuer.MasterKey{}, failure.Failed(err, hint, "there is no master key at %s", path)
		}
		hint := diagnosis.OfFile(err)
		if errors.Is(err, config.ErrMode) {
			hint = "chmod 600 " + path
		}
		return issuer.MasterKey{}, failure.Failed(err, hint, "master key: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return issuer.MasterKey{}, failure.Failed(err, diagnosis.OfFile(err), "master key: %v", err)
	}
	key, err := issuer.ParseMasterKey(string(text))
	if err != nil {
		return issuer.MasterKey{}, failure.Failed(err, "put it back from where it is kept", "%s: %s", path, strings.TrimPrefix(err.Error(), "issuer: "))
	}
	return key, nil
}

// keyFolder refuses a setting that puts the master key into a folder that does not exist. Only the data folder is made.
func (f folder) keyFolder() error {
	dir := filepath.Dir(f.cfg.MasterKeyFile)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && f.cfg.Origin("master_key_file") != "default" {
		return f.cfg.Problem("master_key_file", "mkdir -m 700 "+dir, "the folder %s does not exist", dir)
	}
	return nil
}

// forbidden is the part of the mode that the key's file must not have. A file
// that the operator named may be given to a group.
func (f folder) forbidden() fs.FileMode {
	if f.cfg.Origin("master_key_file") != "default" {
		return 0o007
	}
	return 0o077
}

// isNew reports whether there is neither a master key nor a store, which another key would have sealed.
func (f folder) isNew() bool {
	if f.cfg.OnPostgres() {
		return false
	}
	_, noKey := os.Stat(f.cfg.MasterKeyFile)
	_, noStore := os.Stat(f.cfg.DatabasePath())
	return errors.Is(noKey, fs.ErrNotExist) && errors.Is(noStore, fs.ErrNotExist)
}

// isEmptied reports whether the store is gone though a server has run on the folder, or has been cut to nothing. A first
// start that was cut short may leave an empty one, too.
func (f folder) isEmptied() bool {
	store, err := os.Stat(f.cfg.DatabasePath())
	if err == nil {
		return store.Size() == 0
	}
	_, served := os.Stat(f.cfg.ServingPath())
	return errors.Is(err, fs.ErrNotExist) && served == nil
}

// masterKeyOrNew reads the master key, or makes one where all is new. Several processes may do so at once.
func (f folder) masterKeyOrNew() (issuer.MasterKey, error) {
	if f.isNew() {
		err := durable.Create(f.cfg.MasterKeyFile, issuer.GenerateMasterKey().Text()+"\n")
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return issuer.MasterKey{}, failure.Failed(err, "", "cannot write the master key: %v", err)
		}
	}
	return f.masterKey()
}
