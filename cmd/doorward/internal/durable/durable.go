// Package durable writes files that survive a crash, with all of their text or not at all.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Create makes a file with all of text, or returns fs.ErrExist and leaves
// what is there. The file survives a crash.
func Create(path, text string) error {
	return write(path, text, os.Link)
}

// Replace makes a file with all of text in the place of what is there.
func Replace(path, text string) error {
	return write(path, text, os.Rename)
}

func write(path, text string, place func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := place(tmp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
