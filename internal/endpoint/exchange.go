package endpoint

import (
	"bufio"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/internal/requestid"
)

// Exchange is one request and its answer, as the log record tells them.
type Exchange struct {
	http.ResponseWriter
	Started time.Time
	Pattern string // of the resource that the path has matched
	Quiet   bool
	Act     string // for the observer: "login", "refresh" or nothing
	Status  int    // 0 while no header was written
	Refusal string // the reason or the code of a refusal

	Subject, Session string

	request *http.Request
	context exchangeContext // of the request
	locate  func(*http.Request) origin.Origin

	naming sync.Once // guards id
	id     string
}

// Begin starts the exchange of r, whose answer is written to w. It returns the exchange, and r with a context in which
// [ExchangeOf] finds it and doorward.RequestID its ID. locate says where a request comes from.
func Begin(w http.ResponseWriter, r *http.Request, locate func(*http.Request) origin.Origin) (*Exchange, *http.Request) {
	x := &Exchange{ResponseWriter: w, Started: time.Now(), locate: locate}
	x.context = exchangeContext{r.Context(), x}
	x.request = r.WithContext(&x.context)
	return x, x.request
}

// Origin says where the request comes from. It is found out anew for each call, and not in advance: a request that
// nothing limits and nobody logs needs none.
func (x *Exchange) Origin() origin.Origin { return x.locate(x.request) }

// ID names the request. It is made when somebody first asks. It may be called concurrently.
func (x *Exchange) ID() string {
	x.naming.Do(func() { x.id = rand.Text() })
	return x.id
}

// WriteHeader keeps the status for the log, and makes one line of what CORS and
// the verifier have each added to Vary.
func (x *Exchange) WriteHeader(status int) {
	if vary := x.Header()["Vary"]; len(vary) > 1 {
		x.Header().Set("Vary", strings.Join(vary, ", "))
	}
	if x.Status == 0 && status >= http.StatusOK {
		x.Status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write keeps that the answer is 200 if nobody has said otherwise.
func (x *Exchange) Write(p []byte) (int, error) {
	if x.Status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Hijack gives the connection away, for the upgrade to another protocol.
func (x *Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil {
		x.Status = http.StatusSwitchingProtocols
	}
	return conn, buffered, err
}

type exchangeKey struct{}

// exchangeContext knows the exchange, and by it the name of the request.
type exchangeContext struct {
	context.Context
	exchange *Exchange
}

// Value returns what this context knows, or else what its parent does.
func (c *exchangeContext) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return c.exchange
	case requestid.Key:
		return c.exchange.ID()
	}
	return c.Context.Value(key)
}

// ExchangeOf returns the exchange of a request. It panics if the request did not come through [Begin].
func ExchangeOf(r *http.Request) *Exchange {
	x, ok := r.Context().Value(exchangeKey{}).(*Exchange)
	if !ok {
		panic("endpoint: a handler was called outside of a server")
	}
	return x
}

// Identify tells the log who is asking.
func Identify(r *http.Request, subject, session string) {
	x := ExchangeOf(r)
	x.Subject, x.Session = subject, session
}
