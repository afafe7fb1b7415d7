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
var skewedBinary = sync.OnceValues(func() (string, error) {
	file, err := writeOverlay()
	if err != nil {
		return "", err
	}
	program := filepath.Join(scratch, "doorward-skewed")
	build := exec.CommandContext(context.Background(), "go", "build", "-overlay", file, "-trimpath", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// writeOverlay writes a file for "go build -overlay" that puts testdata/clock into this package.
func writeOverlay() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for from, to := range map[string]string{"clock.go.txt": "wrong_clock.go", "clock_amd64.s.txt": "wrong_clock.s"} {
		replace[filepath.Join(here, to)] = filepath.Join(here, "testdata", "clock", from)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(scratch, "skewed.json")
	return file, os.WriteFile(file, text, 0o600)
}
