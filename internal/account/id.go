package account

import (
	"context"
	"errors"
	"regexp"
)

// idForm is the form of the IDs of users, of clients, of API keys and of the keys of the audit record.
var idForm = regexp.MustCompile(`^(?:u_[a-z2-7]{26}|(?:dwc|dwk|dwa)_[a-z2-7]{16,})$`)

// ParseID reports whether a text has the form of an ID, and returns that ID. Every spelling that
// would be the same name as the ID has its form. No new user or client may have such a name, and
// where an ID or a name is asked for, it is taken for an ID first: otherwise an account named like
// the ID of another would get what is meant for that one.
func ParseID(text string) (id string, ok bool) {
	_, canonical, err := parseExistingName(text)
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
