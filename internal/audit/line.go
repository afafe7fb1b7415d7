package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/doorward/doorward/issuer"
)

// TimeForm is how times are written: RFC 3339 in UTC, to the millisecond that the record keeps.
const TimeForm = "2006-01-02T15:04:05.000Z"

// parseTime reads a time in the one spelling of TimeForm; time.Parse takes a comma for the point.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(TimeForm, text)
	if err == nil && t.Format(TimeForm) != text {
		err = errors.New("a time that is written in another way")
	}
	return t, err
}

// recordJSON is a record for programs, on one line. Its names are stable.
type recordJSON struct {
	Type      string           `json:"type"`
	Seq       int64            `json:"seq"`
	At        string           `json:"at"`
	Kind      issuer.EventKind `json:"kind"`
	Result    Result           `json:"result"`
	Actor     string           `json:"actor"`
	Subject   string           `json:"subject"`
	Session   string           `json:"session"`
	Address   string           `json:"address"`
	RequestID string           `json:"request_id"`
	Reason    string           `json:"reason"`
	Block     int64            `json:"block"` // 0 while it is not sealed
}

func jsonOf(r Record) recordJSON {
	return recordJSON{
		Type: "record", Seq: r.Seq, At: r.At.Format(TimeForm), Kind: r.Kind, Result: r.Result(), Actor: r.Actor, Subject: r.Subject,
		Session: r.Session, Address: r.Address, RequestID: r.RequestID, Reason: r.Reason, Block: r.Block,
	}
}

func (j recordJSON) record() (Record, error) {
	at, err := parseTime(j.At)
	r := Record{Seq: j.Seq, At: at, Block: j.Block, Event: issuer.Event{
		Kind: j.Kind, Actor: j.Actor, Subject: j.Subject, Session: j.Session, Address: j.Address, RequestID: j.RequestID, Reason: j.Reason,
	}}
	if err == nil && j.Result != r.Result() {
		err = errors.New("a result that does not follow from the kind")
	}
	return r, err
}

// WriteRecord writes a record as JSON on one line, in which what a terminal would obey is escaped.
func WriteRecord(to io.Writer, r Record) error { return writeLine(to, jsonOf(r)) }

// writeLine writes v as JSON on one line, in which what a terminal would obey is escaped.
func writeLine(to io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('\n')
	_, err = io.WriteString(to, b.String())
	return err
}
