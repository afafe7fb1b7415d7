package jwt_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"github.com/doorward/doorward/jwt"
)

// Behaviour_P60, Behaviour_P87: PyJWT reads our keys and tokens, and we read its, for every algorithm.
func TestPyJWT(t *testing.T) {
	t.Parallel()
	requirePython(t, "jwt", "cryptography")
	type question struct {
		Alg     jwt.Algorithm   `json:"alg"`
		Token   string          `json:"token"`
		Public  json.RawMessage `json:"public"`
		Private json.RawMessage `json:"private"`
	}
	var questions []question
	var keys []*jwt.Key
	claims := map[string]any{
		"iss": "https://auth.example", "aud": "api", "sub": "ada", "exp": time.Now().Add(time.Hour).Unix(),
	}
	for _, alg := range []jwt.Algorithm{
		jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512,
		jwt.PS256, jwt.PS384, jwt.PS512, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA,
	} {
		key := must(jwt.GenerateKey(alg))
		private := must(key.MarshalJWK())
		public := private // HMAC has one secret, which both sides hold.
		if !alg.Symmetric() {
			public = must(key.MarshalPublicJWK())
		}
		keys = append(keys, key)
		questions = append(questions, question{alg, must(jwt.Sign(key, "at+jwt", claims)), public, private})
	}

	python := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/pyjwt.py")
	python.Stdin = bytes.NewReader(must(json.Marshal(questions)))
	var stderr bytes.Buffer
	python.Stderr = &stderr
	out, err := python.Output()
	if err != nil {
		t.Fatalf("PyJWT: %v\n%s", err, stderr.Bytes())
	}
	var answers []struct {
		Alg   jwt.Algorithm `json:"alg"`
		Sub   string        `json:"sub"`
		Token string        `json:"token"`
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(keys) {
		t.Fatalf("%d answers to %d questions: %v", len(answers), len(keys), err)
	}
	for i, answer := range answers {
		if answer.Sub != "ada" {
			t.Errorf("%s: PyJWT read sub %q", answer.Alg, answer.Sub)
		}
		if _, err := jwt.Verify(t.Context(), answer.Token, keys[i], "at+jwt"); err != nil {
			t.Errorf("%s: a token made by PyJWT: %v", answer.Alg, err)
		}
	}
}

// requirePython skips where Debian's Python or one of its packages is missing.
func requirePython(t *testing.T, modules ...string) {
	t.Helper()
	for _, module := range modules {
		if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import "+module).Run(); err != nil {
			t.Skipf("/usr/bin/python3 has no module %s: run make deps", module)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
