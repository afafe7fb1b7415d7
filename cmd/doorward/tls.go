package main

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/cert"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// listenerTLS returns what the listener needs, nil for plain HTTP.
func listenerTLS(cfg *config.Config, log *slog.Logger) (*tls.Config, error) {
	if !cfg.TLS() {
		return nil, nil
	}
	files, err := cert.Load(cfg.TLSCert, cfg.TLSKey, log)
	if errors.Is(err, cert.ErrPair) {
		return nil, failure.Failed(err, "tls.cert holds the certificate chain and tls.key its private key, both PEM",
			"tls: %s, %s: %s", cfg.TLSCert, cfg.TLSKey, strings.TrimPrefix(err.Error(), cert.ErrPair.Error()+": tls: "))
	}
	if err != nil {
		return nil, failure.Failed(err, "", "tls: %v", err)
	}
	return files.Config(), nil
}
