//go:build unix

package folder

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf returns who owns path, as sudo -u takes it, and whether we are that user.
func ownerOf(path string) (name string, mine bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return "", true, nil
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username, false, nil
	}
	return "'#" + id + "'", false, nil
}
