package audits

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/spf13/cobra"
)

// Lines of an export beside records. Their names are stable.
type (
	startJSON struct {
		Type   string      `json:"type"` // start
		Format int         `json:"format"`
		Anchor *anchorJSON `json:"anchor"` // null where the record is whole
	}
	anchorJSON struct {
		Block  int64  `json:"block"`
		MAC    string `json:"mac"`
		MadeAt string `json:"made_at"`
		Key    string `json:"key"`
		Proof  string `json:"proof"`
	}
	keyJSON struct {
		Type      string `json:"type"` // key
		Number    int64  `json:"number"`
		ID        string `json:"kid"`
		Sealed    string `json:"sealed"` // under the master key
		CreatedAt string `json:"created_at"`
	}
	blockJSON struct {
		Type     string `json:"type"` // block; the lines of its records follow
		Number   int64  `json:"number"`
		Count    int64  `json:"count"`
		First    int64  `json:"first"`
		Last     int64  `json:"last"`
		SealedAt string `json:"sealed_at"`
		Digest   string `json:"digest"`
		Key      string `json:"key"`
		MAC      string `json:"mac"`
	}
	endJSON struct {
		Type string `json:"type"` // end
		Head string `json:"head"`
	}
)

func (s Shell) exportCommand() *cobra.Command {
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
		Args: s.Want(),
	}
	head := cmd.Flags().Bool("head", false, "write the head alone")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.Beside(cmd, func(ctx context.Context, store Store) error {
			if *head {
				page, err := store.AuditChain(ctx, math.MaxInt64)
				if err == nil {
					_, err = fmt.Fprintln(s.Out, page.Last)
				}
				return err
			}
			ev := s.Event()
			ev.Kind = audit.EventExport
			if err := store.Record(ctx, ev); err != nil {
				return err
			}
			return s.export(ctx, store)
		})
	}
	return cmd
}

func (s Shell) export(ctx context.Context, store Store) error {
	to := bufio.NewWriter(s.Out)
	page, err := store.AuditChain(ctx, 0)
	if err != nil {
		return err
	}
	if err := writeStart(to, page.Anchor); err != nil {
		return err
	}
	last, key := page.Anchor.Head, int64(0)
	for len(page.Blocks) > 0 {
		if page.Anchor.Number > last.Number {
			return s.Failed(nil, "run it again", "the retention has deleted records that were to be exported")
		}
		if key, err = writeKeys(to, page.Keys, key); err != nil {
			return err
		}
		if err := writePage(to, page); err != nil {
			return err
		}
		last = page.Blocks[len(page.Blocks)-1].Head
		if page, err = store.AuditChain(ctx, last.Number); err != nil {
			return err
		}
	}
	if _, err := writeKeys(to, page.Keys, key); err != nil {
		return err
	}
	if err := writeLine(to, endJSON{"end", last.String()}); err != nil {
		return err
	}
	return to.Flush()
}

func writeStart(to io.Writer, a audit.Anchor) error {
	start := startJSON{Type: "start", Format: 1}
	if a != (audit.Anchor{}) {
		start.Anchor = &anchorJSON{a.Number, text(a.MAC[:]), a.MadeAt.Format(timeForm), a.Key, text(a.Proof[:])}
	}
	return writeLine(to, start)
}

// writeKeys writes the keys behind a number, and returns that of the last one.
func writeKeys(to io.Writer, keys []audit.StoredKey, after int64) (int64, error) {
	for _, k := range keys {
		if k.Number <= after {
			continue
		}
		after = k.Number
		if err := writeLine(to, keyJSON{"key", k.Number, k.ID, text(k.Sealed), k.CreatedAt.Format(timeForm)}); err != nil {
			return after, err
		}
	}
	return after, nil
}

func writePage(to io.Writer, page audit.Page) error {
	next := 0
	for _, b := range page.Blocks {
		err := writeLine(to, blockJSON{
			"block", b.Number, b.Count, b.First, b.Last, b.SealedAt.Format(timeForm), text(b.Digest[:]), b.Key, text(b.MAC[:]),
		})
		if err != nil {
			return err
		}
		for ; next < len(page.Records) && page.Records[next].Block <= b.Number; next++ {
			if err := writeLine(to, jsonOf(page.Records[next])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j startJSON) anchor() (audit.Anchor, error) {
	if j.Type != "start" || j.Format != 1 {
		return audit.Anchor{}, errors.New("it does not begin like an export")
	}
	if j.Anchor == nil {
		return audit.Anchor{}, nil
	}
	a := audit.Anchor{Head: audit.Head{Number: j.Anchor.Block}, Key: j.Anchor.Key}
	var err error
	a.MadeAt, err = time.Parse(timeForm, j.Anchor.MadeAt)
	return a, errors.Join(err, parse(a.MAC[:], j.Anchor.MAC), parse(a.Proof[:], j.Anchor.Proof))
}

func (j keyJSON) key() (k audit.StoredKey, err error) {
	k = audit.StoredKey{Number: j.Number, ID: j.ID}
	if k.CreatedAt, err = time.Parse(timeForm, j.CreatedAt); err == nil {
		k.Sealed, err = base64.RawURLEncoding.DecodeString(j.Sealed)
	}
	return k, err
}

func (j blockJSON) block() (b audit.Block, err error) {
	b = audit.Block{Head: audit.Head{Number: j.Number}, Count: j.Count, First: j.First, Last: j.Last, Key: j.Key}
	b.SealedAt, err = time.Parse(timeForm, j.SealedAt)
	return b, errors.Join(err, parse(b.Digest[:], j.Digest), parse(b.MAC[:], j.MAC))
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func parse(into []byte, s string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil && len(b) != len(into) {
		err = errors.New("a digest of another length")
	}
	copy(into, b)
	return err
}
