package account

import (
	"context"
	"errors"
	"regexp"
)

// idForm is the form of the IDs of users, of clients, of API keys and of the keys of the audit record.
var idForm = regexp.MustCompile(`^(?:u_[a-z2-7]{26}|(?:dwc|dwk|dwa)_[a-z2-7]{16,})$`)

// ParseID returns the ID that a text has the form of, in any spelling that would be one name with
// it, and whether it has that form. Such a text is never the name of a new user or client, and
// whoever takes an ID or a name takes it for an ID first: an account called like the ID of
// another would get what is meant for that one.
func ParseID(text string) (id string, ok bool) {
	_, canonical, err := spelled(text)
	return canonical, err == nil && idForm.MatchString(canonical)
}

// Find returns the user with this ID, or with this name in any of its spellings, or ErrNotFound.
// It is for operators: who logs in has a name.
func (p *People) Find(ctx context.Context, idOrName string) (User, error) {
	if id, ok := ParseID(idOrName); ok {
		if u, err := p.ByID(ctx, id); !errors.Is(err, ErrNotFound) {
			return u, err
		}
	}
	return p.ByName(ctx, idOrName)
}
