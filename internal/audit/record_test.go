package audit_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// What can be read back from an encoding is what was encoded: no two lists of records encode alike, however their texts
// are cut and whatever they hold.
func TestEncodingIsUnambiguous(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("\x00\x01ab")), 0, 12, -1), rapid.String())
	record := rapid.Custom(func(t *rapid.T) audit.Record {
		r := audit.Record{Seq: rapid.Int64().Draw(t, "seq"), At: time.UnixMilli(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "at")).UTC()}
		for _, field := range texts(&r) {
			field.SetString(text.Draw(t, "text"))
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(record, 0, 4).Draw(t, "records")
		if got := decode(t, audit.Encode(list)); len(got)+len(list) > 0 && !reflect.DeepEqual(got, list) {
			t.Fatalf("%+v\nreads back as %+v", list, got)
		}
	})
}

// texts are the fields of a record that are text, in the order of the encoding. A field that is added is not left out.
func texts(r *audit.Record) (fields []reflect.Value) {
	v := reflect.ValueOf(&r.Event).Elem()
	if v.NumField() != 7 || reflect.TypeFor[audit.Record]().NumField() != 4 {
		panic("a record has another number of fields: is each of them in its encoding?")
	}
	for _, name := range []string{"Kind", "Actor", "Address", "RequestID", "Subject", "Session", "Reason"} {
		fields = append(fields, v.FieldByName(name))
	}
	return fields
}

func decode(t *rapid.T, b []byte) (list []audit.Record) {
	number := func() uint64 {
		if len(b) < 8 {
			t.Fatalf("%d bytes are left", len(b))
		}
		n := binary.BigEndian.Uint64(b)
		b = b[8:]
		return n
	}
	for len(b) > 0 {
		var r audit.Record
		r.Seq = int64(number())
		r.At = time.UnixMilli(int64(number())).UTC()
		for _, field := range texts(&r) {
			n := number()
			field.SetString(string(b[:n]))
			b = b[n:]
		}
		list = append(list, r)
	}
	return list
}

// docs/audit.md has every kind of event that is recorded, and so has the list of those that are searched for. From the kind
// follows how it ended.
func TestKinds(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	notRecorded := map[string]bool{"refresh": true, "session_lapsed": true}
	refused := map[string]bool{
		"login_failed": true, "login_throttled": true, "client_failed": true, "api_key_failed": true, "password_reset_failed": true,
		"refresh_reuse": true, "store_rollback": true,
	}
	found := kinds(t)
	for kind := range found {
		if strings.Contains(string(page), "`"+kind+"`") == notRecorded[kind] {
			t.Errorf("the table of kinds in docs/audit.md and %s: recorded is %v", kind, !notRecorded[kind])
		}
		if slices.Contains(audit.Kinds, issuer.EventKind(kind)) == notRecorded[kind] {
			t.Errorf("the list of kinds and %s: recorded is %v", kind, !notRecorded[kind])
		}
		want := audit.Done
		if refused[kind] {
			want = audit.Refused
		}
		if got := (audit.Record{Event: issuer.Event{Kind: issuer.EventKind(kind)}}).Result(); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	for _, kind := range audit.Kinds {
		if !found[string(kind)] {
			t.Errorf("nobody records %s", kind)
		}
	}
	for kind := range refused {
		if !found[kind] {
			t.Errorf("there is no kind %s", kind)
		}
	}
}

// kinds collects the kinds that the code declares.
func kinds(t *testing.T) map[string]bool {
	t.Helper()
	declared, found := regexp.MustCompile(`EventKind\s*=\s*"([a-z_]+)"`), map[string]bool{}
	for _, root := range []string{"../../issuer", "../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				found[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 40 {
		t.Fatalf("only %d kinds found", len(found))
	}
	return found
}
