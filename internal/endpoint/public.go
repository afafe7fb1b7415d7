package endpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Public is how long anyone may keep a document that changes with the configuration alone.
const Public = 5 * time.Minute

// WritePublic answers a document that anyone may keep for a while, in whole seconds.
func WritePublic(w http.ResponseWriter, r *http.Request, media string, body []byte, keep time.Duration) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keep/time.Second)))
	h.Set("ETag", tag)
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	_, _ = w.Write(body) // The client may be gone; nobody is left to tell.
}

// matches compares entity tags weakly (RFC 9110 §13.1.2).
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for candidate := range strings.SplitSeq(line, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == tag || candidate == "*" {
				return true
			}
		}
	}
	return false
}
