package jwt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// Each tells what Claims holds, in its order, whether or not Verify has noted where it lies.
func TestEach_Standard_J06(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.HS256)
	var many, want []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"n%d":[%d]`, i, i))
		want = append(want, fmt.Sprintf("n%d=[%d]", i, i))
	}
	for claims, want := range map[string][]string{
		`{}`: nil, `{"sub":"é","":null,"Sub":{"sub":1}}`: {`sub="é"`, "=null", `Sub={"sub":1}`},
		"{\"\\u0073ub\" : 1 , \"b\" :[ 2 ] }":    {"sub=1", "b=[ 2 ]"},
		"{" + strings.Join(many, ",") + "}":      want,
		"{" + strings.Join(many[:24], ",") + "}": want[:24],
	} {
		token := accepted(t, sign(t, k, "JWT", json.RawMessage(claims)), k)
		for _, verified := range []*jwt.Token{&token, {Claims: token.Claims}} {
			var got []string
			err := verified.Each(func(name, value []byte) error { got = append(got, fmt.Sprintf("%s=%s", name, value)); return nil })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%.60s: Each gives %.200q, %v, want %.200q", claims, got, err, want)
			}
		}
	}
	token := accepted(t, sign(t, k, "JWT", json.RawMessage(`{"a":1,"b":2}`)), k)
	stop, calls := errors.New("stop"), 0
	if err := token.Each(func(_, _ []byte) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Each = %v after %d calls, want the error of the first", err, calls)
	}
	if err := new(jwt.Token).Each(func(_, _ []byte) error { return nil }); err == nil {
		t.Error("a token that Verify has not made has claims")
	}
}
