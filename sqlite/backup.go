package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup writes a copy of the store, as of one moment, to a new file that only its
// owner can read. It returns when the copy is on the disk; until then there is no
// file at path. If there is a file already it returns [ErrExists]. Writers go on
// meanwhile.
//
// The copy has a history of its own: a verifier that followed this store reads the
// log of revocations again from its start when the copy is put in its place.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.engine.backup(ctx, path); err != nil {
		return fmt.Errorf("sqlite: backup to %q: %w", path, err)
	}
	return nil
}

func (e *engine) backup(ctx context.Context, path string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return ErrExists
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".doorward-backup-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		for _, left := range []string{temp.Name(), temp.Name() + "-journal"} {
			if gone := os.Remove(left); !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	if err := errors.Join(e.copyTo(ctx, temp.Name()), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := publish(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// copyTo copies the database into an empty file and gives the copy another lineage.
func (e *engine) copyTo(ctx context.Context, path string) error {
	if err := execIn(ctx, e.path, `VACUUM INTO $1`, path); err != nil {
		return err
	}
	return execIn(ctx, path, `UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'lineage'`)
}

// execIn executes one statement on a connection of its own.
func execIn(ctx context.Context, path, statement string, args ...any) error {
	db, err := openPool(path, 1, waitFor)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement, args...)
	return errors.Join(err, db.Close())
}

// publish gives a finished file its name, or returns ErrExists if that is taken.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case err == nil:
		return nil
	}
	// The file system has no links.
	if _, err := os.Lstat(path); err == nil {
		return ErrExists
	}
	return os.Rename(temp, path)
}
