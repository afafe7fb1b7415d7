package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// firstAdmin makes the user admin in a store without users and tells their
// password once: on the terminal, or in a file of mode 0600.
func (n *node) firstAdmin(ctx context.Context) error {
	secret, err := n.People.EnsureAdmin(ctx, issuer.Event{Actor: "doorward", Reason: "first start"})
	if err != nil {
		return err
	}
	if secret == "" {
		return n.tidyAdmin(ctx)
	}
	setting := "DW_PASSWORD='" + secret + "'"
	if shell.IsTerminal(n.shell.Out) {
		fmt.Fprintf(n.shell.Out, "The user admin was made. Until this password is changed it gives no admin rights, and it works for 24 hours:\n\n    %s\n\n"+
			"doorward user passwd admin --password-stdin sets one of your own.\n\n", secret)
	} else {
		path, err := filepath.Abs(n.Config.AdminPasswordPath())
		if err != nil {
			return err
		}
		if err := folder.Make(n.Config, n.shell.Args); err != nil { // a node on a database has made none yet
			return failure.Failed(err, "doorward user passwd admin", "cannot write the password of admin: %v", err)
		}
		if err := durable.Replace(path, secret+"\n"); err != nil {
			return failure.Failed(err, "doorward user passwd admin", "cannot write the password of admin: %v", err)
		}
		n.log.Warn("the user admin was made; change the password within 24 hours", "password_file", path)
		setting = "DW_PASSWORD=$(cat '" + strings.ReplaceAll(path, "'", `'\''`) + "')"
	}
	fmt.Fprintf(n.shell.Out, "# Try it:\n%s\n%s", setting, tryIt(n.Config))
	return nil
}

// tidyAdmin removes the file of the first password once it opens nothing, and
// says when that password was never changed.
func (n *node) tidyAdmin(ctx context.Context) error {
	admin, err := n.People.ByName(ctx, account.RoleAdmin)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	expired := !admin.PasswordExpiresAt.IsZero() && time.Now().After(admin.PasswordExpiresAt)
	if expired {
		n.log.Warn("the first password of admin was not changed in time and has stopped working", "hint", "doorward user passwd admin")
	}
	if !admin.AdminWaits() || expired {
		return folder.RemovePasswordFile(n.Config)
	}
	if _, err := os.Stat(n.Config.AdminPasswordPath()); errors.Is(err, fs.ErrNotExist) {
		// It was shown on a terminal, or the first start was cut short before it was told at all.
		n.log.Warn("the password of admin gives no rights until it is changed, and is in no file; if nobody has seen it, set another", "hint", "doorward user passwd admin")
	}
	return nil
}

// tryIt is three lines for sh: log in, call, log out. The password comes from
// DW_PASSWORD and is in no argument of a process. Where tokens are for another
// service by default, the login asks for one that this server accepts.
func tryIt(cfg *config.Config) string {
	audience := ""
	if cfg.Audience != cfg.Issuer {
		audience = `,"audience":"` + strings.ReplaceAll(cfg.Issuer, "%", "%%") + `"` // for printf
	}
	sample := "/protected"
	if cfg.Upstream != "" { // There, the upstream answers.
		sample = "/me"
	}
	return fmt.Sprintf(`TOKEN=$(printf '{"username":"admin","password":"%%s"%[2]s}' "$DW_PASSWORD" | curl -sS -H 'Content-Type: application/json' -d @- %[1]s/login | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
curl -sS -H "Authorization: Bearer $TOKEN" %[1]s%[3]s
curl -sS -X POST -H "Authorization: Bearer $TOKEN" -w 'logged out: %%{http_code}\n' %[1]s/logout
`, cfg.Front(), audience, sample)
}
