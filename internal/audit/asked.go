package audit

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/internal/spelling"
	"github.com/doorward/doorward/issuer"
)

// Asked is a search as a person or a program asks for it, not yet checked. An empty field selects all.
type Asked struct {
	Subject, Actor, Address, Session, RequestID string
	Kinds                                       []string // any of these
	Since, Until                                time.Time
}

// FieldError says which field of an [Asked] has a value that no record can have. It wraps [ErrQuery].
type FieldError struct {
	// Field is its name in the admin API: subject, request_id.
	Field string
	// Want completes a sentence that begins with Field: "must be the id of a session". It holds nothing of the value.
	Want string
}

// Error names the field.
func (e *FieldError) Error() string { return fmt.Sprintf("%v: %s %s", ErrQuery, e.Field, e.Want) }

// Unwrap returns ErrQuery.
func (e *FieldError) Unwrap() error { return ErrQuery }

// maxText is the greatest length of a text that is looked for, in bytes.
const maxText = 512

// partyForm is what the Subject and the Actor of a record begin with: the ID of a user, a client, an API key or a key
// of this record, or the kind of a name.
var partyForm = regexp.MustCompile(`^(?:(?:u|dwc|dwk|dwa)_[A-Za-z0-9_-]+$|role:|cli:)`)

// itself is the Actor of what Doorward does by itself.
const itself = "doorward"

// IsParty reports whether a text can be the Subject or the Actor of a record.
func IsParty(text string) bool { return text == itself || partyForm.MatchString(text) }

// Query returns the query that is asked for. It returns a [*FieldError] for a value that no record can have, since an
// empty result would be read as "this never happened".
func (a Asked) Query() (Query, error) {
	q := Query{Subject: a.Subject, Actor: a.Actor, Session: a.Session, RequestID: a.RequestID, Since: a.Since, Until: a.Until}
	const party = "must be the id of a user, a client or a key, role: and a name, or cli: and a name"
	for _, f := range []struct {
		name, text string
		does       func(string) bool
		want       string
	}{
		{"subject", a.Subject, IsParty, party},
		{"actor", a.Actor, IsParty, party},
		{"address", a.Address, nil, ""},
		{"session", a.Session, sid.Valid, "must be the id of a session"},
		{"request_id", a.RequestID, nil, ""},
	} {
		switch {
		case len(f.text) > maxText, !utf8.ValidString(f.text), strings.Contains(f.text, "\x00"):
			return Query{}, &FieldError{f.name, "is too long, or no text"}
		case f.text != "" && f.does != nil && !f.does(f.text):
			return Query{}, &FieldError{f.name, f.want}
		}
	}
	if a.Address != "" {
		ip, err := netip.ParseAddr(a.Address)
		if err != nil {
			return Query{}, &FieldError{"address", "must be an IP address, without a port"}
		}
		q.Address = ip.Unmap().WithZone("").String() // as it is recorded
	}
	if !a.Since.IsZero() && !a.Until.IsZero() && !a.Since.Before(a.Until) {
		return Query{}, &FieldError{"until", "must be after since"}
	}
	var err error
	q.Kinds, err = parseKinds(a.Kinds)
	return q, err
}

func parseKinds(texts []string) (list []issuer.EventKind, err error) {
	for _, text := range texts {
		kind := issuer.EventKind(text)
		if !slices.Contains(kinds, kind) {
			return nil, &FieldError{"kind", wantKind(text)}
		}
		if !slices.Contains(list, kind) {
			list = append(list, kind)
		}
	}
	return list, nil
}

// wantKind returns the Want for a kind that does not exist: it names the one that was probably meant, or all of them.
func wantKind(text string) string {
	if text == "" {
		return "must not be empty; leave it out for all"
	}
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		words[i] = string(kind)
	}
	if near := spelling.Nearest(text[:min(len(text), maxText)], words, min(len(text)/2, 3)); near != "" {
		return "is none that is recorded; " + near + " is one"
	}
	return "must be one of " + strings.Join(words, ", ")
}
