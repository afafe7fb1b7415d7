// Package folder is about the data folder: who owns it, and the master key in or beside it.
package folder

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
	"github.com/doorward/doorward/cmd/doorward/internal/usage"
	"github.com/doorward/doorward/issuer"
)

// MustExist refuses a folder that no serve has filled. Args are the command line, for a hint.
func MustExist(cfg *config.Config, args []string) error {
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) {
		return failure.Failed(err, "doorward serve makes one; --data names another", "there is no data folder %s", cfg.Data)
	}
	if err := checkOwner(cfg, args); err != nil {
		return err
	}
	store, err := os.Stat(cfg.DatabasePath())
	if errors.Is(err, fs.ErrNotExist) {
		return failure.Failed(err, "doorward serve makes one; --data names another folder", "there is no store in the data folder %s", cfg.Data)
	}
	if err == nil && store.Size() == 0 {
		return failure.Failed(nil, "put a backup in its place, or doorward serve makes a new one", "the store %s is empty", cfg.DatabasePath())
	}
	return err
}

// Make makes the folder, mode 0700, where there is none. Args are the command line, for a hint.
func Make(cfg *config.Config, args []string) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return failure.Failed(err, "--data names another folder", "cannot make the data folder: %v", err)
	}
	return checkOwner(cfg, args)
}

// checkOwner refuses a folder of another user: files made in it now would not
// be readable for the server, or not for its owner. It refuses one in which
// everybody may put a store and users of their own, too.
func checkOwner(cfg *config.Config, args []string) error {
	owner, mine, err := ownerOf(cfg.Data)
	if err != nil {
		return err
	}
	if !mine {
		return failure.Refused("sudo -u "+owner+" "+usage.Line(args), "the data folder %s belongs to %s", cfg.Data, owner)
	}
	info, err := os.Stat(cfg.Data)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 {
		return failure.Refused("chmod o-w "+cfg.Data, "everybody may write to the data folder %s", cfg.Data)
	}
	return err
}

// Warn logs that a store was lost, and that the folder is open to other users. They can list its files, though not read
// them, and a group that may write to the folder can replace them.
func Warn(cfg *config.Config, log *slog.Logger) {
	if isEmptied(cfg) {
		log.Warn("the store is gone or empty: a new one is begun, without users and sessions", "store", cfg.DatabasePath(),
			"hint", "if there was one, stop doorward, put a backup in its place, and remove doorward.db-wal and doorward.db-shm")
	}
	info, err := os.Stat(cfg.Data)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		log.Warn("the data folder is open to other users", "data", cfg.Data, "mode", fmt.Sprintf("%#o", info.Mode().Perm()), "hint", "chmod 700 "+cfg.Data)
	}
}

// isEmptied reports whether the store is gone though a server has run on the folder, or has been cut to nothing. A first
// start that was cut short may leave an empty one, too.
func isEmptied(cfg *config.Config) bool {
	store, err := os.Stat(cfg.DatabasePath())
	if err == nil {
		return store.Size() == 0
	}
	_, served := os.Stat(cfg.ServingPath())
	return errors.Is(err, fs.ErrNotExist) && served == nil
}

// MasterKeyOrNew reads the master key, or makes one where all is new. Several processes may do so at once.
func MasterKeyOrNew(cfg *config.Config) (issuer.MasterKey, error) {
	if IsNew(cfg) {
		err := durable.Create(cfg.MasterKeyFile, issuer.GenerateMasterKey().Text()+"\n")
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return issuer.MasterKey{}, failure.Failed(err, "", "cannot write the master key: %v", err)
		}
	}
	return MasterKey(cfg)
}

// IsNew reports whether there is neither a master key nor a store, which another key would have sealed.
func IsNew(cfg *config.Config) bool {
	if cfg.OnPostgres() {
		return false
	}
	_, noKey := os.Stat(cfg.MasterKeyFile)
	_, noStore := os.Stat(cfg.DatabasePath())
	return errors.Is(noKey, fs.ErrNotExist) && errors.Is(noStore, fs.ErrNotExist)
}

// MasterKey reads the master key.
func MasterKey(cfg *config.Config) (issuer.MasterKey, error) {
	if err := sharedKey(cfg); err != nil {
		return issuer.MasterKey{}, err
	}
	key, err := ReadMasterKey(cfg.MasterKeyFile, forbidden(cfg), "put it back from where it is kept; without it the keys in the store cannot be read")
	named := cfg.Origin("master_key_file") != "default"
	if wrong, ok := errors.AsType[*failure.Error](err); ok && named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		wrong.Code = failure.ExitUsage // as for every other file that a setting names
	}
	return key, err
}

// sharedKey refuses to make up a master key for a database: every node needs the same one.
func sharedKey(cfg *config.Config) error {
	if cfg.OnPostgres() && cfg.Origin("master_key_file") == "default" {
		return failure.Misused("DOORWARD_MASTER_KEY_FILE names it: what other nodes have, or the master.key of the folder that was moved; for a new database doorward key new-master FILE makes one",
			"with a database the master key has to be given, since all nodes share it")
	}
	return nil
}

// forbidden is the part of the mode that the key's file must not have. A file
// that the operator named may be given to a group.
func forbidden(cfg *config.Config) fs.FileMode {
	if cfg.Origin("master_key_file") != "default" {
		return 0o007
	}
	return 0o077
}

// ReadMasterKey reads the master key in a file whose mode has none of the forbidden bits. Hint is for a file that is missing.
func ReadMasterKey(path string, forbidden fs.FileMode, hint string) (issuer.MasterKey, error) {
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

// CheckKeyFolder refuses a setting that puts the master key into a folder that does not exist. Only the data folder is made.
func CheckKeyFolder(cfg *config.Config) error {
	dir := filepath.Dir(cfg.MasterKeyFile)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && cfg.Origin("master_key_file") != "default" {
		return cfg.Problem("master_key_file", "mkdir -m 700 "+dir, "the folder %s does not exist", dir)
	}
	return nil
}

// RemovePasswordFile removes the file of the first password, which opens nothing any more.
func RemovePasswordFile(cfg *config.Config) error {
	if err := os.Remove(cfg.AdminPasswordPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure.Failed(err, "", "cannot remove the file of the first password: %v", err)
	}
	return nil
}
