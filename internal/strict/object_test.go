package strict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

const depth = 32

func TestObject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		wantErr    error
	}{
		{"empty object", `{}`, nil},
		{"white space", " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n", nil},
		{"every value", `{"a":"x","b":-0.5e+10,"c":[1,[2],{}],"d":{"e":null},"f":true,"g":false}`, nil},
		{"escapes", `{"a\u0062\n":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, nil},
		{"astral text", `{"😀":"é😀"}`, nil},
		{"huge number", `{"a":1e400}`, nil},
		{"same name in different objects", `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}`, nil},
		{"Attack_B02 case makes another name", `{"exp":1,"Exp":2,"EXP":3}`, nil},

		{"nothing", ``, strict.ErrNotObject},
		{"white space alone", `  `, strict.ErrNotObject},
		{"array", `[1]`, strict.ErrNotObject},
		{"string", `"a"`, strict.ErrNotObject},
		{"number", `1`, strict.ErrNotObject},
		{"null", `null`, strict.ErrNotObject},
		{"Attack_B08 byte order mark", "\ufeff{}", strict.ErrNotObject},
		{"Attack_B08 UTF-16", "\xff\xfe{\x00}\x00", strict.ErrUTF8},
		{"Attack_B08 invalid UTF-8 in a value", "{\"a\":\"\xff\"}", strict.ErrUTF8},
		{"Attack_B08 invalid UTF-8 in a name", "{\"\xc0\xaf\":1}", strict.ErrUTF8},
		{"Attack_B08 surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}", strict.ErrUTF8},
		{"Attack_B08 NUL in a string", "{\"a\":\"\x00\"}", strict.ErrControl},
		{"Attack_B08 NUL between", "{\"a\":1\x00}", strict.ErrSyntax},
		{"Attack_B08 lone high surrogate", `{"a":"\ud800"}`, strict.ErrEscape},
		{"Attack_B08 lone low surrogate", `{"a":"\udc00"}`, strict.ErrEscape},
		{"Attack_B08 two high surrogates", `{"a":"\ud800\ud800"}`, strict.ErrEscape},
		{"Attack_B08 high surrogate and a letter", `{"a":"\ud800\u0041"}`, strict.ErrEscape},
		{"Attack_B08 lone surrogate in a name", `{"\udead":1}`, strict.ErrEscape},
		{"unknown escape", `{"a":"\x"}`, strict.ErrEscape},
		{"short escape", `{"a":"\u00e"}`, strict.ErrEscape},
		{"escape at the end", `{"a":"\`, strict.ErrEscape},
		{"line break in a string", "{\"a\":\"b\nc\"}", strict.ErrControl},
		{"Attack_B01 duplicate", `{"a":1,"a":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate by escape", `{"alg":1,"\u0061lg":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate by escape before", `{"\u0061lg":1,"alg":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate by two escapes", `{"\u0061lg":1,"a\u006cg":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate of an astral name", `{"😀":1,"\ud83d\ude00":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate of the empty name", `{"":1,"":2}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate nested", `{"x":[{"y":{"a":1,"b":2,"a":3}}]}`, strict.ErrDuplicate},
		{"Attack_B01 duplicate after a nested object", `{"a":{"b":1,"c":2},"d":3,"a":4}`, strict.ErrDuplicate},
		{"Attack_B09 second text", `{}{}`, strict.ErrTrailing},
		{"Attack_B09 letters after", `{"a":1}ABCD`, strict.ErrTrailing},
		{"Attack_B09 comment", `{"a":1/* */}`, strict.ErrSyntax},
		{"Attack_B09 comment after", `{"a":1}//`, strict.ErrTrailing},
		{"Attack_B09 single quotes", `{'a':1}`, strict.ErrSyntax},
		{"Attack_B09 no quotes", `{a:1}`, strict.ErrSyntax},
		{"Attack_B09 trailing comma", `{"a":1,}`, strict.ErrSyntax},
		{"Attack_B09 trailing comma in an array", `{"a":[1,]}`, strict.ErrSyntax},
		{"Attack_B09 NaN", `{"a":NaN}`, strict.ErrSyntax},
		{"Attack_B09 Infinity", `{"a":Infinity}`, strict.ErrSyntax},
		{"Attack_B09 minus Infinity", `{"a":-Infinity}`, strict.ErrNumber},
		{"leading zero", `{"a":01}`, strict.ErrNumber},
		{"plus", `{"a":+1}`, strict.ErrSyntax},
		{"no digits after the point", `{"a":1.}`, strict.ErrNumber},
		{"no digits before the point", `{"a":.1}`, strict.ErrSyntax},
		{"no digits in the exponent", `{"a":1e+}`, strict.ErrNumber},
		{"hexadecimal", `{"a":0x1}`, strict.ErrSyntax},
		{"True", `{"a":True}`, strict.ErrSyntax},
		{"truer", `{"a":truer}`, strict.ErrSyntax},
		{"cut word", `{"a":tru`, strict.ErrSyntax},
		{"no colon", `{"a" 1}`, strict.ErrSyntax},
		{"no value", `{"a":}`, strict.ErrSyntax},
		{"no comma", `{"a":1 "b":2}`, strict.ErrSyntax},
		{"not closed", `{"a":1`, strict.ErrSyntax},
		{"string not closed", `{"a":"`, strict.ErrSyntax},
		{"wrong bracket", `{"a":[1}}`, strict.ErrSyntax},
		{"non-breaking space", "{\u00a0}", strict.ErrSyntax},
		{"Attack_B05 deep array", `{"a":` + strings.Repeat("[", 100_000), strict.ErrDepth},
		{"Attack_B05 deep objects", strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500), strict.ErrDepth},
		{"Attack_B16 too many names", manyNames(strict.MaxMembers + 1), strict.ErrMembers},
		{"Attack_B16 as many names as allowed", manyNames(strict.MaxMembers), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := strict.Object([]byte(test.text), depth, nil); !errors.Is(err, test.wantErr) {
				t.Errorf("Object(%.60q) = %v, want %v", test.text, err, test.wantErr)
			}
		})
	}
}

func manyNames(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"%d":0`, i)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestObjectDepthIsExact(t *testing.T) {
	t.Parallel()
	nested := func(n int) []byte { return []byte(strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1)) }
	for _, limit := range []int{1, 2, 32} {
		if err := strict.Object(nested(limit), limit, nil); err != nil {
			t.Errorf("%d levels, limit %d: %v", limit, limit, err)
		}
		if err := strict.Object(nested(limit+1), limit, nil); !errors.Is(err, strict.ErrDepth) {
			t.Errorf("%d levels, limit %d: %v, want ErrDepth", limit+1, limit, err)
		}
	}
	if err := strict.Object([]byte("{}"), 0, nil); !errors.Is(err, strict.ErrDepth) {
		t.Errorf("limit 0: %v, want ErrDepth", err)
	}
}

func TestObjectCallsMemberInOrder_Standard_J06(t *testing.T) {
	t.Parallel()
	text := `{"\u0061lg":"HS256", "b" : {"c":[1]} ,"😀":-1.5,"":null, "\ud83d\ude01":[ ]}`
	var got []string
	err := strict.Object([]byte(text), depth, func(name, value []byte) error {
		got = append(got, string(name)+"="+string(value))
		return nil
	})
	want := []string{`alg="HS256"`, `b={"c":[1]}`, "😀=-1.5", "=null", "😁=[ ]"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestObjectStopsAtTheErrorOfMember(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	calls := 0
	err := strict.Object([]byte(`{"a":1,"b":2}`), depth, func(_, _ []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls, want the error of the first", err, calls)
	}
}

// A scanner that is in use must not be handed to a scan inside member.
func TestObjectInsideMember(t *testing.T) {
	t.Parallel()
	var inner []string
	err := strict.Object([]byte(`{"a":{"x":1,"y":2},"\u0062":{"x":3},"a2":0}`), depth, func(name, value []byte) error {
		if string(name) == "a2" {
			return nil
		}
		return strict.Object(value, depth, func(n, v []byte) error {
			inner = append(inner, string(name)+"."+string(n)+"="+string(v))
			return nil
		})
	})
	if want := []string{"a.x=1", "a.y=2", "b.x=3"}; err != nil || !slices.Equal(inner, want) {
		t.Errorf("got %q, %v, want %q", inner, err, want)
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	var got []string
	collect := func(value []byte) error { got = append(got, string(value)); return nil }
	if err := strict.Array([]byte(` [ "a" , {"b":[1]},2 ] `), depth, collect); err != nil {
		t.Fatal(err)
	}
	if want := []string{`"a"`, `{"b":[1]}`, "2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for text, want := range map[string]error{
		`{}`: strict.ErrNotArray, `null`: strict.ErrNotArray, `[1,]`: strict.ErrSyntax, `[1 2]`: strict.ErrSyntax,
		`[1]]`: strict.ErrTrailing, `[{"a":1,"a":1}]`: strict.ErrDuplicate, `[,1]`: strict.ErrSyntax, `[`: strict.ErrSyntax,
	} {
		if err := strict.Array([]byte(text), depth, nil); !errors.Is(err, want) {
			t.Errorf("Array(%s) = %v, want %v", text, err, want)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
		wantErr    error
	}{
		{`""`, "", nil},
		{`"a"`, "a", nil},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", nil},
		{`"\u0000\u00e9\u20AC\uD83D\uDE00x"`, "\x00é€😀x", nil},
		{`1`, "", strict.ErrNotString},
		{`null`, "", strict.ErrNotString},
		{``, "", strict.ErrNotString},
		{`"`, "", strict.ErrSyntax},
		{`"a" `, "", strict.ErrTrailing},
		{`"\ud800"`, "", strict.ErrEscape},
		{"\"\xff\"", "", strict.ErrUTF8},
		{"\"\t\"", "", strict.ErrControl},
	}
	for _, test := range tests {
		if got, err := strict.String([]byte(test.text)); !errors.Is(err, test.wantErr) || got != test.want {
			t.Errorf("String(%q) = %q, %v, want %q, %v", test.text, got, err, test.want, test.wantErr)
		}
	}
}

// The suite's own verdicts, less what this package refuses on purpose.
func TestObject_JSONTestSuite_Attack_B09(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpora(t), "jsontestsuite", "test_parsing", "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	accepted := map[string]bool{ // of the i_ files: any number is a number, in any object
		"i_number_double_huge_neg_exp.json": true, "i_number_huge_exp.json": true, "i_number_neg_int_huge_exp.json": true,
		"i_number_pos_double_huge_exp.json": true, "i_number_real_neg_overflow.json": true,
		"i_number_real_pos_overflow.json": true, "i_number_real_underflow.json": true,
		"i_number_too_big_neg_int.json": true, "i_number_too_big_pos_int.json": true, "i_number_very_big_negative_int.json": true,
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		want := strings.HasPrefix(name, "y_") && !strings.HasPrefix(name, "y_object_duplicated_key") || accepted[name]
		object, array := strict.Object(data, depth, nil), strict.Array(data, depth, nil)
		got := object == nil || array == nil
		if strings.HasPrefix(name, "y_structure") || strings.HasPrefix(name, "y_string_space") { // scalars
			got = strict.Object(fmt.Appendf(nil, `{"a":%s}`, data), depth, nil) == nil
		}
		if got != want {
			t.Errorf("%s: accepted %v, want %v (%v, %v)", name, got, want, object, array)
		}
	}
}

func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, claims, `{"a":1,"\u0061":2}`, `{"a":"\ud83d\ude00"}`, `{"a":[1,{"b":null}]}`, `{"a":01}`, `{"a":"\ud800"}`, "{\"\xff\":1}",
		`[1,2]`, `{"a":{"a":{"a":[[[]]]}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var names []string
		err := strict.Object(data, depth, func(name, value []byte) error {
			if !json.Valid(value) {
				t.Errorf("member of %q is no JSON: %q", data, value)
			}
			names = append(names, string(name))
			return nil
		})
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		var index strict.Index
		if other := index.Object(data, depth); !errors.Is(other, err) {
			t.Fatalf("%q: %v with an index, %v without", data, other, err)
		}
		if err != nil {
			return
		}
		var again []string
		if err := index.Each(data, depth, func(name, _ []byte) error { again = append(again, string(name)); return nil }); err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q: the index has %q, %v, the scan %q", data, again, err, names)
		}
		var oracle map[string]json.RawMessage
		if jsonErr := json.Unmarshal(data, &oracle); jsonErr != nil {
			t.Fatalf("%q accepted, encoding/json says %v", data, jsonErr)
		}
		if len(oracle) != len(names) {
			t.Fatalf("%q: %d names, encoding/json sees %d", data, len(names), len(oracle))
		}
		for _, name := range names {
			if _, ok := oracle[name]; !ok {
				t.Fatalf("%q: encoding/json sees no %q", data, name)
			}
		}
	})
}

// corpora is the folder of public test data.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("DOORWARD_CORPORA")
	if dir == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public test data is not read")
	}
	return dir
}
