package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

// patience is how long one step of a long answer may take. The limits of the server are too short for the whole of it.
const patience = 30 * time.Second

// streamBuffer is how many bytes are written in one step, and so must be read within patience.
const streamBuffer = 256 << 10

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

// hold gives the next step its time. If the deadline cannot be set, the answer may end early.
func (l long) hold() { _ = l.control.SetWriteDeadline(time.Now().Add(patience)) }

// stream answers with JSON lines, to one request at a time. begin is called before the first line is written. If write
// fails after that, the answer is cut off.
func stream(w http.ResponseWriter, r *http.Request, one *sync.Mutex, begin func() error, write func(long, io.Writer) error) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jsonl")
	if r.Method == http.MethodHead {
		return nil
	}
	if !one.TryLock() {
		return errOneAtATime
	}
	defer one.Unlock()
	if err := begin(); err != nil {
		return err
	}
	answer := longAnswer(w)
	to := bufio.NewWriterSize(answer, streamBuffer)
	err := write(answer, to)
	if err == nil {
		err = to.Flush()
	}
	if r.Context().Err() != nil || errors.Is(err, errGone) {
		return nil // Nobody is left to tell.
	}
	return err
}

// wait gives the next step as long as it takes.
func (l long) wait() { _ = l.control.SetWriteDeadline(time.Time{}) }

// Write gives a part of the answer its time. It returns errGone if the client does not take it.
func (l long) Write(p []byte) (int, error) {
	l.hold()
	n, err := l.ResponseWriter.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	return n, err
}
