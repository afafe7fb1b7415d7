package audit

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
)

// ErrOvertaken says that the retention has deleted records that were to be exported.
var ErrOvertaken = errors.New("audit: the retention has deleted records that were to be exported")

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

// Export writes the sealed records as JSON lines, in their order, with the blocks that seal them and the keys, which are
// sealed under the master key. [ReadExport] reads them. The record may be written and sealed meanwhile; the export ends
// with the last block there is when it comes to the end. The error is ErrOvertaken or one of src or to. What was written
// before an error has no end line, and ReadExport refuses it.
func Export(ctx context.Context, src Source, to io.Writer) error {
	out := bufio.NewWriter(to)
	page, err := src.AuditChain(ctx, 0)
	if err != nil {
		return err
	}
	if err := writeStart(out, page.Anchor); err != nil {
		return err
	}
	last, key := page.Anchor.Head, int64(0)
	for len(page.Blocks) > 0 {
		if page.Anchor.Number > last.Number {
			return ErrOvertaken
		}
		if key, err = writeKeys(out, page.Keys, key); err != nil {
			return err
		}
		if err := writePage(out, page); err != nil {
			return err
		}
		last = page.Blocks[len(page.Blocks)-1].Head
		if page, err = src.AuditChain(ctx, last.Number); err != nil {
			return err
		}
	}
	if _, err := writeKeys(out, page.Keys, key); err != nil {
		return err
	}
	if err := writeLine(out, endJSON{"end", last.String()}); err != nil {
		return err
	}
	return out.Flush()
}

func writeStart(to io.Writer, a Anchor) error {
	start := startJSON{Type: "start", Format: 1}
	if a != (Anchor{}) {
		start.Anchor = &anchorJSON{a.Number, text(a.MAC[:]), a.MadeAt.Format(TimeForm), a.Key, text(a.Proof[:])}
	}
	return writeLine(to, start)
}

// writeKeys writes the keys whose number is greater than after, and returns the number of the last one.
func writeKeys(to io.Writer, keys []StoredKey, after int64) (int64, error) {
	for _, k := range keys {
		if k.Number <= after {
			continue
		}
		after = k.Number
		if err := writeLine(to, keyJSON{"key", k.Number, k.ID, text(k.Sealed), k.CreatedAt.Format(TimeForm)}); err != nil {
			return after, err
		}
	}
	return after, nil
}

func writePage(to io.Writer, page Page) error {
	next := 0
	for _, b := range page.Blocks {
		err := writeLine(to, blockJSON{
			"block", b.Number, b.Count, b.First, b.Last, b.SealedAt.Format(TimeForm), text(b.Digest[:]), b.Key, text(b.MAC[:]),
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

func (j startJSON) anchor() (Anchor, error) {
	if j.Type != "start" || j.Format != 1 {
		return Anchor{}, errors.New("it does not begin like an export")
	}
	if j.Anchor == nil {
		return Anchor{}, nil
	}
	a := Anchor{Head: Head{Number: j.Anchor.Block}, Key: j.Anchor.Key}
	var err error
	a.MadeAt, err = parseTime(j.Anchor.MadeAt)
	return a, errors.Join(err, parse(a.MAC[:], j.Anchor.MAC), parse(a.Proof[:], j.Anchor.Proof))
}

func (j keyJSON) key() (k StoredKey, err error) {
	k = StoredKey{Number: j.Number, ID: j.ID}
	if k.CreatedAt, err = parseTime(j.CreatedAt); err == nil {
		k.Sealed, err = base64.RawURLEncoding.Strict().DecodeString(j.Sealed)
	}
	return k, err
}

func (j blockJSON) block() (b Block, err error) {
	b = Block{Head: Head{Number: j.Number}, Count: j.Count, First: j.First, Last: j.Last, Key: j.Key}
	b.SealedAt, err = parseTime(j.SealedAt)
	return b, errors.Join(err, parse(b.Digest[:], j.Digest), parse(b.MAC[:], j.MAC))
}

func (j endJSON) head() (Head, error) {
	h, err := ParseHead(j.Head)
	if err == nil && h.String() != j.Head {
		err = ErrHead // for people, space around it is ignored
	}
	return h, err
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
