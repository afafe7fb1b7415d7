package audits

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// timeForm is RFC 3339 in UTC, to the millisecond that the record keeps.
const timeForm = "2006-01-02T15:04:05.000Z"

// recordJSON is a record for programs, on one line. Its names are stable.
type recordJSON struct {
	Type      string           `json:"type"`
	Seq       int64            `json:"seq"`
	At        string           `json:"at"`
	Kind      issuer.EventKind `json:"kind"`
	Result    audit.Result     `json:"result"`
	Actor     string           `json:"actor"`
	Subject   string           `json:"subject"`
	Session   string           `json:"session"`
	Address   string           `json:"address"`
	RequestID string           `json:"request_id"`
	Reason    string           `json:"reason"`
	Block     int64            `json:"block"` // 0 while it is not sealed
}

func jsonOf(r audit.Record) recordJSON {
	return recordJSON{
		Type: "record", Seq: r.Seq, At: r.At.Format(timeForm), Kind: r.Kind, Result: r.Result(), Actor: r.Actor, Subject: r.Subject,
		Session: r.Session, Address: r.Address, RequestID: r.RequestID, Reason: r.Reason, Block: r.Block,
	}
}

func (j recordJSON) record() (audit.Record, error) {
	at, err := time.Parse(timeForm, j.At)
	return audit.Record{Seq: j.Seq, At: at, Block: j.Block, Event: issuer.Event{
		Kind: j.Kind, Actor: j.Actor, Subject: j.Subject, Session: j.Session, Address: j.Address, RequestID: j.RequestID, Reason: j.Reason,
	}}, err
}

// printer writes records, for people or for programs.
type printer struct {
	to     io.Writer
	asJSON bool
	store  Store
	names  map[string]string // of users, by ID; "" for who is none
}

func (s Shell) printer(store Store, asJSON bool) *printer {
	return &printer{to: s.Out, asJSON: asJSON, store: store, names: map[string]string{}}
}

func (p *printer) print(ctx context.Context, r audit.Record) error {
	if p.asJSON {
		return writeLine(p.to, jsonOf(r))
	}
	line := fmt.Sprintf("%s  %-7s  %s", r.At.Format(timeForm), r.Result(), shown(string(r.Kind)))
	for _, field := range [][2]string{
		{"actor", p.who(ctx, r.Actor)},
		{"subject", p.who(ctx, r.Subject)},
		{"reason", shown(r.Reason)},
		{"address", shown(r.Address)},
		{"session", shown(r.Session)},
		{"request", shown(r.RequestID)},
	} {
		if field[1] != "" {
			line += "  " + field[0] + "=" + field[1]
		}
	}
	_, err := fmt.Fprintln(p.to, line)
	return err
}

// who writes an ID with the name of the user whose it is.
func (p *printer) who(ctx context.Context, id string) string {
	if !strings.HasPrefix(id, "u_") {
		return shown(id)
	}
	name, known := p.names[id]
	if !known {
		if u, err := p.store.People.ByID(ctx, id); err == nil {
			name = u.Name
		}
		const most = 10_000
		if len(p.names) < most {
			p.names[id] = name
		}
	}
	if name == "" {
		return shown(id)
	}
	return shown(id) + "(" + shown(name) + ")"
}

// shown writes text of a stranger so that it moves no cursor, turns no writing round and
// looks like no other field.
func shown(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || r == '"' || r == '=' || r == '\uFFFD' || !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

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
