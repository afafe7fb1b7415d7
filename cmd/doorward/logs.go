package main

import (
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/lmittmann/tint"
)

// newLogger writes records of level and above to w: JSON for machines, text for a terminal.
func newLogger(w io.Writer, cfg *config.Config, level *slog.LevelVar) *slog.Logger {
	setLevel(level, cfg)
	terminal := isTerminal(w)
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && terminal {
		colour := terminal && os.Getenv("NO_COLOR") == ""
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: !colour}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// setLevel makes level what cfg says; what cfg cannot say leaves it as it is.
func setLevel(level *slog.LevelVar, cfg *config.Config) {
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
}

// catchStrays makes records of what net/http and others say by the standard loggers.
func catchStrays(log *slog.Logger) {
	slog.SetDefault(log)
	stdlog.SetFlags(0)
	stdlog.SetOutput(strays{log})
}

// strays are lines of the standard logger. What they quote, an upstream may have sent to somebody: it is left out.
type strays struct{ log *slog.Logger }

func (s strays) Write(line []byte) (int, error) {
	text, _, _ := strings.Cut(strings.TrimSpace(string(line)), `"`)
	s.log.Warn("a library says", "text", text)
	return len(line), nil
}
