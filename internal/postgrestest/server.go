package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is one running PostgreSQL. Its methods may be called concurrently.
type Server struct {
	bin, dir string
	user     account
	settings []string
	leash    io.Closer // closed when this process ends, and then the watcher kills the server

	mu  sync.Mutex // guards cmd
	cmd *exec.Cmd  // nil while the server is down
}

// Start starts a server that [Server.Stop] or [Server.Kill] ended, and waits until it answers.
func (s *Server) Start() error {
	if err := s.launch(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.url(Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(s.log())
			return fmt.Errorf("the server does not answer\n%s", text)
		case <-tick.C:
		}
	}
}

// Stop ends the server as an administrator would: transactions under way are rolled back, connections are closed.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill ends the server as a crash would.
func (s *Server) Kill() error { return s.end(syscall.SIGQUIT) }

// Restart is Stop and Start.
func (s *Server) Restart() error { return errors.Join(s.Stop(), s.Start()) }

// Pause stops every process of the server where it is, as a machine that hangs would: connections stay open, and
// nothing answers. The function that it returns lets them go on.
func (s *Server) Pause() (resume func() error, err error) {
	pids := s.processes()
	if len(pids) == 0 {
		return nil, errors.New("the server is down")
	}
	// The first one makes no new processes once it is stopped.
	if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
		return nil, err
	}
	pids = s.processes()
	for _, pid := range pids[1:] {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
			return nil, err
		}
	}
	return func() error {
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		return nil
	}, nil
}

// Cut ends every connection to a database but that of this call.
func (s *Server) Cut(database string) error {
	return s.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + database + `' AND pid <> pg_backend_pid()`)
}

func (s *Server) launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return errors.New("the server is up")
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "max_connections=300"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	return os.WriteFile(s.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600)
}

func (s *Server) end(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server is down")
	}
	if err := s.cmd.Process.Signal(signal); err != nil {
		return err
	}
	err := s.cmd.Wait()
	s.cmd = nil
	if signal == syscall.SIGINT {
		return err
	}
	return nil
}

func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd != nil
}

// remove ends the server and deletes its folder. What is paused is ended as well.
func (s *Server) remove() {
	_ = s.leash.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// watch starts a process that outlives this one by a moment: it waits until the leash is closed, by remove or by the
// end of this process, kills the server with all its children, and deletes the folder.
func (s *Server) watch() error {
	const script = `
		read -r _
		if read -r main 2>/dev/null <"$0/pid"; then
			children=
			for stat in /proc/[0-9]*/stat; do
				if read -r pid _ _ parent _ 2>/dev/null <"$stat" && [ "$parent" = "$main" ]; then children="$children $pid"; fi
			done
			kill -9 "$main" $children
			while kill -0 "$main" 2>/dev/null && ! grep -q ') Z' "/proc/$main/stat"; do sleep 0.05; done
		fi
		rm -rf "$0"`
	cmd := exec.CommandContext(context.Background(), "sh", "-c", script, s.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the tests.
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	s.leash = leash
	return cmd.Start()
}

// processes returns the process IDs of the server, its first process first; none if it is down.
func (s *Server) processes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return nil
	}
	pids := []int{s.cmd.Process.Pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		var pid, parent int
		var name, state string
		_, err = fmt.Sscan(strings.ReplaceAll(string(text), ") ", ")_ "), &pid, &name, &state, &parent)
		if err == nil && parent == pids[0] {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = s.user.process()
	return cmd
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) log() string     { return filepath.Join(s.dir, "log") }
func (s *Server) pidFile() string { return filepath.Join(s.dir, "pid") }
