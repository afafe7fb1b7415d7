package endpoint

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/quota"
)

// Budget is what strangers may do in a minute: each network, and all together.
type Budget = quota.Budget[netip.Prefix]

// Spend counts one for where r comes from, or refuses it: what is counted, in the plural, is told then. What
// it returns gives that one back: it is counted before the outcome is known, so that of many at once no more get through.
func Spend(b *Budget, r *http.Request, what string) (giveBack func(), err error) {
	network, now := ExchangeOf(r).Origin().Network(), time.Now()
	if wait := b.Take(network, now); wait > 0 {
		return nil, &Failure{
			Status: http.StatusTooManyRequests, Code: "too_many_requests",
			Description: "too many " + what + " from this network, or from everywhere; wait, then try again", RetryAfter: wait,
		}
	}
	return func() { b.Give(network, now) }, nil
}
