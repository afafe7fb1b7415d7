package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// skewedBinary is a doorward whose whole process, with all its libraries, reads a wall clock that is wrong by
// clockVariable: the function of the kernel's through which Go's runtime reads clocks is one of testdata/clock there.
// Only package main is built for it, so that no code of Doorward's knows of it. The clock of PostgreSQL stays.
var skewedBinary = sync.OnceValues(func() (string, error) { return buildSkewed(".", "doorward") })

// skewedService is examples/service with such a clock.
var skewedService = sync.OnceValues(func() (string, error) { return buildSkewed("../../examples/service", "service") })

func buildSkewed(dir, name string) (string, error) {
	program := filepath.Join(scratch, name+"-skewed")
	file := program + ".json"
	if err := writeOverlay(file, dir); err != nil {
		return "", err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-overlay", file, "-trimpath", "-o", program, dir)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
}

// writeOverlay writes a file for "go build -overlay" that puts testdata/clock into the package of a folder.
func writeOverlay(file, dir string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	replace := map[string]string{}
	for from, to := range map[string]string{"clock.go.txt": "wrong_clock.go", "clock_amd64.s.txt": "wrong_clock.s"} {
		replace[filepath.Join(here, dir, to)] = filepath.Join(here, "testdata", "clock", from)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
