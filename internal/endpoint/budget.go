package endpoint

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/quota"
)

// Budget is what strangers may do in a minute: each network, and all together.
type Budget = quota.Budget[netip.Prefix]

// Spend counts one for the network that r comes from, or refuses r if its budget is spent. what names what is
// counted, in the plural, for the refusal. One is counted before it is known whether it should be, so that many
// requests at once cannot exceed the budget; giveBack takes it off again.
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
