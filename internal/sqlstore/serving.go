package sqlstore

import "context"

const metaServing = "serving" // a row of meta

// Serving returns the text that SetServing stored last, "" if there is none.
func (s *Store) Serving(ctx context.Context) (text string, err error) {
	text, _, err = s.meta(ctx, metaServing)
	return text, err
}

// SetServing stores the settings with which a server runs, for commands on other machines.
func (s *Store) SetServing(ctx context.Context, text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	return s.setMeta(ctx, metaServing, metaServing, text)
}
