package account

import "github.com/doorward/doorward/internal/quota"

// NewAPIKeyText makes the text of a key that no store has.
var NewAPIKeyText = newAPIKeyText

// WithSecretOf is a key of the same ID with the secret of another.
func WithSecretOf(key, other string) string {
	text := key[:apiKeyIDSize] + other[apiKeyIDSize:apiKeySize-apiKeySumSize-1]
	return text + "_" + checksum(text)
}

// Turns is of how many names tries are under way, and how many wait.
func Turns(p *People) (names, waiting int) {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	return len(p.turns.lines), p.turns.waiting
}

// ForgetFailures makes the next failure the first of its minute.
func ForgetFailures(k *APIKeys) {
	fresh := NewAPIKeys(APIKeysConfig{})
	k.budget, k.failures = fresh.budget, quota.Spread{}
}
