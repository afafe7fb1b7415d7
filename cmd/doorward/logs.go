package main

import (
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/cmd/doorward/internal/spool"
	"github.com/lmittmann/tint"
)

// newLogger returns a logger that writes records of level and above to w: JSON for machines, text for a terminal. No
// request waits for whoever reads them; what must not be lost is in the audit record. The function writes what still waits, before
// the process ends.
func newLogger(w io.Writer, cfg *config.Config, level *slog.LevelVar) (*slog.Logger, func()) {
	setLevel(level, cfg)
	terminal := shell.IsTerminal(w)
	to := func(w io.Writer) *slog.Logger {
		if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && terminal {
			colour := terminal && os.Getenv("NO_COLOR") == ""
			return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, NoColor: !colour}))
		}
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	lines := spool.New(w, func(lost int) {
		to(w).Error("lines of the log are lost: whoever reads it was too slow", "lines", lost)
	})
	return to(lines), lines.Close
}

// setLevel makes level what cfg says; what cfg cannot say leaves it as it is.
func setLevel(level *slog.LevelVar, cfg *config.Config) {
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
}

// catchStrays makes log records of what net/http and other libraries print with the standard loggers.
func catchStrays(log *slog.Logger) {
	slog.SetDefault(log)
	stdlog.SetFlags(0)
	stdlog.SetOutput(strays{log})
}

// strays logs lines of the standard logger, up to the first quotation mark: what is quoted may be what an upstream has
// sent to somebody.
type strays struct{ log *slog.Logger }

func (s strays) Write(line []byte) (int, error) {
	text, _, _ := strings.Cut(strings.TrimSpace(string(line)), `"`)
	s.log.Warn("a library says", "text", text)
	return len(line), nil
}
