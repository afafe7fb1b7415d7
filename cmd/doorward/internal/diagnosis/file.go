package diagnosis

import (
	"errors"
	"io/fs"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// OfFile returns a hint for an error of opening a file of the data folder, the store among them, "" where there is none.
func OfFile(err error) string {
	const owned = "the folder and all files in it belong to the user that runs the server; ls -l shows them"
	if errors.Is(err, fs.ErrPermission) {
		return owned
	}
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return ""
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR: // What cannot be mapped for lack of room is an I/O error, too.
		return "df shows whether the disk is full, and the kernel's log whether it fails"
	case lib.SQLITE_CANTOPEN:
		return owned
	}
	return ""
}
