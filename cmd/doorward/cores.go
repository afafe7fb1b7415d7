package main

import (
	"os"
	"runtime"
)

// besideHashes is told when passwords are hashed, and has the Go runtime use a thread more for each slot meanwhile. Go takes
// a core from a hash only after 10 ms, and each request would wait that long; the operating system, which shares the cores
// between more threads than there are, does it at once. Without hashes more threads than cores are a cost and no gain.
// What the environment says of GOMAXPROCS holds.
func besideHashes(slots int) func(busy bool) {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	return func(busy bool) {
		if busy {
			runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + slots)
		} else {
			runtime.SetDefaultGOMAXPROCS()
		}
	}
}
