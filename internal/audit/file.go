package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	lineBytes = 1 << 20 // of a line of an export
	pageSize  = 4096    // records that are kept in memory at once
	mostKeys  = 100_000
)

// file is the [Source] that reads an export.
type file struct {
	lines *bufio.Scanner
	line  int
	start Anchor
	keys  []StoredKey
	ahead *Block // the block whose line was read last, and that no page holds yet
	end   Head
	ended bool
}

// ReadExport returns a Source of what [Export] wrote. It reads the beginning, up to the first block; the Source reads the
// rest, and can be read only once from the beginning to the end, as [Verify] does. Either returns an error for a text that
// is no export or has no end.
func ReadExport(from io.Reader) (Source, error) {
	f := &file{lines: bufio.NewScanner(from)}
	f.lines.Buffer(nil, lineBytes)
	var start startJSON
	if _, err := f.next(&start); err != nil {
		return nil, err
	}
	var err error
	if f.start, err = start.anchor(); err != nil {
		return nil, f.wrong(err)
	}
	for f.ahead == nil && !f.ended {
		if _, err := f.read(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// AuditChain returns the next blocks. It ignores its second argument, since the file can be read only in its order.
func (f *file) AuditChain(ctx context.Context, _ int64) (Page, error) {
	page := Page{Anchor: f.start, Last: f.end}
	for f.ahead != nil && len(page.Records) < pageSize && len(page.Blocks) < pageSize {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		b := *f.ahead
		f.ahead = nil
		page.Blocks = append(page.Blocks, b)
		for extra := 0; f.ahead == nil && !f.ended && extra < 2; {
			r, err := f.read()
			if err != nil {
				return page, err
			}
			if r == nil {
				continue
			}
			r.Block = b.Number // its place says to which block it belongs
			page.Records = append(page.Records, *r)
			if int64(len(page.Records)) > min(b.Count, MaxRecords)+pageSize {
				extra++
			}
		}
	}
	page.Keys = f.keys
	return page, nil
}

// read reads a line. It returns a record, and keeps what any other line holds in f.
func (f *file) read() (*Record, error) {
	var head struct {
		Type string `json:"type"`
	}
	line, err := f.next(&head)
	if err != nil {
		return nil, err
	}
	switch head.Type {
	case "key":
		var j keyJSON
		if err = json.Unmarshal(line, &j); err == nil && len(f.keys) < mostKeys {
			var k StoredKey
			k, err = j.key()
			f.keys = append(f.keys, k)
		}
	case "block":
		var j blockJSON
		if err = json.Unmarshal(line, &j); err == nil {
			var b Block
			b, err = j.block()
			f.ahead = &b
		}
	case "record":
		var j recordJSON
		if err = json.Unmarshal(line, &j); err == nil {
			r, bad := j.record()
			if bad == nil {
				return &r, nil
			}
			err = bad
		}
	case "end":
		var j endJSON
		if err = json.Unmarshal(line, &j); err == nil {
			f.end, err = ParseHead(j.Head)
			f.ended = true
		}
	default:
		err = errors.New("a line of no known type")
	}
	if err != nil {
		return nil, f.wrong(err)
	}
	return nil, nil
}

// next decodes a line.
func (f *file) next(into any) ([]byte, error) {
	f.line++
	if !f.lines.Scan() {
		err := f.lines.Err()
		if err == nil {
			err = errors.New("the file ends before its end")
		}
		return nil, f.wrong(err)
	}
	if err := json.Unmarshal(f.lines.Bytes(), into); err != nil {
		return nil, f.wrong(err)
	}
	return f.lines.Bytes(), nil
}

func (f *file) wrong(err error) error { return fmt.Errorf("line %d: %w", f.line, err) }
