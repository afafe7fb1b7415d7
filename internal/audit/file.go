package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/doorward/doorward/internal/strict"
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
// is no export, has no end, or says anything beside what Export wrote.
func ReadExport(from io.Reader) (Source, error) {
	f := &file{lines: bufio.NewScanner(from)}
	f.lines.Buffer(nil, lineBytes)
	line, err := f.next()
	if err != nil {
		return nil, err
	}
	if f.start, err = decoded(line, startJSON.anchor); err != nil {
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
			if r.Block != b.Number {
				return page, f.wrong(errors.New("a record of another block than it stands in"))
			}
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
	line, err := f.next()
	if err != nil {
		return nil, err
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, f.wrong(err)
	}
	switch head.Type {
	case "key":
		var k StoredKey
		k, err = decoded(line, keyJSON.key)
		switch n := len(f.keys); {
		case err != nil || n == mostKeys:
		case n > 0 && k.Number <= f.keys[n-1].Number:
			err = errors.New("a key that is there already")
		default:
			f.keys = append(f.keys, k)
		}
	case "block":
		var b Block
		b, err = decoded(line, blockJSON.block)
		f.ahead = &b
	case "record":
		var r Record
		if r, err = decoded(line, recordJSON.record); err == nil {
			return &r, nil
		}
	case "end":
		f.end, err = decoded(line, endJSON.head)
		if f.ended = true; err == nil && (f.lines.Scan() || f.lines.Err() != nil) {
			err = errors.New("there is something after the end")
		}
	default:
		err = errors.New("a line of no known type")
	}
	if err != nil {
		return nil, f.wrong(err)
	}
	return nil, nil
}

// next returns the next line.
func (f *file) next() ([]byte, error) {
	f.line++
	if f.lines.Scan() {
		return f.lines.Bytes(), nil
	}
	err := f.lines.Err()
	if err == nil {
		err = errors.New("the file ends before its end")
	}
	return nil, f.wrong(err)
}

// decoded reads a line. It is refused unless it says what Export writes of such a value, no more, no less and nothing twice:
// nothing may stand in an export that verifies, for somebody to read there, and not be what was sealed. Only when a key was
// made is sealed nowhere.
func decoded[J, V any](line []byte, value func(J) (V, error)) (V, error) {
	var none V
	var j J
	if err := json.Unmarshal(line, &j); err != nil {
		return none, err
	}
	var written bytes.Buffer
	if err := writeLine(&written, j); err != nil {
		return none, err
	}
	if again := bytes.TrimSuffix(written.Bytes(), []byte("\n")); !bytes.Equal(line, again) {
		if err := checkSame(line, again); err != nil {
			return none, err
		}
	}
	return value(j)
}

// checkSame compares two lines, of which somebody may have changed the spaces, the order and the escapes of one.
func checkSame(line, written []byte) error {
	var said, says map[string]any
	err := errors.Join(strict.Object(line, 2, nil), unmarshalExactly(line, &said), unmarshalExactly(written, &says))
	if err == nil && !reflect.DeepEqual(said, says) {
		err = errors.New("the line says something else than an export does")
	}
	return err
}

// unmarshalExactly decodes with every digit of a number.
func unmarshalExactly(text []byte, into *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

func (f *file) wrong(err error) error { return fmt.Errorf("line %d: %w", f.line, err) }
