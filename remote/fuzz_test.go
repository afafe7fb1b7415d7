package remote_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/doorward/doorward/remote"
)

// FuzzFeed: a strict reader of JSON reads the same in a page, and in an event of a stream, that is taken.
func FuzzFeed(f *testing.F) {
	for _, seed := range []string{
		`{"nonce":"n","lineage":"a","snapshot":true,"entries":[{"kind":"session","id":"s","expires":4000000000}],"next":"a.1","more":false,"age_ms":0,"now":1}`,
		`{"lineage":"a","after":"a.1","next":"a.2","entries":[{"kind":"all","before":"x","expires":1},{"kind":"new"}]}`,
		`{"nonce":"n","nonce":"m"}`, `{"entries":[[]]}`, "\ufeff{}", `{"next":"\ud800"}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want struct {
			Nonce    string  `json:"nonce"`
			Lineage  string  `json:"lineage"`
			After    string  `json:"after"`
			Next     string  `json:"next"`
			Snapshot bool    `json:"snapshot"`
			More     bool    `json:"more"`
			Age      float64 `json:"age_ms"`
			Entries  []struct {
				Kind    string  `json:"kind"`
				ID      string  `json:"id"`
				Before  string  `json:"before"`
				Expires float64 `json:"expires"`
			} `json:"entries"`
		}
		bad := json.Unmarshal(text, &want)
		nonce, lineage, next, entries, err := remote.ParsePage(text)
		if err == nil && (bad != nil || nonce != want.Nonce || lineage != want.Lineage || next != want.Next || entries != len(want.Entries)) {
			t.Errorf("the page %s is taken: %v", text, bad)
		}
		lineage, after, next, entries, err := remote.ParseEvent(text)
		if err == nil && (bad != nil || lineage != want.Lineage || after != want.After || next != want.Next || entries != len(want.Entries)) {
			t.Errorf("the event %s is taken: %v", text, bad)
		}
	})
}
