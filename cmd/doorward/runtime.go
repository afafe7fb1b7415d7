package main

import (
	"os"
	"runtime"
)

// heapRoom is memory that nobody uses. The garbage collector counts it as alive, and lets as much more be allocated before it
// runs: with the 1 MiB that a server keeps alive it would run for every 3 MiB, which is a tenth of a request through the
// gate. It must be made before the first hash. Made of memory that a hash has used it would be cleared, and so be resident.
func heapRoom() []byte { return make([]byte, 8<<20) }

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
