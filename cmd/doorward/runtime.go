package main

import (
	"os"
	"runtime"
)

// heapRoom returns memory that is never used. The garbage collector counts it as alive and runs the less often for it: a
// server that keeps 1 MiB alive would collect for every 3 MiB, which takes a tenth of a request through the gate. It has to
// be made before the first hash: memory that a hash has used would have to be cleared, and so be resident.
func heapRoom() []byte { return make([]byte, 8<<20) }

// besideHashes returns the password.Config.Busy that lets requests be answered beside hashes: while passwords are hashed
// the Go runtime uses one thread more for each slot. Go takes a core from a hash only after 10 ms, for which each request
// would wait; the operating system, which shares the cores between all threads, does so at once. Without hashes more
// threads than cores are a cost and no gain. If the environment sets GOMAXPROCS, that holds.
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
