package server_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/admin"
)

// What runs and how it is configured is told as it is, to whoever may look.
func TestAdminProgram(t *testing.T) {
	t.Parallel()
	var during answer
	var w *world
	var root with
	w, root, _ = adminWorld(t, func(s *settings) {
		s.duringCheck = func() {
			w.set.duringCheck = nil // for the one in between
			during = w.do("GET", "/admin/v1/config/check", nil, root)
		}
	})
	var version admin.Version
	must(t, json.Unmarshal(w.do("GET", "/admin/v1/version", nil, root).want(t, 200, "").body, &version))
	var used struct{ Settings []admin.Setting }
	must(t, json.Unmarshal(w.do("GET", "/admin/v1/config", nil, root).want(t, 200, "").body, &used))
	var check admin.ConfigCheck
	must(t, json.Unmarshal(w.do("GET", "/admin/v1/config/check", nil, root).want(t, 200, "").body, &check))
	during.want(t, 503, "busy") // It reads files: one at a time.
	got := admin.Program{Version: version, Settings: used.Settings}
	want := admin.Program{Version: running.Version, Settings: running.Settings}
	if diff := cmp.Diff(want, got) + cmp.Diff(running.Check(), check); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"version", "config", "config/check"} {
		w.do("GET", "/admin/v1/"+path+"?file=/etc/passwd", nil, root).want(t, 400, "invalid_request")
		w.do("POST", "/admin/v1/"+path, map[string]any{}, root).want(t, 405, "method_not_allowed")
	}
}
