package remote

import (
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/strict"
)

// Limits of what the wire form holds.
const (
	maxCursor  = 4 << 10
	maxLineage = 128
	maxAge     = 1e12 // milliseconds
)

var (
	errMember = errors.New("a member is missing or not what it should be")
	errEntry  = errors.New("an entry is not what it should be")
)

// page is one page of the answer to a poll.
type page struct {
	nonce, lineage, next string
	snapshot, more       bool
	age                  time.Duration
	now                  time.Time // the issuer's; zero if it does not say
	entries              []entry
}

// entry is one revocation, of a kind that this version knows or does not.
type entry struct {
	cut   doorward.Revocation
	known bool
}

// parsePage reads a page. Unknown members, which a later version may send, are ignored.
func parsePage(body []byte) (page, error) {
	var p page
	var seen int // of the members that are required
	err := strict.Object(body, maxDepth, func(name, value []byte) (err error) {
		seen++
		switch string(name) {
		case "nonce":
			p.nonce, err = strict.String(value)
		case "lineage":
			p.lineage, err = strict.String(value)
		case "next":
			p.next, err = strict.String(value)
		case "snapshot":
			p.snapshot, err = boolean(value)
		case "more":
			p.more, err = boolean(value)
		case "age_ms":
			var ms int64
			ms, err = integer(value)
			p.age = time.Duration(min(ms, maxAge)) * time.Millisecond
		case "now":
			seen-- // an issuer of an earlier version leaves it out
			var s int64
			s, err = integer(value)
			p.now = time.Unix(s, 0)
		case "entries":
			p.entries, err = parseEntries(value)
		default:
			seen--
		}
		return err
	})
	if err == nil && (seen != 7 || !validCursor(p.next) || !validLineage(p.lineage)) {
		err = errMember
	}
	return p, err
}

// event is one event of a stream.
type event struct {
	lineage, after, next string
	entries              []entry
}

func parseEvent(data []byte) (event, error) {
	var e event
	var seen int
	err := strict.Object(data, maxDepth, func(name, value []byte) (err error) {
		seen++
		switch string(name) {
		case "lineage":
			e.lineage, err = strict.String(value)
		case "after":
			e.after, err = strict.String(value)
		case "next":
			e.next, err = strict.String(value)
		case "entries":
			e.entries, err = parseEntries(value)
		default:
			seen--
		}
		return err
	})
	if err == nil && (seen != 4 || !validCursor(e.next)) {
		err = errMember
	}
	return e, err
}

func parseEntries(value []byte) (list []entry, err error) {
	err = strict.Array(value, maxDepth, func(element []byte) error {
		e, err := parseEntry(element)
		list = append(list, e)
		return err
	})
	return list, err
}

func parseEntry(value []byte) (entry, error) {
	var e entry
	var kind string
	err := strict.Object(value, maxDepth, func(name, value []byte) (err error) {
		switch string(name) {
		case "kind":
			kind, err = strict.String(value)
		case "id":
			e.cut.ID, err = strict.String(value)
		case "before":
			e.cut.Before, err = strict.String(value)
		case "expires":
			var at int64
			at, err = integer(value)
			e.cut.ExpiresAt = time.Unix(at, 0)
		}
		return err
	})
	e.cut.Kind = doorward.Kind(kind)
	switch e.cut.Kind {
	case doorward.KindSession, doorward.KindSubject, doorward.KindClient, doorward.KindKey:
		e.known = true
		if err == nil && e.cut.ID == "" {
			err = errEntry
		}
	case doorward.KindAll:
		e.known = true
	case "":
		err = errors.Join(err, errEntry)
	}
	return e, err
}

func boolean(value []byte) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errMember
}

// integer reads a whole number that is not negative, and lies before the year 10000 when it is seconds.
func integer(value []byte) (int64, error) {
	whole, part, ok := strict.NumericDate(value)
	if !ok || part != 0 || whole < 0 {
		return 0, errMember
	}
	return whole, nil
}

func validCursor(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxCursor
}

func validLineage(s string) bool { return s != "" && len(s) <= maxLineage }
