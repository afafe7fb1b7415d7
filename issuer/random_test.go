package issuer_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// Attack_G09: where the system gives no randomness nothing is made. The program ends instead.
func TestNoRandomness(t *testing.T) {
	t.Parallel()
	const which = "DOORWARD_TEST_WITHOUT_RANDOMNESS"
	makers := map[string]func(w *world){
		"master key": func(*world) { issuer.GenerateMasterKey() },
		"login":      func(w *world) { w.login("ada") },
		"secret":     func(*world) { _, _ = jwt.GenerateKey(jwt.HS256) },
	}
	if name := os.Getenv(which); name != "" {
		w := newWorld(t, nil)
		rand.Reader = iotest.ErrReader(errors.New("no randomness"))
		makers[name](w)
		return // as if nothing were wrong
	}
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoRandomness$")
			again.Env = append(os.Environ(), which+"="+name)
			out, err := again.CombinedOutput()
			if _, ended := errors.AsType[*exec.ExitError](err); !ended || !strings.Contains(string(out), "crypto/rand") {
				t.Errorf("made without randomness: %v\n%s", err, out)
			}
		})
	}
}
