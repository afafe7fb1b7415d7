package audits

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
)

// printer writes records, for people or for programs.
type printer struct {
	to     io.Writer
	asJSON bool
	people *account.People
	names  map[string]string // of users, by ID; "" for who is none
}

func newPrinter(sh shell.Shell, people *account.People, asJSON bool) *printer {
	return &printer{to: sh.Out, asJSON: asJSON, people: people, names: map[string]string{}}
}

func (p *printer) print(ctx context.Context, r audit.Record) error {
	if p.asJSON {
		return audit.WriteRecord(p.to, r)
	}
	line := fmt.Sprintf("%s  %-7s  %s", r.At.Format(audit.TimeForm), r.Result(), shown(string(r.Kind)))
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
		if u, err := p.people.ByID(ctx, id); err == nil {
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
