package audits

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func verifyCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Verify that nobody has changed the record",
		Long: `Verify each block of the record and each row in it. Of a record that somebody has
changed it names the first block that is broken and what is wrong with it, and exits
with 3. The server may run meanwhile.

What is not sealed yet is counted and cannot be verified; a running server seals once a
second. That the end of the record was cut off shows only against a head that "doorward
audit export --head" wrote before, which --head names: its text, or a file that holds it.

With --file verify an export without the store; the master key is wanted all the same.`,
		Example: `  doorward audit verify
  doorward audit verify --head /mnt/elsewhere/audit-head
  doorward audit verify --file audit.jsonl`,
		Args: shell.Want(),
	}
	head := cmd.Flags().String("head", "", "compare with a head: its `TEXT`, or the file that holds it")
	path := cmd.Flags().String("file", "", "verify the export in `FILE`, not the store")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var expect *audit.Head
		if cmd.Flags().Changed("head") {
			h, err := headOf(*head)
			if err != nil {
				return err
			}
			expect = &h
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			if cmd.Flags().Changed("file") {
				return verifyFile(ctx, sh, b.Config, *path, expect, *asJSON)
			}
			return verifyStore(ctx, sh, b, expect, *asJSON)
		})
	}
	return cmd
}

// headOf reads a head from the command line or from a file.
func headOf(text string) (audit.Head, error) {
	h, err := audit.ParseHead(text)
	if err == nil {
		return h, nil
	}
	f, openErr := os.Open(text)
	if openErr != nil {
		return h, failure.Misused("doorward audit export --head writes one", "--head: %q is no head, and no file that can be read", text)
	}
	const most = 1 << 10
	data, readErr := io.ReadAll(io.LimitReader(f, most))
	if err = errors.Join(readErr, f.Close()); err == nil {
		h, err = audit.ParseHead(string(data))
	}
	if err != nil {
		return h, failure.Misused("doorward audit export --head writes one", "--head: %s holds no head", text)
	}
	return h, nil
}

func verifyStore(ctx context.Context, sh shell.Shell, b *backend.Backend, expect *audit.Head, asJSON bool) error {
	n, oldest, err := b.Store.Audit.AuditWaiting(ctx)
	if err != nil {
		return err
	}
	return verify(ctx, sh, b.Config, b.Store.Audit, expect, func(v *audit.Verdict) { v.Wait(n, oldest) }, asJSON)
}

func verifyFile(ctx context.Context, sh shell.Shell, cfg *config.Config, path string, expect *audit.Head, asJSON bool) (err error) {
	opened, err := os.Open(path)
	if err != nil {
		return failure.Failed(err, "", "cannot read the export: %v", err)
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	f, err := audit.ReadExport(opened)
	if err != nil {
		return failure.Failed(err, "", "%s is no whole export: %v", path, err)
	}
	return verify(ctx, sh, cfg, f, expect, func(*audit.Verdict) {}, asJSON)
}

func verify(ctx context.Context, sh shell.Shell, cfg *config.Config, src audit.Source, expect *audit.Head, wait func(*audit.Verdict), asJSON bool) error {
	master, err := folder.MasterKey(cfg)
	if err != nil {
		return err
	}
	bar := sh.Progress("blocks verified")
	report, err := audit.Verify(ctx, src, master, expect, func(done, all int64) { bar.Show(int(done), done, all) })
	bar.Clear()
	if errors.Is(err, issuer.ErrMasterKey) {
		return failure.Refused("use the master key that the store has, or had when it was exported; if it is that, somebody has changed a key", "a key of the audit record does not open: %v", err)
	}
	out, other := report.Verdict(err)
	if other != nil {
		return failure.Failed(err, "", "the record cannot be read to its end: %v", err)
	}
	wait(&out)
	if asJSON {
		if err := sh.JSON(out); err != nil {
			return err
		}
	} else {
		tell(sh, out)
	}
	return verdict(sh, err, expect)
}

// tell writes what was seen for people.
func tell(sh shell.Shell, out audit.Verdict) {
	sh.Note("%s in %s verified, from block %d on", count(out.Records, "record"), count(out.Blocks, "block"), out.From)
	if out.Waiting > 0 {
		sh.Note("not sealed yet: %s, the first of %s", count(out.Waiting, "record"), ago.When(*out.Oldest))
	}
	if out.Verified {
		sh.Note("head %s", out.Head)
	}
}

// count is a number of things in words.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}

func verdict(sh shell.Shell, err error, expect *audit.Head) error {
	const look = "copy the database before anything else; docs/audit.md says what is still good"
	broken, ok := errors.AsType[*audit.BrokenError](err)
	switch {
	case ok:
		return failure.Refused(look, "the audit record is broken at block %d: %s", broken.Block, why(broken.Err))
	case errors.Is(err, audit.ErrHeadOld):
		return failure.Failed(err, "write a head more often than audit.retention is long",
			"the record verifies, but the head is of block %d, which was deleted after the retention: there is nothing to compare it with", expect.Number)
	case err == nil && expect != nil:
		sh.Note("the head of block %d is in it", expect.Number)
	}
	return err
}

func why(err error) string { return err.Error()[len("audit: "):] }
