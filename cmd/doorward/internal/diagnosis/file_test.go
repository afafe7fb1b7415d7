package diagnosis_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/sqlite"
)

// A file of somebody else's gets its hint, and an error of which nothing is known gets none. A full
// disk is met in the script data.txtar.
func TestOfFile(t *testing.T) {
	t.Parallel()
	_, missing := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "nowhere", "doorward.db"))
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"not allowed": {fmt.Errorf("open: %w", &fs.PathError{Op: "open", Path: "master.key", Err: fs.ErrPermission}), "belong to the user that runs the server"},
		"missing":     {missing, ""},
		"another":     {errors.New("another"), ""},
	} {
		hint := diagnosis.OfFile(test.err)
		if (hint == "") != (test.want == "") || !strings.Contains(hint, test.want) {
			t.Errorf("%s: %v: hint %q, want %q", name, test.err, hint, test.want)
		}
	}
}
