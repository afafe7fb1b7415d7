// Package cause says what a log record tells of an error: its text, and whom it is about.
package cause

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
)

// Bounds of what is logged, in bytes.
const (
	maxReason = 512
	maxValue  = 200
)

// known is an error and what is known of it: names and values in turn.
type known struct {
	error
	pairs []string
}

func (k *known) Unwrap() error { return k.error }

// With returns err with names and values, in turn, that its log record is to have. Its text stays the same. A value must
// be no secret, and no mere claim of a client: a signature, a MAC or the store must vouch for it. Empty values are left
// out. A nil err stays nil.
func With(err error, pairs ...string) error {
	if err == nil {
		return nil
	}
	return &known{err, pairs}
}

// Attrs returns what the log says of err: its text as reason, then what With has added to it or to an error that it
// wraps. If two of them have the same name, the inner one counts. Each value is bounded.
func Attrs(err error) []slog.Attr {
	attrs := make([]slog.Attr, 1, 8)
	attrs[0] = slog.String("reason", Clip(text(err), maxReason))
	for k, ok := errors.AsType[*known](err); ok; k, ok = errors.AsType[*known](k.error) {
		for i := 0; i+1 < len(k.pairs); i += 2 {
			attrs = set(attrs, k.pairs[i], k.pairs[i+1])
		}
	}
	return attrs
}

func set(attrs []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	attr := slog.String(name, Clip(value, maxValue))
	if i := slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == name }); i >= 0 {
		attrs[i] = attr
		return attrs
	}
	return append(attrs, attr)
}

// text returns the text of an error in one line, with the name of each package once.
func text(err error) string {
	parts := strings.Split(strings.ReplaceAll(err.Error(), "\n", "; "), ": ")
	kept := make([]string, 0, len(parts))
	for _, part := range parts {
		if !isPackage(part) || !slices.Contains(kept, part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ": ")
}

// isPackage reports whether a part of a text can be the name that an error of a package begins with.
func isPackage(part string) bool {
	return part != "" && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == ""
}

// Clip shortens a text that comes from outside to at most so many bytes and an ellipsis.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
