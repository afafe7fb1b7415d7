package main

import (
	"path/filepath"
	"testing"
)

// People add themselves where the operator lets them, and nowhere else.
func TestRegistration(t *testing.T) {
	t.Parallel()
	s, err := startServer(filepath.Join(t.TempDir(), "data"), []string{"DOORWARD_ACCOUNTS_REGISTRATION=open"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	must(t, 201, "POST", s.url+"/register", "", credentials("carol", "blue kettle sings at noon"))
	must(t, 200, "POST", s.url+"/login", "", credentials("carol", "blue kettle sings at noon"))
	closed := serve(t, filepath.Join(t.TempDir(), "data"))
	must(t, 404, "POST", closed.url+"/register", "", credentials("carol", "blue kettle sings at noon"))
}
