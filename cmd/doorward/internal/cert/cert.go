// Package cert serves a certificate from files that are read again when they change.
package cert

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// ErrPair says that the files are there and hold no certificate and its key.
var ErrPair = errors.New("cert: no certificate and its key")

// Files is a pair of files that is read again when one of them changes. A
// handshake looks at most once a second. What cannot be read, or does not fit
// together, leaves the pair that is in use.
type Files struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	stamp   [2]stamp // of pair, or of the last pair that was refused
	checked time.Time
	told    bool // that pair has expired
}

// stamp tells two states of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// Load reads a certificate chain and its private key, both PEM.
func Load(certFile, keyFile string, log *slog.Logger) (*Files, error) {
	f := &Files{certFile: certFile, keyFile: keyFile, log: log, checked: time.Now()}
	var err error
	if f.stamp, err = f.look(); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPair, err)
	}
	f.pair = &pair
	f.judge()
	return f, nil
}

// Config returns what a listener needs: TLS 1.2 or later, and Go's own choice of suites.
func (f *Files) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get}
}

func (f *Files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) >= time.Second {
		f.checked = time.Now()
		f.refresh()
		f.judge()
	}
	return f.pair, nil
}

// refresh takes the files over if they have changed. Callers hold mu.
func (f *Files) refresh() {
	now, err := f.look()
	if err != nil || now == f.stamp {
		return // A file that is away for a moment is being replaced.
	}
	f.stamp = now
	pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		f.log.Error("the new certificate is not used, the old one stays", "err", err)
		return
	}
	f.pair, f.told = &pair, false
	f.log.Info("the certificate was read again", "not_after", pair.Leaf.NotAfter)
}

// judge says once that the pair in use has expired: of a client that refuses it, the log has a line without the reason. Callers
// hold mu, or have made f.
func (f *Files) judge() {
	if until := f.pair.Leaf.NotAfter; !f.told && time.Now().After(until) {
		f.told = true
		f.log.Error("the certificate has expired, and clients refuse it", "file", f.certFile, "not_after", until)
	}
}

func (f *Files) look() ([2]stamp, error) {
	var stamps [2]stamp
	var faults error
	for i, path := range []string{f.certFile, f.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s: %w", path, cause(err)))
			continue
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, faults
}

// cause leaves out the operation and the path, which is named already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
