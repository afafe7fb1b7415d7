// Package failure has the errors of commands: each with its exit code, and with what the person may do about it.
package failure

import "fmt"

// Exit codes. They are documented in the help of the root command.
const (
	ExitDone    = 0 // done
	ExitFailed  = 1 // could not do it
	ExitUsage   = 2 // the command line or the configuration is wrong; nothing was done
	ExitRefused = 3 // no such user, session or key; a token that is not valid; a folder of someone else
)

// Error is an error with what the person may do about it.
type Error struct {
	Code int
	Hint string // "" when there is none

	text string
	err  error // that it wraps; may be nil
}

// Error returns the text, without the hint.
func (e *Error) Error() string { return e.text }

// Unwrap returns what [Failed] was given.
func (e *Error) Unwrap() error { return e.err }

// Refused makes an error with [ExitRefused].
func Refused(hint, format string, args ...any) error {
	return &Error{Code: ExitRefused, Hint: hint, text: fmt.Sprintf(format, args...)}
}

// Misused makes an error with [ExitUsage].
func Misused(hint, format string, args ...any) error {
	return &Error{Code: ExitUsage, Hint: hint, text: fmt.Sprintf(format, args...)}
}

// Failed wraps an error that the person at the keyboard has not caused, with [ExitFailed].
func Failed(err error, hint, format string, args ...any) error {
	return &Error{Code: ExitFailed, Hint: hint, text: fmt.Sprintf(format, args...), err: err}
}
