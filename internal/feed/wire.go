package feed

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// entry is a cut-off as services read it.
type entry struct {
	Kind    doorward.Kind `json:"kind"`
	ID      string        `json:"id,omitempty"`
	Before  string        `json:"before,omitempty"`
	Expires int64         `json:"expires,omitempty"` // in seconds since 1970, rounded up
}

// encode writes entries as a JSON array.
func encode(cuts []doorward.Revocation) []byte {
	list := make([]entry, len(cuts))
	for i, c := range cuts {
		list[i] = entry{Kind: c.Kind, ID: c.ID, Before: c.Before}
		if !c.ExpiresAt.IsZero() {
			list[i].Expires = c.ExpiresAt.Add(time.Second - 1).Unix()
		}
	}
	return marshal(list)
}

// event is what a stream carries.
type event struct {
	Lineage string          `json:"lineage"`
	After   issuer.Cursor   `json:"after"`
	Next    issuer.Cursor   `json:"next"`
	Entries json.RawMessage `json:"entries"`
}

// eventOf writes one event of a stream (text/event-stream, WHATWG HTML §9.2).
func eventOf(lineage string, after, next issuer.Cursor, entries []byte) []byte {
	var b bytes.Buffer
	b.WriteString("event: revocations\nid: " + string(next) + "\ndata: ")
	b.Write(marshal(event{Lineage: lineage, After: after, Next: next, Entries: entries}))
	b.WriteString("\n\n")
	return b.Bytes()
}

// Resync is the last event of a stream that cannot go on: its reader must poll.
const Resync = "event: resync\ndata: {}\n\n"

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("feed: not JSON: " + err.Error())
	}
	return text
}
