package assertion_test

import (
	"errors"
	"testing"

	"github.com/doorward/doorward/internal/assertion"
	"github.com/doorward/doorward/jwt"
)

func TestRing(t *testing.T) {
	t.Parallel()
	var here, there assertion.Ring // two processes that have the same secrets
	for _, r := range []*assertion.Ring{&here, &there} {
		for kid, secret := range map[string]string{"a": "one secret", "b": "another secret"} {
			if err := r.Add(kid, []byte(secret)); err != nil {
				t.Fatal(err)
			}
		}
	}
	public, err := there.Public()
	if err != nil || len(public) != 2 || public[0].ID() == public[1].ID() {
		t.Fatalf("%v, %v", public, err)
	}
	set, err := jwt.NewSet(public...)
	if err != nil {
		t.Fatal(err)
	}
	token, err := here.Sign("a", map[string]any{"sub": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.Verify(t.Context(), token, set, assertion.Type); err != nil {
		t.Errorf("what one process signs, another does not know: %v", err)
	}
	if _, err := jwt.Verify(t.Context(), token, set, "at+jwt"); !errors.Is(err, jwt.ErrType) {
		t.Errorf("%v, want %v", err, jwt.ErrType)
	}
	for _, key := range public {
		if key.Private() {
			t.Error("a private key is published")
		}
	}
	if _, err := here.Sign("c", map[string]any{}); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("%v, want %v", err, jwt.ErrKey)
	}
}
