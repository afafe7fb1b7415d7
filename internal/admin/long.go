package admin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

// patience is how long one step of a long answer may take: the limits of the server are for what ends soon.
const patience = 30 * time.Second

// errGone says that the client takes no more of the answer.
var errGone = errors.New("admin: the client is gone")

var errOneAtATime = &endpoint.Failure{
	Status: http.StatusServiceUnavailable, Code: "busy", Description: "another one is under way on this node; wait until it has ended",
	RetryAfter: 10 * time.Second,
}

// long is an answer that takes a while. Each step of it has a limit of its own.
type long struct {
	http.ResponseWriter
	control *http.ResponseController
}

func longAnswer(w http.ResponseWriter) long { return long{w, http.NewResponseController(w)} }

// hold gives the next step its time. What cannot be given, ends the answer early.
func (l long) hold() { _ = l.control.SetWriteDeadline(time.Now().Add(patience)) }

// wait gives the next step all the time that it takes. It ends with its request.
func (l long) wait() { _ = l.control.SetWriteDeadline(time.Time{}) }

// Write gives a part of the answer its time. It returns errGone for a client that does not take it.
func (l long) Write(p []byte) (int, error) {
	l.hold()
	n, err := l.ResponseWriter.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	return n, err
}
