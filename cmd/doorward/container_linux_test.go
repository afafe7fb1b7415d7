package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is what the last stage of examples/container/Dockerfile says.
type image struct {
	env        []string
	user       int
	entrypoint []string
	command    []string
}

func readImage(t *testing.T) (i image) {
	t.Helper()
	text, err := os.ReadFile("../../examples/container/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("the image is not made from nothing")
	}
	for line := range strings.Lines(last) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ENV":
			i.env = strings.Fields(rest)
		case "USER":
			err = json.Unmarshal([]byte(strings.Split(rest, ":")[0]), &i.user)
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(rest), &i.entrypoint)
		case "CMD":
			err = json.Unmarshal([]byte(rest), &i.command)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return i
}

// run is a command in a container of the image: with a root folder that has nothing but what the image has, as its user and,
// like there, as the first process.
func (i image) run(ctx context.Context, root string, env []string, args ...string) *exec.Cmd {
	args = slices.Concat(i.entrypoint, args)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = slices.Concat(i.env, env), "/"
	one := func(host int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: i.user, HostID: host, Size: 1}}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID, Chroot: root,
		UidMappings: one(os.Getuid()), GidMappings: one(os.Getgid()),
		Credential: &syscall.Credential{Uid: uint32(i.user), Gid: uint32(i.user), NoSetGroups: true},
	}
	return cmd
}

// The binary needs nothing beside it: in the container of examples/container, as docs/operate.md starts it, it serves, writes to
// /data alone, and ends when it is told to.
func TestContainer(t *testing.T) {
	t.Parallel()
	i, root := readImage(t), t.TempDir()
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, setting := range regexp.MustCompile(`-e (DOORWARD_\S+)`).FindAllStringSubmatch(string(page), -1) {
		env = append(env, setting[1])
	}
	if len(env) < 2 {
		t.Fatalf("docs/operate.md starts a container with %q", env)
	}
	env = append(env, "DOORWARD_LISTEN=0.0.0.0:0")
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "doorward"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "data"), 0o700), os.Chmod(root, 0o500)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(root, 0o700) }) //nolint:gosec // A folder that is not empty has to be writable to be deleted.

	server := i.run(t.Context(), root, env, i.command...)
	logs, serving := &lines{}, make(chan string, 1)
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { logs.follow(stderr, serving); close(read) }()
	select {
	case url := <-serving:
		must(t, 200, "GET", strings.Replace(url, "[::]", "127.0.0.1", 1)+"/readyz", "", "")
	case <-read:
	case <-time.After(30 * time.Second):
		t.Error("it does not serve")
	}
	if list, err := i.run(t.Context(), root, env, "user", "list").CombinedOutput(); err != nil || !strings.Contains(string(list), "admin") {
		t.Errorf("a command beside it: %v\n%s", err, list)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-read
	if err := server.Wait(); err != nil {
		t.Errorf("%v\n%s", err, logs.text())
	}
}
