package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/go-json-experiment/json"
)

var (
	errNoCondition = &endpoint.Failure{
		Status: http.StatusPreconditionRequired, Code: "precondition_required",
		Description: "send If-Match with the ETag of what you have seen, or with * for whatever is there",
	}
	errChanged = &endpoint.Failure{
		Status: http.StatusPreconditionFailed, Code: "precondition_failed",
		Description: "this was changed by somebody else; read it again, then decide anew",
	}
)

// tagOf returns the entity tag of a resource (RFC 9110 §8.8.3), a digest of what is shown of it.
func tagOf(shown any) string {
	body, err := json.Marshal(shown, json.Deterministic(true))
	if err != nil {
		panic("admin: an answer is not JSON: " + err.Error())
	}
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// writeTagged answers with a resource and its entity tag.
func writeTagged(w http.ResponseWriter, status int, shown any) {
	w.Header().Set("ETag", tagOf(shown))
	endpoint.WriteJSON(w, status, shown)
}

// checkMatch compares If-Match with what is shown of the resource now (RFC 9110 §13.1.1). whatever says that the header
// is *, so that the change is good for any state. Otherwise the store compares again, in the transaction of the change.
func checkMatch(r *http.Request, shown any) (whatever bool, err error) {
	lines := r.Header.Values("If-Match")
	if len(lines) == 0 {
		return false, errNoCondition
	}
	list, tag := strings.Join(lines, ","), tagOf(shown)
	if strings.TrimSpace(list) == "*" {
		return true, nil
	}
	for candidate := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(candidate) == tag {
			return false, nil
		}
	}
	return false, errChanged
}

// conflict turns the store's error for a resource that was changed meanwhile into errChanged.
func conflict(err error) error {
	if errors.Is(err, issuer.ErrConflict) {
		return errChanged
	}
	return err
}
