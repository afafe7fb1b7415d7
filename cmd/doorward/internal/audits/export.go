package audits

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/audit"
	"github.com/spf13/cobra"
)

func exportCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the sealed record as JSON lines, or its head",
		Long: `Write the record as JSON lines to standard output: what is sealed, in its order, with
the blocks that seal it and their keys, which are sealed under the master key. "doorward
audit verify --file" verifies it without the store.

With --head write one line that stands for everything sealed so far. Keep it where nobody who
can write to the database can change it: with it "doorward audit verify --head" also
notices that the end of the record was cut off.`,
		Example: `  doorward audit export >audit.jsonl
  doorward audit export --head >/mnt/elsewhere/audit-head`,
		Args: shell.Want(),
	}
	head := cmd.Flags().Bool("head", false, "write the head alone")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			if *head {
				page, err := b.Store.Audit.AuditChain(ctx, math.MaxInt64)
				if err == nil {
					_, err = fmt.Fprintln(sh.Out, page.Last)
				}
				return err
			}
			ev := shell.Event()
			ev.Kind = audit.EventExport
			if err := b.Store.Audit.Record(ctx, ev); err != nil {
				return err
			}
			err := audit.Export(ctx, b.Store.Audit, sh.Out)
			if errors.Is(err, audit.ErrOvertaken) {
				return failure.Failed(nil, "run it again", "the retention has deleted records that were to be exported")
			}
			return err
		})
	}
	return cmd
}
