package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	driver "modernc.org/sqlite"
)

// prepare makes the file at path if there is none, makes it and its companions files that the
// owner alone reads and writes, and returns its absolute path. A restored copy may be read-only.
func prepare(path string) (string, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return path, errors.New("a path of a file is needed")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		if err := f.Close(); err != nil {
			return path, err
		}
		return path, syncFolder(path)
	}
	if !errors.Is(err, fs.ErrExist) {
		return path, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := giveMode(path + suffix); err != nil {
			return path, err
		}
	}
	return path, nil
}

func giveMode(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a folder")
	}
	if runtime.GOOS == "windows" || info.Mode().Perm() == 0o600 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// syncFolder makes the name of a new file durable.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // a folder cannot be synced there
		return nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// waitFor is how long a statement waits for the locks of another process.
const waitFor = 5 * time.Second

// openPool returns a pool of at most size connections to the file, whose statements wait
// for locks for as long as wait. The options are pairs of parameter and value, as the
// driver documents them.
func openPool(path string, size int, wait time.Duration, options ...string) (*sql.DB, error) {
	query := url.Values{
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_error_rc":  {"1"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds()), "foreign_keys(1)", "trusted_schema(0)", "temp_store(2)",
			"synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
			"journal_size_limit(16777216)",
			"cache_size(-2000)", // KiB for each connection
		},
	}
	for i := 0; i < len(options); i += 2 {
		query.Add(options[i], options[i+1])
	}
	raw, err := driver.NewConnector(fileURI(path) + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector{raw})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive letter
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}
