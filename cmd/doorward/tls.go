package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
)

// certificate is a pair of files that is read again when one of them changes. A
// handshake looks at most once a second. What cannot be read, or does not fit
// together, leaves the pair that is in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // guards the fields below
	pair    *tls.Certificate
	stamp   [2]stamp // of pair, or of the last pair that was refused
	checked time.Time
}

// stamp tells two states of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, checked: time.Now()}
	var err error
	if c.stamp, err = c.look(); err != nil {
		return nil, failed(err, "", "tls: %v", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, failed(err, "tls.cert holds the certificate chain and tls.key its private key, both PEM",
			"tls: %s, %s: %s", certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	c.pair = &pair
	return c, nil
}

// listenerTLS returns what the listener needs, nil for plain HTTP.
func listenerTLS(cfg *config.Config, log *slog.Logger) (*tls.Config, error) {
	if !cfg.TLS() {
		return nil, nil
	}
	cert, err := newCertificate(cfg.TLSCert, cfg.TLSKey, log)
	if err != nil {
		return nil, err
	}
	return cert.config(), nil
}

// config returns what a listener needs: TLS 1.2 or later, and Go's own choice of suites.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= time.Second {
		c.checked = time.Now()
		c.refresh()
	}
	return c.pair, nil
}

// refresh takes the files over if they have changed. Callers hold mu.
func (c *certificate) refresh() {
	now, err := c.look()
	if err != nil || now == c.stamp {
		return // A file that is away for a moment is being replaced.
	}
	c.stamp = now
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error("the new certificate is not used, the old one stays", "err", err)
		return
	}
	c.pair = &pair
	c.log.Info("the certificate was read again", "not_after", pair.Leaf.NotAfter)
}

func (c *certificate) look() ([2]stamp, error) {
	var stamps [2]stamp
	var faults error
	for i, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s: %w", path, cause(err)))
			continue
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, faults
}
