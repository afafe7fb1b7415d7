package audit_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// hostile is text of a stranger: for a terminal, for a reader of lines, for a reader of fields.
const hostile = "a\x1b[31m\u202egnp.exe\r\n\u2028{\"type\":\"end\"}\t=\"\x7f\U000e0001 ä"

// aged is a store whose clock was two hours behind when it sealed.
type aged struct{ audit.Store }

func (a aged) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	return a.Store.SealAudit(ctx, newest, func(last audit.Head, list []audit.Record, now time.Time) audit.Block {
		return seal(last, list, now.Add(-2*time.Hour))
	})
}

// exported is a record with a front that the retention has deleted, two keys and hostile text, and an export of it.
func exported(t testing.TB) (issuer.MasterKey, audit.Report, string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := sqlstore.LedgerIn(db.Store)
	master := issuer.GenerateMasterKey()
	sealer := func(store audit.Store, retention time.Duration) *audit.Sealer {
		sealer, err := audit.NewSealer(audit.Config{Store: store, MasterKey: master, Retention: retention})
		if err != nil {
			t.Fatal(err)
		}
		return sealer
	}
	now, then := sealer(s, time.Hour), sealer(aged{s}, 0)
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		do(s.Record(t.Context(), issuer.Event{Kind: "login"}), then.Seal(t.Context()))
	}
	_, err = now.Prune(t.Context())
	do(err, now.Seal(t.Context()))
	_, err = now.Rotate(t.Context(), issuer.Event{})
	do(err, now.Seal(t.Context()))
	for i := range 3 {
		do(s.Record(t.Context(), issuer.Event{Kind: "login", Reason: hostile, Actor: fmt.Sprint(i)}), now.Seal(t.Context()))
	}
	report, err := audit.Verify(t.Context(), s, master, nil, func(int64, int64) {})
	do(err)
	var out bytes.Buffer
	do(audit.Export(t.Context(), s, &out))
	return master, report, out.String()
}

// A key that the record does not have authenticates nothing, not even what whoever made it up has signed with no secret.
func TestAnchorOfNoKey(t *testing.T) {
	t.Parallel()
	head := audit.Head{Number: 3, MAC: [32]byte{1}}
	at := time.UnixMilli(1_700_000_000_000).UTC()
	text := append([]byte("doorward audit anchor 1\x00"), head.MAC[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(head.Number))
	text = binary.BigEndian.AppendUint64(text, uint64(at.UnixMilli()))
	proof := hmac.New(sha256.New, make([]byte, 32))
	proof.Write(append(text, "dwa_x"...))
	base64url := base64.RawURLEncoding.EncodeToString
	_, err := verifyText(t, issuer.GenerateMasterKey(), fmt.Sprintf(
		`{"type":"start","format":1,"anchor":{"block":3,"mac":"%s","made_at":"%s","key":"dwa_x","proof":"%s"}}`+"\n"+`{"type":"end","head":"%s"}`+"\n",
		base64url(head.MAC[:]), at.Format(audit.TimeForm), base64url(proof.Sum(nil)), head))
	if !errors.Is(err, audit.ErrAnchor) {
		t.Errorf("%v, want ErrAnchor", err)
	}
}

func verifyText(t testing.TB, master issuer.MasterKey, text string) (audit.Report, error) {
	t.Helper()
	f, err := audit.ReadExport(strings.NewReader(text))
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(t.Context(), f, master, nil, func(int64, int64) {})
}

// An export verifies like the store; whatever is changed in a line, or a line that is gone, is noticed. It holds
// nothing that a terminal would obey.
func TestExport(t *testing.T) {
	t.Parallel()
	master, want, text := exported(t)
	got, err := verifyText(t, master, text)
	if err != nil || got != want || got.From.Number != 3 || got.Blocks < 4 {
		t.Errorf("%+v, %v; of the store %+v", got, err, want)
	}
	if strings.ContainsAny(text, "\x1b\r\x7f\u202e\u2028\U000e0001") || !strings.Contains(text, `\udb40\udc01 ä`) {
		t.Errorf("not escaped:\n%s", text)
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines[:len(lines)-1] {
		without := strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "")
		if _, err := verifyText(t, master, without); err == nil {
			t.Errorf("without line %d it verifies: %s", i+1, line)
		}
	}
	for _, change := range [][2]string{{`"actor":"1"`, `"actor":"2"`}, {`"kind":"login"`, `"kind":"logout"`}, {`"count":1`, `"count":2`}, {`"format":1`, `"format":2`}} {
		changed := strings.Replace(text, change[0], change[1], 1)
		if _, err := verifyText(t, master, changed); err == nil || changed == text {
			t.Errorf("with %s it verifies", change[1])
		}
	}
}

// What an earlier version has exported verifies: how records, blocks, anchors and keys are authenticated stays as it is.
func TestExportOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/export1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	master, err := issuer.ParseMasterKey("_XPWPh2xAFwkoAjCM-0U6PkrpXvY0XdkCfXUX3koC8Q")
	if err != nil {
		t.Fatal(err)
	}
	report, err := verifyText(t, master, string(text))
	const head = "dwah1.8.CJ_TmB0DWrsmnBBnnlarDXO0uo92hpCCnsTVlaWoGF4"
	if err != nil || report.Head.String() != head || report.From.Number != 3 || report.Blocks != 5 || report.Records != 5 {
		t.Errorf("%+v, %v", report, err)
	}
}

// Lines that are lost from the end of an export, up to its last one, are missed.
func TestExportCut(t *testing.T) {
	t.Parallel()
	master, want, text := exported(t)
	lines := strings.SplitAfter(text, "\n")
	end := len(lines) - 2 // the last line is empty
	for _, lost := range []int{2, 4} {
		got, err := verifyText(t, master, strings.Join(lines[:end-lost], "")+lines[end])
		broken, ok := errors.AsType[*audit.BrokenError](err)
		if !errors.Is(err, audit.ErrTailCut) || !ok || broken.Block != want.Head.Number-int64(lost/2)+1 {
			t.Errorf("%d lines are gone: %+v, %v", lost, got, err)
		}
	}
	other := want.Head
	other.MAC[0] ^= 1
	if _, err := verifyText(t, master, strings.Join(lines[:end], "")+strings.Replace(lines[end], want.Head.String(), other.String(), 1)); !errors.Is(err, audit.ErrHistory) {
		t.Errorf("with the end of another: %v", err)
	}
}

// Nothing can be written into an export for somebody to read there, and still verify.
func TestExportOfMoreThanWasSealed(t *testing.T) {
	t.Parallel()
	master, want, text := exported(t)
	if got, err := verifyText(t, master, strings.ReplaceAll(text, `,"actor"`, " , \"actor\"")); err != nil || got != want {
		t.Errorf("with spaces: %+v, %v", got, err)
	}
	key := text[strings.Index(text, `{"type":"key"`):]
	key, _, _ = strings.Cut(key, "{\"type\":\"block\"")
	at := text[strings.Index(text, `"at":"`):]
	at, _, _ = strings.Cut(at, "Z")
	for name, change := range map[string][2]string{
		"a result that is not the kind's": {`"result":"done"`, `"result":"refused"`},
		"no result":                       {`"result":"done",`, ``},
		"another block":                   {`"block":8}`, `"block":7}`},
		"an empty member that is gone":    {`"subject":"",`, ``},
		"a member twice":                  {`"actor":"1"`, `"actor":"admin","actor":"1"`},
		"a member in capitals":            {`"actor":"1"`, `"Actor":"admin","actor":"1"`},
		"a member more":                   {`"actor":"1"`, `"actor":"1","note":"checked"`},
		"a member more of the anchor":     {`"proof":`, `"note":"checked","proof":`},
		"two objects on a line":           {`"block":8}`, `"block":8}{}`},
		"much after the end":              {``, strings.Repeat("x", 1<<20)},
		"a key twice":                     {key, key + key},
		"a time with a comma":             {at, strings.Replace(at, ".", ",", 1)},
		"a head with a space":             {`"head":"`, `"head":" `},
		"a line after the end":            {``, `{"type":"record","seq":1000,"kind":"login","actor":"admin"}` + "\n"},
	} {
		changed := strings.Replace(text, change[0], change[1], 1)
		if change[0] == "" {
			changed = text + change[1]
		}
		_, err := verifyText(t, master, changed)
		if err == nil || !strings.HasPrefix(err.Error(), "line ") || changed == text {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadExport: whatever is done to an export, it is refused, or says what was sealed.
func FuzzReadExport(f *testing.F) {
	text, err := os.ReadFile("testdata/export1.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	master, err := issuer.ParseMasterKey("_XPWPh2xAFwkoAjCM-0U6PkrpXvY0XdkCfXUX3koC8Q")
	if err != nil {
		f.Fatal(err)
	}
	want := said(f, string(text))
	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(len(text)), uint16(0), " ")
	f.Add(uint16(bytes.Index(text, []byte(`"actor"`))), uint16(0), `"actor":"x",`)
	f.Add(uint16(bytes.Index(text, []byte(`done`))), uint16(4), "refused")
	f.Fuzz(func(t *testing.T, from, length uint16, instead string) {
		start := min(int(from), len(text))
		changed := slices.Concat(text[:start], []byte(instead), text[min(start+int(length), len(text)):])
		_, err := verifyText(t, master, string(changed))
		if err == nil && !reflect.DeepEqual(said(t, string(changed)), want) {
			t.Errorf("this verifies:\n%s", changed)
		}
	})
}

// said is what an export says, line by line, but for when its keys were made, which nothing depends on.
func said(t testing.TB, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		delete(said, "created_at")
		lines = append(lines, said)
	}
	return lines
}

// Whatever is done to the bytes of an export, it is refused, or verifies as what was sealed.
func TestExportChanged(t *testing.T) {
	t.Parallel()
	master, want, text := exported(t)
	accepted := 0
	for range 1000 {
		changed := []byte(text)
		from := rand.IntN(len(changed))
		to := min(len(changed), from+1+rand.IntN(40))
		switch rand.IntN(3) {
		case 0:
			changed[from] ^= 1 << rand.IntN(8)
		case 1:
			changed = slices.Delete(changed, from, to)
		default:
			changed = slices.Insert(changed, rand.IntN(len(changed)), changed[from:to]...)
		}
		got, err := verifyText(t, master, string(changed))
		if err != nil {
			continue
		}
		if accepted++; got != want {
			t.Errorf("%+v verifies, and %+v was sealed:\n%s", got, want, changed)
		}
	}
	if accepted > 500 {
		t.Errorf("%d of 1000 changes do not count", accepted)
	}
}
