package remote

import (
	"bufio"
	"bytes"
	"context"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	// silence is how long a stream may say nothing: three heartbeats.
	silence = 30 * time.Second
	// maxReopen bounds the wait before a stream is opened again.
	maxReopen = 30 * time.Second
	// settled is how long a stream must last for the next wait to be short again.
	settled = time.Minute
)

// keepStream keeps a stream open until ctx ends, beside the polls. Each stream begins where the
// answer to a poll has ended.
func (f *Feed) keepStream(ctx context.Context) {
	for failures := 0; ; failures++ {
		select {
		case <-f.ready:
		case <-ctx.Done():
			return
		}
		begun := time.Now()
		began, err := f.stream(ctx)
		if ctx.Err() != nil {
			return
		}
		f.report(ctx, &failure{reason: "stream", err: err})
		if time.Since(begun) >= settled {
			failures = 0
		}
		select {
		case <-f.ready: // an answer from before the stream ended
		default:
		}
		if began { // poll for what the stream would have brought
			select {
			case f.kick <- struct{}{}:
			default:
			}
		}
		wait(ctx, between(0, min(firstWait<<min(failures, 10), maxReopen)), nil)
	}
}

// stream opens a stream and applies its events until one is faulty, none comes for too long, or the
// issuer ends it. began says whether any event came; err is never nil.
func (f *Feed) stream(ctx context.Context) (began bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(timeout, cancel)
	defer watchdog.Stop()
	after := f.place()
	r, err := f.request(ctx, "text/event-stream", url.Values{"after": {after}})
	if err != nil {
		return false, err
	}
	resp, err := f.client.send(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if err := checkStreamHead(resp); err != nil {
		return false, err
	}
	watchdog.Reset(silence)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxBody)
	var kind string
	var data []byte
	for lines.Scan() {
		watchdog.Reset(silence)
		line := lines.Bytes() // without its CR
		field, value, _ := bytes.Cut(line, []byte(":"))
		switch string(field) {
		case "event":
			kind = string(bytes.TrimSpace(value))
		case "data":
			data = append(data, value...)
		}
		if len(data) > maxBody {
			return began, failed("stream", "an event is longer than %d bytes", maxBody)
		}
		if len(line) > 0 {
			continue
		}
		if after, err = f.hear(after, kind, data); err != nil {
			return began, err
		}
		began, kind, data = began || kind != "", "", nil
	}
	return began, failed("stream", "the stream has ended: %v", lines.Err())
}

// place returns the cursor at which a stream begins.
func (f *Feed) place() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor
}

// hear applies one event and returns the cursor after it. The revocations hold at once, but no event
// makes the feed fresher. An event of an unknown kind, which a later version may send, is ignored.
func (f *Feed) hear(after, kind string, data []byte) (next string, err error) {
	switch kind {
	case "resync":
		return "", failed("stream", "the stream cannot go on from here")
	case "revocations":
	default:
		return after, nil
	}
	e, err := parseEvent(data)
	if err != nil {
		return "", failed("stream", "%w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.lineage != f.lineage {
		return "", failed("stream", "the stream is of another history")
	}
	if err := f.add(e.entries); err != nil {
		return "", err
	}
	if e.after != after {
		return "", failed("stream", "there is a gap in the stream")
	}
	f.cursor = e.next
	return e.next, nil
}

func checkStreamHead(resp *http.Response) error {
	if err := checkStatus(resp); err != nil {
		return err
	}
	if typ, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || typ != "text/event-stream" {
		return failed("stream", "the answer is no stream")
	}
	return nil
}
