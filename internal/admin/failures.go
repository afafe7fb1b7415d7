package admin

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

var errNothing = &endpoint.Failure{
	Status: http.StatusBadRequest, Code: "invalid_request", Description: "there is nothing to change in the body",
}

// known says what the client reads for each error of account.
var known = []struct {
	err               error
	status            int
	code, description string
}{
	{account.ErrNotFound, http.StatusNotFound, "not_found", "there is no such user"},
	{account.ErrNoRole, http.StatusNotFound, "not_found", "there is no such role"},
	{account.ErrNoClient, http.StatusNotFound, "not_found", "there is no such client"},
	{issuer.ErrNotFound, http.StatusNotFound, "not_found", "there is no such key"},
	{account.ErrNameTaken, http.StatusConflict, "name_taken", "this name is taken; choose another one"},
	{account.ErrExternalIDTaken, http.StatusConflict, "conflict", "another user has this external ID"},
	{account.ErrRoleThere, http.StatusConflict, "name_taken", "there is a role of this name already"},
	{account.ErrLastAdmin, http.StatusConflict, "last_admin", "this is the last admin who can log in; make another one first"},
	{account.ErrRoleAdmin, http.StatusConflict, "conflict", "the role admin is a part of Doorward and cannot be removed"},
	{account.ErrNoSecret, http.StatusNotFound, "not_found", "the client has no such secret"},
	{account.ErrClientSecrets, http.StatusConflict, "conflict", "the client has two secrets already; drop one first"},
	{account.ErrLastSecret, http.StatusConflict, "conflict", "it is the only secret of the client; add another one first, or disable the client"},
	{account.ErrNoAPIKey, http.StatusNotFound, "not_found", "there is no such API key"},
	{account.ErrAPIKeyBounds, http.StatusConflict, "conflict", "the owner has 50 API keys already; end one first"},
	{account.ErrAPIKeyScope, http.StatusBadRequest, "invalid_scope", "an API key may have no scope that its owner does not have"},
	{issuer.ErrAudience, http.StatusBadRequest, "invalid_target", "the user or client gets no tokens for that audience"},
	{account.ErrAPIKeyName, http.StatusBadRequest, "invalid_name", "the name of an API key is 1 to 64 printable characters, without a space at its beginning or end"},
	{account.ErrAPIKeyGrant, http.StatusBadRequest, "invalid_request", "want at most 64 words in scope, or everything, and at most 64 audiences of printable characters without spaces"},
	{account.ErrAPIKeyLifetime, http.StatusBadRequest, "invalid_request", "expires_in must be 60 to 31622400 seconds, or left out"},
	{account.ErrRoleBounds, http.StatusBadRequest, "invalid_request", "too many roles or scopes: a user may have 32 roles, a role 64 scopes, and all scopes together 2048 bytes"},
	{account.ErrRole, http.StatusBadRequest, "invalid_name", "a role is 1 to 64 of the characters a-z 0-9 _ . : - and begins with a letter or digit"},
	{account.ErrClientName, http.StatusBadRequest, "invalid_name", "the name of a client is 1 to 64 of the characters a-z 0-9 _ . : -, begins with a letter or digit, not with dwc_, and is not like an ID"},
	{account.ErrName, http.StatusBadRequest, "invalid_name", "a name has 1 to 64 letters, digits or plain signs, of one script, and single spaces inside"},
	{account.ErrEmail, http.StatusBadRequest, "invalid_email", "an e-mail address is written name@host.example, in ASCII, with at most 64 characters before the @ and 254 together"},
	{account.ErrExternalID, http.StatusBadRequest, "invalid_request", "an external ID is 1 to 128 printable ASCII characters without spaces"},
	{account.ErrScopeWord, http.StatusBadRequest, "invalid_scope", "a scope is 1 to 128 printable ASCII characters without space, quote and backslash"},
	{account.ErrClientGrant, http.StatusBadRequest, "invalid_request", "a client has at most 64 scopes, of 2048 bytes together, and 64 audiences of at most 1024 bytes, of printable characters without spaces"},
}

// refuse turns an error of account into a refusal, and leaves any other as it is.
func refuse(err error) error {
	if rule, ok := errors.AsType[*password.RuleError](err); ok {
		return &endpoint.Failure{
			Status: http.StatusBadRequest, Code: "invalid_password", Description: rule.Reason + "; " + rule.Advice, Cause: err,
		}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return &endpoint.Failure{Status: k.status, Code: k.code, Description: k.description, Cause: err}
		}
	}
	return err
}

// idForm matches every ID that Doorward makes, and no text that a store would refuse.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func isID(text string) bool { return idForm.MatchString(text) }

// isUserID and isClientID tell an ID from a name, which is none.
func isUserID(text string) bool { return strings.HasPrefix(text, account.UserIDPrefix) && isID(text) }

func isClientID(text string) bool {
	return strings.HasPrefix(text, account.ClientIDPrefix) && isID(text)
}

// readBody reads the body of a request that takes no parameters.
func readBody(w http.ResponseWriter, r *http.Request, req any) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	return endpoint.ReadJSON(w, r, req)
}

// readOptionalBody is readBody where no body is as good as {}.
func readOptionalBody(w http.ResponseWriter, r *http.Request, req any) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	_, err := endpoint.ReadOptionalJSON(w, r, req)
	return err
}

// endSessions reads whether a change of roles is to end the sessions of the users that it concerns.
func endSessions(r *http.Request) (bool, error) {
	values, err := readQuery(r, "end_sessions")
	if err != nil {
		return false, err
	}
	return flag(values, "end_sessions")
}
