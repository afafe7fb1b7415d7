// Command serve measures doorward serve from outside, on an empty folder each time: the time until /readyz answers
// 200, the resident memory two seconds later (Linux only), and the size of the stripped binary. The figures are
// printed beside their targets; none of them fails the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	readyTarget  = time.Second
	memoryTarget = 30 << 20 // bytes resident
	binaryTarget = 30 << 20 // bytes
	idle         = 2 * time.Second
	patience     = 30 * time.Second // for a start
)

func main() {
	root := flag.String("root", "..", "the folder of the repository")
	rounds := flag.Int("n", 5, "how often to start")
	flag.Parse()
	if err := run(context.Background(), *root, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "serve: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, rounds int) (err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "doorward")
	size, err := build(ctx, root, binary)
	if err != nil {
		return err
	}
	var ready, memory []float64
	for i := range rounds {
		start, resident, err := measure(ctx, binary, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		ready, memory = append(ready, start.Seconds()*1000), append(memory, mebibytes(resident))
	}
	fmt.Printf("doorward serve on an empty folder, %d starts; not gated\n", rounds)
	row("ready", "ms", ready, float64(readyTarget.Milliseconds()))
	row("resident when idle", "MiB", memory, mebibytes(memoryTarget))
	row("binary, stripped", "MiB", []float64{mebibytes(size)}, mebibytes(binaryTarget))
	return nil
}

// build makes the binary as it is released and returns its size in bytes.
func build(ctx context.Context, root, binary string) (int64, error) {
	cmd := exec.CommandContext(ctx, "go", "-C", root, "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./cmd/doorward")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// measure starts the server on a folder that is not there yet and returns the time until it was ready and its
// resident memory in bytes.
func measure(ctx context.Context, binary, data string) (time.Duration, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+idle)
	defer cancel()
	address, err := freeAddress(ctx)
	if err != nil {
		return 0, 0, err
	}
	var log strings.Builder
	cmd := exec.CommandContext(ctx, binary, "serve", "--data", data, "--listen", address)
	cmd.Stdout, cmd.Stderr = &log, &log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	readyErr := waitReady(ctx, "http://"+address+"/readyz")
	took := time.Since(begin)
	var resident int64
	if readyErr == nil {
		time.Sleep(idle)
		resident, readyErr = residentBytes(cmd.Process.Pid)
	}
	stopErr := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
	if readyErr != nil {
		return 0, 0, fmt.Errorf("%w\n%s", readyErr, log.String())
	}
	return took, resident, stopErr
}

// freeAddress finds a loopback port that nobody listens on at this moment.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func waitReady(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("not ready in time")
}

func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS in the process's status")
}

func row(name, unit string, values []float64, target float64) {
	slices.Sort(values)
	fmt.Printf("%-20s median %7.1f  best %7.1f  worst %7.1f %-4s target <= %.0f\n",
		name, values[len(values)/2], values[0], values[len(values)-1], unit, target)
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
