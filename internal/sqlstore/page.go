package sqlstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/issuer"
)

// Feed is the record of cut-offs in the database of a Store, in pages. Its method may be called concurrently.
type Feed struct {
	store *Store
}

var _ feed.Source = (*Feed)(nil)

// FeedIn returns the record of cut-offs in the database of a store.
func FeedIn(s *Store) *Feed { return &Feed{s} }

// pageBytes bounds the text of a page's entries. Their JSON stays below 1 MiB.
const pageBytes = 512 << 10

// RevocationPage returns the cut-offs recorded at or after the cursor in pages. A
// sequence of pages notes the end of the record when it begins; what is recorded later and
// sorts before a page that has been read is after that end.
func (f *Feed) RevocationPage(ctx context.Context, after issuer.Cursor, limit int) (feed.Page, error) {
	if limit < 1 {
		return feed.Page{}, errors.New("read revocations: a page of nothing")
	}
	var page feed.Page
	err := f.store.read(ctx, "read revocations", func(ctx context.Context, tx Tx, now time.Time) error {
		page = feed.Page{}
		at, err := f.store.pageAt(ctx, tx, after)
		if err != nil {
			return err
		}
		page.Lineage, page.Snapshot = at.lineage, at.from.From == 0
		rows, err := at.rows(ctx, tx, now, limit+1)
		if err != nil {
			return err
		}
		n := min(len(rows), limit)
		for size := 0; len(page.Entries) < n && size < pageBytes; {
			r := rows[len(page.Entries)]
			page.Entries = append(page.Entries, r.cut)
			size += len(r.cut.ID) + len(r.cut.Before) + 64
		}
		page.Next = at.end
		if page.More = len(page.Entries) < len(rows); page.More {
			at.last = &rows[len(page.Entries)-1]
			page.Next = at.cursor()
		}
		return nil
	})
	return OrNone(page, err)
}

// place is where a page of a sequence begins.
type place struct {
	lineage string
	end     issuer.Cursor // of the sequence: where the record ended when it began
	from    Place         // where the sequence began
	last    *pageRow      // of the page before; nil for the first page
}

// pageRow is a row of the table and its place in the order of pages.
type pageRow struct {
	position int64
	cut      doorward.Revocation
}

// pageAt finds the place of a cursor: one of the engine, or one of a page. A page of a
// history that is no more is the first of a snapshot.
func (s *Store) pageAt(ctx context.Context, tx Tx, after issuer.Cursor) (place, error) {
	p, inside := parsePage(after)
	if !inside {
		p.end = after
	}
	found, err := s.engine.Resume(ctx, tx, p.end)
	switch {
	case err != nil:
		return place{}, err
	case inside && found.From != 0:
		p.lineage = found.Lineage
		return p, nil
	}
	return place{lineage: found.Lineage, end: found.Next, from: found}, nil
}

// rows reads what comes at or after the place.
func (p place) rows(ctx context.Context, tx Tx, now time.Time, limit int) (list []pageRow, err error) {
	where, args := p.from.unread(now)
	if l := p.last; l != nil {
		n := len(args)
		where += fmt.Sprintf(` AND (position, kind, id, before) > ($%d, $%d, $%d, $%d)`, n+1, n+2, n+3, n+4)
		args = append(args, l.position, string(l.cut.Kind), l.cut.ID, l.cut.Before)
	}
	args = append(args, limit)
	rows, err := tx.QueryContext(ctx, fmt.Sprintf(`SELECT position, kind, id, before, expires_at FROM revocations
		WHERE `+where+` ORDER BY position, kind, id, before LIMIT $%d`, len(args)), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r pageRow
		var kind string
		var expires int64
		if err := rows.Scan(&r.position, &kind, &r.cut.ID, &r.cut.Before, &expires); err != nil {
			return nil, err
		}
		r.cut.Kind, r.cut.ExpiresAt = doorward.Kind(kind), Moment(expires)
		list = append(list, r)
	}
	return list, rows.Err()
}

// cursor is the text of a place inside a sequence: its end, its beginning, and the last row.
func (p place) cursor() issuer.Cursor {
	row := strings.Join([]string{string(p.last.cut.Kind), p.last.cut.ID, p.last.cut.Before}, "\x00")
	return issuer.Cursor(strings.Join([]string{
		string(p.end), joinPositions(append([]int64{p.from.From}, p.from.Also...)), strconv.FormatInt(p.last.position, 10),
		base64.RawURLEncoding.EncodeToString([]byte(row)),
	}, "~"))
}

// parsePage reads what cursor wrote. It reports false for any other text.
func parsePage(text issuer.Cursor) (place, bool) {
	parts := strings.Split(string(text), "~")
	if len(parts) != 4 {
		return place{}, false
	}
	from, errFrom := splitPositions(parts[1])
	position, errPosition := strconv.ParseInt(parts[2], 10, 64)
	row, errRow := base64.RawURLEncoding.DecodeString(parts[3])
	names := strings.Split(string(row), "\x00")
	if errors.Join(errFrom, errPosition, errRow) != nil || len(names) != 3 || from[0] < 0 || CheckText(names...) != nil {
		return place{}, false
	}
	return place{end: issuer.Cursor(parts[0]), from: Place{From: from[0], Also: from[1:]}, last: &pageRow{
		position: position, cut: doorward.Revocation{Kind: doorward.Kind(names[0]), ID: names[1], Before: names[2]},
	}}, true
}

func joinPositions(positions []int64) string {
	texts := make([]string, len(positions))
	for i, p := range positions {
		texts[i] = strconv.FormatInt(p, 10)
	}
	return strings.Join(texts, ".")
}

// splitPositions reads what joinPositions wrote of one or more.
func splitPositions(text string) ([]int64, error) {
	texts := strings.Split(text, ".")
	if len(texts) > maxAlso+1 {
		return nil, errors.New("too many positions")
	}
	positions := make([]int64, len(texts))
	var err error
	for i, t := range texts {
		if positions[i], err = strconv.ParseInt(t, 10, 64); err != nil {
			return nil, err
		}
	}
	return positions, nil
}
