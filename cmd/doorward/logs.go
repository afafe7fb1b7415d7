package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/lmittmann/tint"
)

// newLogger writes records to w: JSON for machines, text for a terminal.
func newLogger(w io.Writer, cfg *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	terminal := isTerminal(w)
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && terminal {
		colour := terminal && os.Getenv("NO_COLOR") == ""
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: !colour}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
