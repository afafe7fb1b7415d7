package roster_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorward/doorward/internal/roster"
)

var plain = roster.Columns{Name: "name", Hash: "hash"}

// read reads all rows; of those passed over it returns the errors.
func read(t testing.TB, r roster.Reader) (rows []roster.Row, bad []*roster.RowError, err error) {
	t.Helper()
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, bad, r.Close()
		}
		if skipped, ok := errors.AsType[*roster.RowError](err); ok {
			bad = append(bad, skipped)
			continue
		}
		if err != nil {
			return rows, bad, errors.Join(err, r.Close())
		}
		rows = append(rows, row)
	}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFiles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", roster.MaxRow)
	all := roster.Columns{Name: "name", Hash: "hash", Roles: "roles", Disabled: "disabled"}
	mail := roster.Columns{Name: "mail", Email: "mail", Hash: "hash"}
	tests := []struct {
		name, file, text string
		columns          roster.Columns
		want             []roster.Row
		wantBad          []int // places
		wantErr          error
	}{
		{
			name: "csv", file: "a.csv", columns: plain, text: "id,hash,name\n1,h1,ada\n2,\"h,2\",\"b\"\"ob\"\n",
			want: []roster.Row{{Place: 2, Name: "ada", Hash: "h1"}, {Place: 3, Name: `b"ob`, Hash: "h,2"}},
		},
		{
			name: "csv of Windows", file: "a.csv", columns: plain, text: "\ufeffname,hash\r\nada,h1\r\n\r\nbob,h2\r\n",
			want: []roster.Row{{Place: 2, Name: "ada", Hash: "h1"}, {Place: 4, Name: "bob", Hash: "h2"}},
		},
		{
			name: "csv roles and disabled", file: "a.csv", columns: all,
			text: "name,hash,roles,disabled\nada,h,\"a, b\",0\nbob,h,a b,TRUE\neve,h,,maybe\n",
			want: []roster.Row{
				{Place: 2, Name: "ada", Hash: "h", Roles: []string{"a", "b"}},
				{Place: 3, Name: "bob", Hash: "h", Roles: []string{"a", "b"}, Disabled: true},
			},
			wantBad: []int{4},
		},
		{
			name: "csv with the address as the name", file: "a.csv", columns: mail, text: "mail,hash\nada@x.org,h\n,h\n",
			want: []roster.Row{{Place: 2, Name: "ada@x.org", Email: "ada@x.org", Hash: "h"}, {Place: 3, Hash: "h"}},
		},
		{
			name: "csv without the address", file: "a.csv", columns: roster.Columns{Name: "name", Email: "mail", Hash: "hash"}, text: "name,hash\nada,h\n",
			wantErr: roster.ErrColumn,
		},
		{
			name: "lines with an address", file: "a.jsonl", columns: roster.Columns{Name: "name", Email: "mail", Hash: "hash"},
			text: `{"name":"ada","hash":"h","mail":"ada@x.org"}` + "\n" + `{"name":"bob","hash":"h","mail":null}` + "\n" + `{"name":"eve","hash":"h"}`,
			want: []roster.Row{{Place: 1, Name: "ada", Email: "ada@x.org", Hash: "h"}, {Place: 2, Name: "bob", Hash: "h"}}, wantBad: []int{3},
		},
		{
			name: "csv with IDs", file: "a.csv", columns: roster.Columns{Name: "name", ExternalID: "id", Hash: "hash"}, text: "id,name,hash\n17,ada,h\n,bob,h\n",
			want: []roster.Row{{Place: 2, Name: "ada", ExternalID: "17", Hash: "h"}, {Place: 3, Name: "bob", Hash: "h"}},
		},
		{
			name: "lines with IDs", file: "a.jsonl", columns: roster.Columns{Name: "name", ExternalID: "id", Hash: "hash"},
			text: `{"id":17,"name":"ada","hash":"h"}` + "\n" + `{"id":"5f","name":"bob","hash":"h"}` + "\n" + `{"id":null,"name":"eve","hash":"h"}` + "\n" + `{"name":"cy","hash":"h"}`,
			want: []roster.Row{
				{Place: 1, Name: "ada", ExternalID: "17", Hash: "h"}, {Place: 2, Name: "bob", ExternalID: "5f", Hash: "h"}, {Place: 3, Name: "eve", Hash: "h"},
			},
			wantBad: []int{4},
		},
		{
			name: "csv active", file: "a.csv", columns: roster.Columns{Name: "name", Hash: "hash", Active: "is_active"},
			text: "name,hash,is_active\nada,h,1\nbob,h,0\neve,h,\n",
			want: []roster.Row{{Place: 2, Name: "ada", Hash: "h"}, {Place: 3, Name: "bob", Hash: "h", Disabled: true}}, wantBad: []int{4},
		},
		{
			name: "csv disabled and active", file: "a.csv", columns: roster.Columns{Name: "name", Hash: "hash", Disabled: "disabled", Active: "is_active"},
			text: "name,hash,disabled,is_active\nada,h,0,1\nbob,h,1,1\neve,h,0,0\ncy,h,1,1\ndan,h,0,0\n",
			want: []roster.Row{
				{Place: 2, Name: "ada", Hash: "h"},
				{Place: 3, Name: "bob", Hash: "h", Disabled: true},
				{Place: 4, Name: "eve", Hash: "h", Disabled: true},
				{Place: 5, Name: "cy", Hash: "h", Disabled: true},
				{Place: 6, Name: "dan", Hash: "h", Disabled: true},
			},
		},
		{name: "csv status left out", file: "a.csv", columns: plain, text: "name,hash,Is_Active\nada,h,0\n", wantErr: roster.ErrStatus},
		{
			name: "csv status left out on purpose", file: "a.csv", columns: roster.Columns{Name: "name", Hash: "hash", AllEnabled: true},
			text: "name,hash,is_active\nada,h,0\n", want: []roster.Row{{Place: 2, Name: "ada", Hash: "h"}},
		},
		{name: "csv short record", file: "a.csv", columns: plain, text: "name,hash\nada\nbob,h\n", want: []roster.Row{{Place: 3, Name: "bob", Hash: "h"}}, wantBad: []int{2}},
		{name: "csv without the column", file: "a.csv", columns: plain, text: "name,password\nada,h\n", wantErr: roster.ErrColumn},
		{name: "csv with semicolons", file: "a.csv", columns: plain, text: "\ufeffname;hash\r\nada;\"h,i\"\r\n", wantErr: roster.ErrSeparator},
		{name: "csv with semicolons and quotes", file: "a.csv", columns: plain, text: "\"name\";\"hash\"\n\"ada\";\"h\"\n", wantErr: roster.ErrSeparator},
		{name: "csv with tabs", file: "a.csv", columns: plain, text: "name\thash\nada\th\n", wantErr: roster.ErrSeparator},
		{
			name: "csv with names of all signs", file: "a.csv", columns: roster.Columns{Name: "a;b", Hash: "c\td"},
			text: "a;b,c\td\nada,h\n", want: []roster.Row{{Place: 2, Name: "ada", Hash: "h"}},
		},
		{
			name: "csv of one column", file: "a.csv", columns: roster.Columns{Name: "a;b", Hash: "a;b"},
			text: "a;b\nada\n", want: []roster.Row{{Place: 2, Name: "ada", Hash: "ada"}},
		},
		{name: "csv without the column or commas", file: "a.csv", columns: plain, text: "name\nada;h\n", wantErr: roster.ErrColumn},
		{name: "csv with a column twice", file: "a.csv", columns: plain, text: "name,hash,hash\nada,h,i\n", wantErr: roster.ErrSyntax},
		{name: "csv bare quote", file: "a.csv", columns: plain, text: "name,hash\nada,h\nb\"ob,h\n", want: []roster.Row{{Place: 2, Name: "ada", Hash: "h"}}, wantErr: roster.ErrSyntax},
		{name: "csv open quote", file: "a.csv", columns: plain, text: "name,hash\n\"ada,h\n" + long + long, wantErr: roster.ErrSyntax},
		{
			name: "csv of rows that are too long together", file: "a.csv", columns: plain, text: "name,hash\nada," + long[:40_000] + "\nbob," + long[:40_000] + "\n",
			want: []roster.Row{{Place: 2, Name: "ada", Hash: long[:40_000]}, {Place: 3, Name: "bob", Hash: long[:40_000]}},
		},
		{name: "csv long line", file: "a.csv", columns: plain, text: "name,hash\nada," + long + long + "\n", wantErr: roster.ErrSyntax},
		{name: "csv long header", file: "a.csv", columns: plain, text: long + long, wantErr: roster.ErrSyntax},
		{name: "csv many columns", file: "a.csv", columns: plain, text: "name,hash" + manyColumns() + "\n", wantErr: roster.ErrSyntax},
		{name: "csv empty", file: "a.csv", columns: plain, text: "", wantErr: roster.ErrSyntax},
		{
			name: "lines of Windows", file: "a.jsonl", columns: plain, text: "\ufeff{\"name\":\"ada\",\"hash\":\"h1\"}\r\n{\"name\":\"bob\",\"hash\":\"h2\"}\r\n",
			want: []roster.Row{{Place: 1, Name: "ada", Hash: "h1"}, {Place: 2, Name: "bob", Hash: "h2"}},
		},
		{
			name: "lines", file: "a.jsonl", columns: all,
			text: `{"name":"ada","hash":"h","roles":["a","b"],"disabled":false,"id":7}` + "\n\n" +
				`{"name":"bob","hash":"h","roles":"a b","disabled":1}` + "\n" + `{"name":"eve","hash":null,"roles":null,"disabled":"false"}`,
			want: []roster.Row{
				{Place: 1, Name: "ada", Hash: "h", Roles: []string{"a", "b"}},
				{Place: 3, Name: "bob", Hash: "h", Roles: []string{"a", "b"}, Disabled: true},
				{Place: 4, Name: "eve"},
			},
		},
		{
			name: "lines that are none", file: "a.jsonl", columns: plain,
			text: `{"name":"ada","hash":"h","hash":"i"}` + "\n" + `[1]` + "\nnull\n" + `{"name":"b` + "\xff" + `","hash":"h"}` + "\n" +
				`{"name":"ada"}` + "\n" + `{"name":{},"hash":"h"}` + "\n" + `{"name":["ada"],"hash":"h"}` + "\n" + `{"name":"ok","hash":"h"} x` + "\n" +
				`{"name":"ok","hash":"h"}`,
			want: []roster.Row{{Place: 9, Name: "ok", Hash: "h"}}, wantBad: []int{1, 2, 3, 4, 5, 6, 7, 8},
		},
		{name: "lines status left out", file: "a.jsonl", columns: plain, text: `{"name":"ada","hash":"h","disabled":true}`, wantErr: roster.ErrStatus},
		{name: "lines too long", file: "a.jsonl", columns: plain, text: `{"name":"` + long + `"}`, wantErr: roster.ErrSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			open := roster.OpenCSV
			if strings.HasSuffix(tt.file, ".jsonl") {
				open = roster.OpenLines
			}
			var rows []roster.Row
			var bad []*roster.RowError
			r, err := open(write(t, tt.file, tt.text), tt.columns)
			if err == nil {
				rows, bad, err = read(t, r)
			}
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("error %v, want %v", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, rows, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			var places []int
			for _, b := range bad {
				if places = append(places, b.Place); b.Reason == "" {
					t.Errorf("row %d is passed over for no reason", b.Place)
				}
			}
			if !slices.Equal(places, tt.wantBad) {
				t.Errorf("rows passed over %v, want %v: %v", places, tt.wantBad, bad)
			}
		})
	}
}

// Lines with the members of an entry are read by these names alone, and nothing else is passed over in silence.
func TestReadEntries(t *testing.T) {
	t.Parallel()
	text := `{"username":"ada","password_hash":"h"}` + "\n\r\n \t\n" +
		`{"id":"u_1","username":"bob","password_hash":"h","email":"b@x.org","roles":["a","b"],"disabled":true}` + "\r\n" +
		`{"username":"eve"}` + "\n" + `{"username":"eve","password_hash":"h","is_active":true}` + "\n" +
		`{"username":"eve","password_hash":"h","Roles":["a"]}` + "\n" + `{"username":"cy","password_hash":"h","disabled":false,"external_id":"17","roles":["c","d"]}`
	types := []string{`"username":1,"password_hash":"h"`, `"username":"eve","password_hash":true`}
	for _, member := range []string{`"email":null`, `"email":["a@x.org"]`, `"roles":"a"`, `"roles":null`, `"roles":[1]`, `"disabled":"true"`, `"disabled":1`, `"external_id":17`} {
		types = append(types, `"username":"eve","password_hash":"h",`+member)
	}
	for _, members := range types {
		text += "\n{" + members + "}"
	}
	r := roster.ReadEntries([]byte(text))
	rows, bad, err := read(t, r)
	if err != nil {
		t.Fatal(err)
	}
	want := []roster.Row{
		{Place: 1, Name: "ada", Hash: "h"},
		{Place: 4, Name: "bob", Hash: "h", Email: "b@x.org", Roles: []string{"a", "b"}, Disabled: true},
		{Place: 8, Name: "cy", Hash: "h", ExternalID: "17", Roles: []string{"c", "d"}},
	}
	if diff := cmp.Diff(want, rows, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if read, whole := r.Progress(); whole != int64(len(text)) || read < whole*9/10 {
		t.Errorf("read %d of %d bytes, want about all of %d", read, whole, len(text))
	}
	if len(bad) != 3+len(types) || bad[0].Place != 5 || bad[1].Place != 6 || bad[2].Place != 7 {
		t.Errorf("passed over %v", bad)
	}
	if got := bad[len(bad)-1].Reason; got != `the member "external_id" is of a type that does not fit` {
		t.Errorf("a number as an external ID is refused with %q", got)
	}
	long := strings.Repeat(" ", roster.MaxRow)
	if _, _, err := read(t, roster.ReadEntries([]byte("{}\n"+long+"\n{}"))); !errors.Is(err, roster.ErrSyntax) || !strings.Contains(err.Error(), "from line 2 on") {
		t.Errorf("a long line: %v, want ErrSyntax from line 2 on", err)
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, open := range map[string]func(string, roster.Columns) (roster.Reader, error){"csv": roster.OpenCSV, "lines": roster.OpenLines} {
		if _, err := open(filepath.Join(folder, "none"), plain); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of a file that is not there: %v, want ErrNotExist", name, err)
		}
		if _, err := open(folder, plain); !errors.Is(err, roster.ErrSyntax) {
			t.Errorf("%s of a folder: %v, want ErrSyntax", name, err)
		}
	}
}

func manyColumns() string {
	var b strings.Builder
	for i := range roster.MaxColumns {
		fmt.Fprintf(&b, ",c%d", i)
	}
	return b.String()
}

func database(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "an app#1%41.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestTable(t *testing.T) {
	t.Parallel()
	path := database(t, `CREATE TABLE "odd ""table" (id INTEGER PRIMARY KEY, name TEXT, "the hash" BLOB, is_active BOOLEAN, mail TEXT)`,
		`INSERT INTO "odd ""table" (name, "the hash", is_active, mail) VALUES ('ada', CAST('$2b$12$x' AS BLOB), 1, 'a@x.org'), ('bob', NULL, 0, NULL), (7, 'h', NULL, '')`,
		`INSERT INTO "odd ""table" (name, "the hash", is_active) VALUES (CAST(x'ff00' AS BLOB), hex(zeroblob(1000000)), 1)`)
	columns := roster.Columns{Name: "name", Email: "mail", Hash: "the hash", Active: "is_active", ExternalID: "id"}
	r, err := roster.OpenTable(t.Context(), path, `odd "table`, columns)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0].Hash != "$2b$12$x" || rows[0].Disabled || rows[0].Email != "a@x.org" || rows[1].Email != "" || rows[1].Hash != "" || !rows[1].Disabled || rows[0].ExternalID+rows[1].ExternalID != "12" || len(rows[2].Hash) > 5000 {
		t.Errorf("rows %v", rows)
	}
	if len(bad) != 1 || bad[0].Place != 3 || bad[0].Name != "7" {
		t.Errorf("passed over %v, want row 3", bad)
	}
	if read, whole := r.Progress(); read != 4 || whole != 4 {
		t.Errorf("read %d of %d, want 4 of 4", read, whole)
	}

	for _, tt := range []struct {
		name, path, table string
		columns           roster.Columns
		wantErr           error
	}{
		{"no such table", path, "users", columns, roster.ErrTable},
		{"no such column", path, `odd "table`, roster.Columns{Name: "name", Hash: "hash", AllEnabled: true}, roster.ErrColumn},
		{"status left out", path, `odd "table`, roster.Columns{Name: "name", Hash: "the hash"}, roster.ErrStatus},
		{"no such file", path + "x", "users", columns, os.ErrNotExist},
		{"no database", write(t, "a.db", strings.Repeat("no database ", 1000)), "users", columns, roster.ErrSyntax},
	} {
		if _, err := roster.OpenTable(t.Context(), tt.path, tt.table, tt.columns); !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
	}
}

// The source is only read, also when its schema would write.
func TestTableIsOnlyRead(t *testing.T) {
	t.Parallel()
	path := database(t, `CREATE TABLE users (name TEXT, hash TEXT)`, `INSERT INTO users VALUES ('ada', 'h')`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := roster.OpenTable(t.Context(), path, "users", plain)
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := read(t, r); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	entries := []roster.Entry{
		{Name: "ada", Hash: "$argon2id$v=19$m=1,t=1,p=1$a$b", Roles: []string{"a", "b:c"}, ID: "u_1", Email: "a@x.org", ExternalID: "17"},
		{Name: `b"o,b`, Hash: "pbkdf2:sha256:1000$a$b", Roles: []string{}, Disabled: true, ID: "u_2"},
		{Name: "żółć 名", Hash: "", Roles: []string{"x"}, ID: "u_3"},
	}
	for name, create := range map[string]func(string) (*roster.Writer, error){"a.csv": roster.CreateCSV, "a.jsonl": roster.CreateLines} {
		path := filepath.Join(t.TempDir(), name)
		w, err := create(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := w.Put(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := create(path); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s a second time: %v, want ErrExist", name, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		open := roster.OpenCSV
		if name == "a.jsonl" {
			open = roster.OpenLines
		}
		r, err := open(path, roster.Written)
		if err != nil {
			t.Fatal(err)
		}
		rows, bad, err := read(t, r)
		if err != nil || len(bad) > 0 || len(rows) != len(entries) {
			t.Fatalf("%s: %v, %v, %v", name, rows, bad, err)
		}
		for i, e := range entries {
			if got := rows[i]; got.Name != e.Name || got.Hash != e.Hash || got.Disabled != e.Disabled || got.Email != e.Email || got.ExternalID != e.ExternalID || !slices.Equal(got.Roles, e.Roles) {
				t.Errorf("%s: row %+v of entry %d", name, got, i)
			}
		}
	}
}

// Nothing that a file holds makes a reader panic, and no row is larger than the bound.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{"name,hash\nada,h\n", "\ufeffname,hash\r\n\"a\",b\r\n", `{"name":"ada","hash":"h"}`, "{}\n[]\n", "name,hash\n\"", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries := func(string, roster.Columns) (roster.Reader, error) { return roster.ReadEntries([]byte(text)), nil }
		for _, open := range []func(string, roster.Columns) (roster.Reader, error){roster.OpenCSV, roster.OpenLines, entries} {
			r, err := open(write(t, "a", text), plain)
			if err != nil {
				continue
			}
			rows, bad, err := read(t, r)
			if len(rows)+len(bad) > len(text) {
				t.Errorf("%d rows of %d bytes", len(rows), len(text))
			}
			for _, row := range rows {
				if row.Place < 1 || len(row.Name)+len(row.Hash) > len(text) {
					t.Errorf("row %+v, %v", row, err)
				}
			}
		}
	})
}

// What goes over HTTP ends with a line that no reader takes for a user, nor anything else that looks like it for that line.
func TestLinesEnd(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	lines := roster.NewLines(&text)
	if err := errors.Join(lines.Put(roster.Entry{Name: "ada", Hash: "h"}), lines.End(1)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text.String(), "}\n{\"type\":\"end\",\"users\":1}\n") {
		t.Errorf("written %s", text.String())
	}
	others := []string{`{"type":"end"}`, `{"type":"start","users":1}`, `{"type":"end","users":"1"}`, `{"type":"end","users":1,"username":"x"}`, `{"type":"End","users":1}`, `{"users":1}`}
	path := filepath.Join(t.TempDir(), "users.jsonl")
	whole := text.String() + strings.Join(others, "\n")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := roster.OpenLines(path, roster.Written)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []roster.Reader{file, roster.ReadEntries([]byte(whole))} {
		rows, bad, err := read(t, r)
		if err != nil || len(rows) != 1 || rows[0].Name != "ada" || len(bad) != len(others) || bad[0].Place != 3 {
			t.Errorf("%v, %v, %v", rows, bad, err)
		}
	}
}
