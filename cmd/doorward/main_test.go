package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the doorward that servers under test are started from, and that scripts run. It is built
// without the race detector: it is tested as it is run, and tests in this process are what the detector sees.
var binary string

// scratch is a folder for what tests build once. It goes when they have ended.
var scratch string

// soak asks for the long variants.
var soak bool

// corpora is the folder of collections of hostile input; empty if there is none.
var corpora string

func TestMain(m *testing.M) { os.Exit(suite(m)) }

// suite builds the binary where none is given, puts it on the path, and runs the tests.
func suite(m *testing.M) int {
	if os.Getenv(echoesAlone) != "" {
		return echoUntilEnd()
	}
	binary = os.Getenv("DOORWARD_BINARY")
	soak = os.Getenv("DOORWARD_SOAK") != ""
	corpora = os.Getenv("DOORWARD_CORPORA")
	// What is set for the tests is not meant for the commands that they run.
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); name == "NO_COLOR" || strings.HasPrefix(name, "DOORWARD_") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("CGO_ENABLED", "0") // What tests build is built as the release files are.
	var err error
	if scratch, err = os.MkdirTemp("", "doorward-binary-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := provide(); err != nil {
		fmt.Fprintln(os.Stderr, "doorward to test:", err)
		return 1
	}
	return m.Run()
}

// provide sees to it that there is a binary, and that scripts find it as doorward.
func provide() error {
	onPath := filepath.Join(scratch, "doorward")
	if err := os.Setenv("PATH", scratch+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		return err
	}
	if binary != "" {
		return os.Symlink(binary, onPath)
	}
	binary = onPath
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", binary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return build.Run()
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		// A server that should have been refused would run for ever.
		Deadline: time.Now().Add(12 * time.Minute),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":    scriptServe,
			"shutdown": scriptShutdown,
			"await":    scriptAwait,
			"exits":    scriptExits,
			"secret":   scriptSecret,
			"tamper":   scriptTamper,
		},
	})
}

// scriptServe starts a server: serve DIR [ARGS]. It sets URL.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve DIR [ARGS]")
	}
	var env []string
	for _, setting := range config.Settings() {
		if val := ts.Getenv(setting.Env()); val != "" {
			env = append(env, setting.Env()+"="+val)
		}
	}
	s, err := startServerIn(ts.MkAbs("."), ts.MkAbs(args[0]), env, args[1:]...)
	ts.Check(err)
	ts.Defer(func() { _ = s.stop() })
	ts.Setenv("URL", s.url)
	servers.Store(ts, s)
}

// scriptShutdown ends the last server with SIGTERM and wants the exit code 0.
func scriptShutdown(ts *testscript.TestScript, _ bool, _ []string) {
	s, ok := servers.Load(ts)
	if !ok {
		ts.Fatalf("no server")
	}
	ts.Check(s.(*process).stop())
}

// scriptAwait waits at most two seconds until GET PATH with the token in a file
// is answered with STATUS: await STATUS PATH [FILE].
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await STATUS PATH [FILE]")
	}
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	token := ""
	if len(args) > 2 {
		token = firstLine(ts.ReadFile(args[2]))
	}
	var got answer
	ts.Check(eventually(func() bool {
		got, err = call("GET", ts.Getenv("URL")+args[1], token, "")
		return err == nil && got.status == wanted
	}))
	ts.Logf("%d %s", got.status, got.body)
}

// scriptExits runs a command line and wants an exit code: exits CODE doorward [ARGS].
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE doorward [ARGS]")
	}
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := asExit(err); ok {
		got = exit
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != wanted {
		ts.Fatalf("exit code %d, want %d", got, wanted)
	}
}

// scriptTamper changes an SQLite database by hand: tamper FILE STATEMENT.
func scriptTamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tamper FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.ExecContext(context.Background(), args[1])
	ts.Check(errors.Join(err, db.Close()))
}

// scriptSecret wants that the first line of a file is nowhere in the output of
// the last command: secret FILE.
func scriptSecret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: secret FILE")
	}
	text := firstLine(ts.ReadFile(args[0]))
	if len(text) < 16 {
		ts.Fatalf("%s holds no secret", args[0])
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(stream), text) {
			ts.Fatalf("%s holds the secret of %s", stream, args[0])
		}
	}
}
