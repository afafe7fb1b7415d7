package postgrestest

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user as whom the server runs; the zero account is that of this process.
type account struct {
	uid, gid uint32
}

// unprivileged returns an account that is not root, whom PostgreSQL refuses.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return account{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
	}
	return account{}, errors.New("neither a user postgres nor a user nobody to run as")
}

// give makes a folder the account's own.
func (a account) give(dir string) error {
	if a.uid == 0 {
		return nil
	}
	return os.Chown(dir, int(a.uid), int(a.gid))
}

func (a account) process() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the tests.
	if a.uid != 0 {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}
