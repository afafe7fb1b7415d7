package apikey

import (
	"crypto/sha256"
	"strconv"
)

// Fill keeps n tokens that nobody asks for, and returns how many tokens are kept then.
func (t *Tokens) Fill(n int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range n {
		t.put(name{key: sha256.Sum256([]byte(strconv.Itoa(i)))}, &kept{})
	}
	return len(t.young) + len(t.old)
}

// Kept returns how many tokens are kept.
func (t *Tokens) Kept() int { return t.Fill(0) }

// KeptMost is how many there may be.
const KeptMost = 2 * keptMost
