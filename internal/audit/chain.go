package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Errors of [Verify], and of [Sealer.Prune] if what it should delete is broken. Each wraps ErrBroken.
var (
	// ErrBroken says that the record is not what was sealed.
	ErrBroken = errors.New("audit: the record is broken")

	ErrRowChanged   = broken("a row was changed")
	ErrRowMissing   = broken("a row is missing")
	ErrRowAdded     = broken("a row was added")
	ErrBlockMissing = broken("the block is missing")
	ErrBlockChanged = broken("the block was changed or moved, or is of another record")
	ErrKeyMissing   = broken("the key of the block is missing")
	ErrKeyOrder     = broken("the key of the block had been replaced before it was sealed")
	ErrAnchor       = broken("where the record begins was not written by its retention")
	ErrTailCut      = broken("the record ends before the head: its end was cut off, or it is an older copy")
	ErrHistory      = broken("the block is not that of the head: it is the record of another history")
)

// ErrHeadOld says that the block of a head was deleted by the retention, so that there is
// nothing left to compare the head with.
var ErrHeadOld = errors.New("audit: the head is older than what the retention has left")

type brokenError struct{ text string }

func broken(text string) error { return &brokenError{text} }

func (e *brokenError) Error() string { return "audit: " + e.text }
func (*brokenError) Unwrap() error   { return ErrBroken }

// BrokenError names the first block that is broken.
type BrokenError struct {
	Block int64
	Err   error // one of the errors that wrap ErrBroken
}

func (e *BrokenError) Error() string { return fmt.Sprintf("%v: block %d", e.Err, e.Block) }

// Unwrap returns Err.
func (e *BrokenError) Unwrap() error { return e.Err }

// MaxRecords is how many records a block has at most.
const MaxRecords = 256

// Head is the end of a chain after one of its blocks. It is no secret. Somebody who keeps one
// elsewhere can tell later whether the chain was cut off before it. The zero Head is that of a
// record without blocks.
type Head struct {
	Number int64
	MAC    [32]byte
}

const headPrefix = "dwah1"

// ErrHead says that a text is no head.
var ErrHead = errors.New("audit: not a head: want " + headPrefix + ".NUMBER.MAC")

// String writes the head: dwah1, its number and its MAC in base64url.
func (h Head) String() string {
	return fmt.Sprintf("%s.%d.%s", headPrefix, h.Number, base64.RawURLEncoding.EncodeToString(h.MAC[:]))
}

// ParseHead reads what String wrote; space around it is ignored.
func ParseHead(text string) (Head, error) {
	text = strings.TrimSpace(text)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Head{}, ErrHead
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	mac, bad := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || bad != nil || len(mac) != 32 || number < 0 {
		return Head{}, ErrHead
	}
	h := Head{number, [32]byte(mac)}
	if h.String() != text || number == 0 && h != (Head{}) {
		return Head{}, ErrHead
	}
	return h, nil
}

// Block seals the records that have its number.
type Block struct {
	Head // Number counts from 1 without gaps
	// Count is how many records there are, 1 to MaxRecords; First and Last are the least and
	// the greatest Seq of them.
	Count, First, Last int64
	// SealedAt is the store's clock, to the millisecond. It may go back; the order of blocks
	// is that of their numbers.
	SealedAt time.Time
	Digest   [32]byte // of the records, in the order of Seq
	Key      string   // ID
}

// Anchor stands for the blocks that the retention has deleted: the chain goes on after the
// last of them. The zero Anchor stands for none.
type Anchor struct {
	Head
	MadeAt time.Time // to the millisecond
	Key    string    // ID
	Proof  [32]byte  // MAC of the other fields
}

// digest returns the SHA-256 of records. The encoding of a record tells where it ends.
func digest(records []Record) (sum [32]byte) {
	h := sha256.New()
	var b []byte
	for _, r := range records {
		b = r.appendTo(b[:0])
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// seal makes the block of records, which are in the order of Seq.
func (k key) seal(prev Head, records []Record, at time.Time) Block {
	b := Block{
		Head: Head{Number: prev.Number + 1}, Count: int64(len(records)),
		First: records[0].Seq, Last: records[len(records)-1].Seq,
		SealedAt: at, Digest: digest(records), Key: k.id,
	}
	b.MAC = k.mac(prev, b)
	return b
}

// mac authenticates a block and its place behind another. Every field but the last has a
// fixed width, so that no two blocks have the same text.
func (k key) mac(prev Head, b Block) [32]byte {
	text := append([]byte("doorward audit block 1\x00"), prev.MAC[:]...)
	for _, n := range []int64{b.Number, b.Count, b.First, b.Last, b.SealedAt.UnixMilli()} {
		text = binary.BigEndian.AppendUint64(text, uint64(n))
	}
	return k.sum(append(append(text, b.Digest[:]...), b.Key...))
}

// anchor makes the anchor that stands for the blocks up to last.
func (k key) anchor(last Head, at time.Time) Anchor {
	a := Anchor{Head: last, MadeAt: at, Key: k.id}
	a.Proof = k.prove(a)
	return a
}

func (k key) prove(a Anchor) [32]byte {
	text := append([]byte("doorward audit anchor 1\x00"), a.MAC[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(a.Number))
	text = binary.BigEndian.AppendUint64(text, uint64(a.MadeAt.UnixMilli()))
	return k.sum(append(text, a.Key...))
}

func (k key) sum(text []byte) [32]byte {
	h := hmac.New(sha256.New, k.secret[:])
	h.Write(text)
	return [32]byte(h.Sum(nil))
}

// chain checks the blocks of a record one after the other, and remembers how far it came.
type chain struct {
	keys Keys
	head Head
	key  int64 // the number of the key of the last block
}

// begin checks the anchor and begins behind it.
func (c *chain) begin(a Anchor) error {
	if a == (Anchor{}) {
		return nil
	}
	k, ok := c.keys.byID[a.Key]
	if !ok || a.Number < 1 || !equal(k.prove(a), a.Proof) {
		return &BrokenError{a.Number, ErrAnchor}
	}
	c.head = a.Head
	return nil
}

// block checks the next block without its records.
func (c *chain) block(b Block) error {
	want := c.head.Number + 1
	k, ok := c.keys.byID[b.Key]
	switch {
	case b.Number > want:
		return &BrokenError{want, ErrBlockMissing}
	case b.Number < want:
		return &BrokenError{b.Number, ErrBlockChanged}
	case !ok:
		return &BrokenError{want, ErrKeyMissing}
	case !equal(k.mac(c.head, b), b.MAC):
		return &BrokenError{want, ErrBlockChanged}
	case k.number < c.key:
		return &BrokenError{want, ErrKeyOrder}
	}
	c.head, c.key = b.Head, k.number
	return nil
}

// records checks the records that have the number of a block, which was checked before.
func (b Block) records(list []Record) error {
	n := int64(len(list))
	switch {
	case n < b.Count:
		return &BrokenError{b.Number, ErrRowMissing}
	case n > b.Count:
		return &BrokenError{b.Number, ErrRowAdded}
	case digest(list) != b.Digest:
		return &BrokenError{b.Number, ErrRowChanged}
	}
	return nil
}

func equal(a, b [32]byte) bool { return hmac.Equal(a[:], b[:]) }
