//go:build !unix

package main

import "math"

// privateFiles does nothing: files inherit the access rules of their folder here.
func privateFiles() {}

// openFiles is how many files this process may have open at once: nobody counts them.
func openFiles() int { return math.MaxInt32 }
