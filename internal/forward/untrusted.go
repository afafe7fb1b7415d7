package forward

import (
	"log/slog"
	"net/netip"
	"sync"
)

// maxUntrusted bounds how many peers the log names.
const maxUntrusted = 64

// untrustedPeers are the peers that have asked although they are no trusted proxies.
type untrustedPeers struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

// warn logs a peer, once, and the setting that would trust it.
func (u *untrustedPeers) warn(log *slog.Logger, address string) {
	peer := address
	if parsed, err := netip.ParseAddrPort(address); err == nil {
		peer = parsed.Addr().Unmap().WithZone("").String()
	}
	u.mu.Lock()
	known := u.seen[peer] || len(u.seen) >= maxUntrusted
	if !known {
		if u.seen == nil {
			u.seen = map[string]bool{}
		}
		u.seen[peer] = true
	}
	u.mu.Unlock()
	if !known {
		log.Warn("a peer asked for forward-auth that is not trusted; if it is your proxy, and clients cannot come from there, allow it",
			"peer", peer, "setting", "trusted_proxies: ["+peer+"]")
	}
}
