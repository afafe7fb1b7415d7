package cutoff

import (
	"bytes"
	"math"
	"time"
)

// expiry is a time in seconds since 1970, rounded up; 0 means never, and so does a time
// after 2106.
type expiry uint32

func expiryOf(t time.Time) expiry {
	if t.IsZero() {
		return 0
	}
	seconds := t.Add(time.Second - 1).Unix()
	if seconds > math.MaxUint32 {
		return 0
	}
	return expiry(max(seconds, 1))
}

func (e expiry) past(now time.Time) bool { return e != 0 && now.Unix() >= int64(e) }

// merged returns the later one.
func (e expiry) merged(other expiry) expiry {
	if e == 0 || other == 0 {
		return 0
	}
	return max(e, other)
}

// cutoff ends the sessions smaller than before.
type cutoff struct {
	before uuid
	until  expiry
}

// newCutoff ends every session if before cannot be read.
func newCutoff(before string, until time.Time) cutoff {
	u, ok := parseUUID(before)
	if !ok {
		u = uuid(bytes.Repeat([]byte{0xff}, len(u)))
	}
	return cutoff{before: u, until: expiryOf(until)}
}

func (c cutoff) past(now time.Time) bool { return c.until.past(now) }

func (c cutoff) merged(other cutoff) cutoff {
	if bytes.Compare(other.before[:], c.before[:]) > 0 {
		c.before = other.before
	}
	c.until = c.until.merged(other.until)
	return c
}

// ends reports whether a session is smaller than before. One that is no UUID in
// lower case cannot be compared, and counts as smaller.
func (c cutoff) ends(session string) bool {
	sid, ok := parseUUID(session)
	return !ok || bytes.Compare(sid[:], c.before[:]) < 0
}
