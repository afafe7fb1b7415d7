// Package backup keeps copies of a store in a folder on this machine. The names are made here, and nothing else in the
// folder is looked at.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/issuer"
)

// The kinds of issuer.Event for a copy that is made or removed. Event.Reason is the name of the copy.
const (
	EventMake   issuer.EventKind = "backup"
	EventRemove issuer.EventKind = "backup_delete"
)

// Most is how many copies a folder holds at most.
const Most = 10

var (
	// ErrBusy says that a copy is being made.
	ErrBusy = errors.New("backup: another copy is being made")
	// ErrMost says that there are [Most] copies.
	ErrMost = errors.New("backup: there are 10 copies already")
	// ErrNone says that there is no copy of this name.
	ErrNone = errors.New("backup: no such copy")
)

const (
	form = "doorward-20060102T150405.000Z.db"
	// unfinished begins the names of the files in which a store writes a copy before that gets its own name. One that was
	// not written to for as long as abandoned was left behind by a process that ended in the middle.
	unfinished = ".doorward-backup-"
	abandoned  = time.Hour
)

// Copy is a copy of the store, as of one moment.
type Copy struct {
	Name   string
	Bytes  int64
	MadeAt time.Time // in UTC, to the millisecond
}

// Folder is a folder of copies. It is safe for concurrent use.
type Folder struct {
	path string
	copy func(ctx context.Context, path string) error

	making sync.Mutex // held while a copy is made
}

// New returns the folder at path, which is made with the first copy. The function copy writes a copy to a new file that
// only its owner can read; if it fails, it leaves no file at path.
func New(path string, copy func(ctx context.Context, path string) error) *Folder {
	return &Folder{path: path, copy: copy}
}

// Make makes a copy. Before that it calls begin with the name, and stops if begin returns an error. It returns ErrBusy,
// ErrMost, or an error of begin or of the copying; after an error there is no copy. Several processes on one folder may
// together keep a few more than Most.
func (f *Folder) Make(ctx context.Context, begin func(name string) error) (Copy, error) {
	if !f.making.TryLock() {
		return Copy{}, ErrBusy
	}
	defer f.making.Unlock()
	if err := os.Mkdir(f.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Copy{}, fmt.Errorf("backup: %w", err)
	}
	list, err := f.List()
	if err != nil {
		return Copy{}, err
	}
	if len(list) >= Most {
		return Copy{}, ErrMost
	}
	if err := f.tidy(); err != nil {
		return Copy{}, err
	}
	name := time.Now().UTC().Format(form)
	if err := begin(name); err != nil {
		return Copy{}, err
	}
	if err := f.copy(ctx, filepath.Join(f.path, name)); err != nil {
		return Copy{}, fmt.Errorf("backup: %w", err)
	}
	return f.Find(name)
}

// tidy removes what processes have left behind that ended in the middle of a copy.
func (f *Folder) tidy() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), unfinished) || time.Since(info.ModTime()) < abandoned {
			continue
		}
		if err := os.Remove(filepath.Join(f.path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return nil
}

// List lists the copies, the newest first.
func (f *Folder) List() ([]Copy, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("backup: %w", err)
	}
	list := []Copy{}
	for _, e := range slices.Backward(entries) {
		c, err := f.Find(e.Name())
		if err == nil {
			list = append(list, c)
		} else if !errors.Is(err, ErrNone) {
			return nil, err
		}
	}
	return list, nil
}

// Find returns the copy of a name, or ErrNone.
func (f *Folder) Find(name string) (Copy, error) {
	at, err := time.Parse(form, name)
	if err != nil || at.Format(form) != name {
		return Copy{}, ErrNone
	}
	info, err := os.Lstat(filepath.Join(f.path, name))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
		return Copy{}, ErrNone
	case err != nil:
		return Copy{}, fmt.Errorf("backup: %w", err)
	}
	return Copy{Name: name, Bytes: info.Size(), MadeAt: at}, nil
}

// Remove removes the copy of a name, or returns ErrNone. Before that it calls begin, and stops if begin returns an error.
func (f *Folder) Remove(name string, begin func() error) error {
	if _, err := f.Find(name); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(f.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
