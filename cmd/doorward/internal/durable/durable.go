// Package durable writes files that survive a crash, with all of their text or not at all.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Create makes a file with all of text, or returns fs.ErrExist and leaves
// what is there. The file survives a crash.
func Create(path, text string) error {
	return about(path, write(path, text, os.Link))
}

// Replace makes a file with all of text in the place of what is there.
func Replace(path, text string) error {
	return about(path, write(path, text, os.Rename))
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

// about names the file that was asked for in an error that names a temporary one.
func about(path string, err error) error {
	if one, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "create", Path: path, Err: one.Err}
	}
	if two, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: "create", Path: path, Err: two.Err}
	}
	return err
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
