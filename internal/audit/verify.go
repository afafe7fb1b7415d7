package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward/issuer"
)

// Report is what Verify has seen.
type Report struct {
	From    Anchor // where the record begins
	Head    Head   // its last block
	Blocks  int64
	Records int64 // that are sealed
}

// Verify reads a chain from its beginning to its end and checks every MAC and every record, in
// constant memory. Its error is a *[BrokenError], which names the first block that is broken,
// issuer.ErrMasterKey if a key of the record does not open, or one of the source. The report
// says how far it came.
//
// With expect, which may be nil, it also compares with a head that was kept: the error is
// ErrTailCut, ErrHistory or ErrHeadOld. Without one Verify cannot tell that the last blocks and
// their records were deleted from a store. The end line of an export shows that it was cut off by
// accident, but not on purpose: whoever cuts it can change that line too.
//
// It calls progress after each page with the number of the last block checked and that of the
// last block of the record. The record may be written, sealed and pruned meanwhile.
func Verify(ctx context.Context, src Source, master issuer.MasterKey, expect *Head, progress func(done, all int64)) (Report, error) {
	v := verifier{master: master, expect: expect}
	for first := true; ; first = false {
		page, err := src.AuditChain(ctx, v.head.Number)
		if err != nil {
			return v.report, err
		}
		if err := v.page(page, first); err != nil {
			return v.report, err
		}
		progress(v.head.Number, page.Last.Number)
		if len(page.Blocks) == 0 {
			return v.report, v.end(page.Last)
		}
	}
}

// Verdict is what a verification came to, for programs. Its JSON names are stable.
type Verdict struct {
	Verified bool       `json:"verified"`
	Broken   *int64     `json:"broken"` // the first block that is
	Why      string     `json:"why"`    // "" if Verified
	Blocks   int64      `json:"blocks"`
	Records  int64      `json:"records"`
	From     int64      `json:"from"` // the first block that is kept
	Head     string     `json:"head"`
	Waiting  int64      `json:"waiting"` // records that are not sealed
	Oldest   *time.Time `json:"oldest_waiting"`
}

// Verdict turns what [Verify] has returned, the report and err, into a Verdict. It returns an err that says nothing about
// the record, such as one of the source.
func (r Report) Verdict(err error) (Verdict, error) {
	v := Verdict{Verified: err == nil, Blocks: r.Blocks, Records: r.Records, From: r.From.Number + 1, Head: r.Head.String()}
	broken, ok := errors.AsType[*BrokenError](err)
	switch {
	case ok:
		v.Broken, v.Why = &broken.Block, broken.Err.Error()
	case errors.Is(err, ErrHeadOld):
		v.Why = ErrHeadOld.Error()
	case errors.Is(err, issuer.ErrMasterKey):
		v.Why = "audit: a key of the record does not open under the master key: somebody has changed it"
	default:
		return v, err
	}
	return v, nil
}

// Wait adds what waits to be sealed.
func (v *Verdict) Wait(n int64, oldest time.Time) {
	if v.Waiting = n; !oldest.IsZero() {
		oldest = oldest.UTC()
		v.Oldest = &oldest
	}
}

type verifier struct {
	chain
	master issuer.MasterKey
	stored []StoredKey // that chain.keys were opened from
	expect *Head
	report Report
}

func (v *verifier) page(page Page, first bool) error {
	if !slices.EqualFunc(page.Keys, v.stored, func(a, b StoredKey) bool { return a.Name() == b.Name() }) {
		keys, err := OpenKeys(v.master, page.Keys)
		if err != nil {
			return err
		}
		v.keys, v.stored = keys, page.Keys
	}
	// The retention may have deleted blocks that were to be read next.
	if first || page.Anchor.Number > v.head.Number {
		if err := v.begin(page.Anchor); err != nil {
			return err
		}
		v.report.From, v.report.Head = page.Anchor, v.head
		if page.Least != 0 && page.Least <= v.head.Number {
			return &BrokenError{page.Least, ErrRowAdded}
		}
		if err := v.compare(); err != nil {
			return err
		}
	}
	rest := page.Records
	for _, b := range page.Blocks {
		if err := v.block(b); err != nil {
			return err
		}
		if err := b.records(take(&rest, b.Number)); err != nil {
			return err
		}
		v.report.Head = v.head
		v.report.Blocks++
		v.report.Records += b.Count
		if err := v.compare(); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return &BrokenError{rest[0].Block, ErrBlockMissing}
	}
	return nil
}

// compare compares the last block that was checked with the head to expect, if that is of this block.
func (v *verifier) compare() error {
	if v.expect != nil && v.expect.Number == v.head.Number && *v.expect != v.head {
		return &BrokenError{v.head.Number, ErrHistory}
	}
	return nil
}

// end compares the last block that was read with the last one of the source, and with the head to expect.
func (v *verifier) end(last Head) error {
	switch {
	case last.Number != v.head.Number:
		return &BrokenError{v.head.Number + 1, ErrTailCut}
	case last != v.head:
		return &BrokenError{v.head.Number, ErrHistory}
	case v.expect == nil:
		return nil
	case v.expect.Number > v.head.Number:
		return &BrokenError{v.head.Number + 1, ErrTailCut}
	case v.expect.Number < v.report.From.Number:
		return ErrHeadOld
	}
	return nil
}
