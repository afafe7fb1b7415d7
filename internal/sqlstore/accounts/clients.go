package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.ClientStore = (*Store)(nil)

const clientColumns = `id, name, scope, audiences, disabled, created_at`

// CreateClient inserts a client and returns it as stored.
func (s *Store) CreateClient(ctx context.Context, row account.ClientRow, ev issuer.Event) (account.Client, error) {
	if row.ID == "" || row.Name == "" {
		return account.Client{}, errors.New("create client: no ID or no name")
	}
	if err := sqlstore.CheckText(slices.Concat(row.Scope, row.Audiences, []string{row.ID, row.Name})...); err != nil {
		return account.Client{}, err
	}
	var client account.Client
	err := s.write(ctx, "create client", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		made, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `
			INSERT INTO clients (`+clientColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`,
			row.ID, row.Name, row.Scope.String(), strings.Join(row.Audiences, " "), false, sqlstore.Millis(now)))
		if err != nil {
			return err
		}
		if !made {
			return account.ErrNameTaken
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO client_secrets (client_id, digest, created_at) VALUES ($1, $2, $3)`,
			row.ID, row.Secret[:], sqlstore.Millis(now))
		if err != nil {
			return err
		}
		if client, err = oneClient(ctx, tx, now, row.ID); err != nil {
			return err
		}
		ev.Reason = client.GrantText()
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, row.ID, ""))
	})
	return sqlstore.OrNone(client, err)
}

// Client returns the client with this ID or name.
func (s *Store) Client(ctx context.Context, idOrName string) (account.Client, error) {
	var client account.Client
	if sqlstore.CheckText(idOrName) != nil {
		return client, account.ErrNoClient
	}
	err := s.read(ctx, "read client", func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		client, err = oneClient(ctx, tx, now, idOrName)
		return err
	})
	return client, err
}

// ClientCredential returns the client with this ID and its secrets.
func (s *Store) ClientCredential(ctx context.Context, id string) (account.ClientCredential, error) {
	var c account.ClientCredential
	if sqlstore.CheckText(id) != nil {
		return c, account.ErrNoClient
	}
	err := s.read(ctx, "read client", func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		c = account.ClientCredential{}
		if c.Client, err = bareClient(ctx, tx, id); err != nil {
			return err
		}
		live, err := liveSecrets(ctx, tx, now, id)
		for _, secret := range live {
			c.Client.Secrets, c.Secrets = append(c.Client.Secrets, secret.ClientSecret), append(c.Secrets, secret.digest)
		}
		return err
	})
	return sqlstore.OrNone(c, err)
}

// Clients lists clients in the byte order of their names.
func (s *Store) Clients(ctx context.Context, q account.Query) (list []account.Client, err error) {
	if err := sqlstore.CheckText(q.After); err != nil {
		return nil, err
	}
	err = s.read(ctx, "list clients", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		list = nil
		ids, err := sqlstore.ScanTexts(ctx, tx, `SELECT id FROM clients WHERE name > $1 ORDER BY name LIMIT $2`, q.After, pageLimit(q))
		for _, id := range ids {
			client, err := oneClient(ctx, tx, now, id)
			if err != nil {
				return err
			}
			list = append(list, client)
		}
		return err
	})
	return list, err
}

// SetClientDisabled disables or enables the client; disabling ends its tokens.
func (s *Store) SetClientDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) ([]doorward.Revocation, error) {
	return s.changeClient(ctx, "change client", id, disabled, ev,
		clientRow(`UPDATE clients SET disabled = $2 WHERE id = $1`, id, disabled))
}

// EndClientTokens ends every token of the client so far.
func (s *Store) EndClientTokens(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error) {
	return s.changeClient(ctx, "end tokens of client", id, true, ev,
		clientRow(`UPDATE clients SET disabled = disabled WHERE id = $1`, id))
}

// DeleteClient removes the client with its secrets and its API keys, and ends its tokens.
func (s *Store) DeleteClient(ctx context.Context, id string, ev issuer.Event) ([]doorward.Revocation, error) {
	return s.changeClient(ctx, "delete client", id, true, ev, func(ctx context.Context, tx sqlstore.Tx) (bool, error) {
		// First the client and then its keys, as where one is made: then none is made in between.
		gone, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `DELETE FROM clients WHERE id = $1`, id))
		if err != nil {
			return false, err
		}
		return gone, dropAPIKeys(ctx, tx, id)
	})
}

// clientRow is a change by one statement.
func clientRow(query string, args ...any) func(context.Context, sqlstore.Tx) (bool, error) {
	return func(ctx context.Context, tx sqlstore.Tx) (bool, error) {
		return sqlstore.ChangedOne(tx.ExecContext(ctx, query, args...))
	}
}

// changeClient makes one change of a client and, if ends is set, ends its tokens. change reports whether there is such a
// client.
func (s *Store) changeClient(
	ctx context.Context, what, id string, ends bool, ev issuer.Event, change func(context.Context, sqlstore.Tx) (bool, error),
) (cuts []doorward.Revocation, err error) {
	if sqlstore.CheckText(id) != nil {
		return nil, account.ErrNoClient
	}
	err = s.writeNews(ctx, what, func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		cuts = nil
		changed, err := change(ctx, tx)
		if err != nil {
			return err
		}
		if !changed {
			return account.ErrNoClient
		}
		if ends {
			if cuts, err = endTokensOf(ctx, tx, now, id); err != nil {
				return err
			}
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
	return cuts, err
}

// endTokensOf ends what a client was granted: its own tokens by the name of the client, and those
// of its API keys, which are clients of other names, by that of the subject.
func endTokensOf(ctx context.Context, tx sqlstore.Tx, now time.Time, id string) ([]doorward.Revocation, error) {
	client, err := sqlstore.EndClient(ctx, tx, now, id)
	if err != nil {
		return nil, err
	}
	subject, _, err := sqlstore.CutOff(ctx, tx, now, doorward.KindSubject, id, client.Before)
	return []doorward.Revocation{client, subject}, err
}

// lockClient lets nobody else change the client until the transaction ends. It returns ErrNoClient if
// there is none.
func lockClient(ctx context.Context, tx sqlstore.Tx, id string) error {
	there, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE clients SET disabled = disabled WHERE id = $1`, id))
	if err == nil && !there {
		err = account.ErrNoClient
	}
	return err
}

func oneClient(ctx context.Context, tx sqlstore.Tx, now time.Time, idOrName string) (account.Client, error) {
	c, err := scanClient(tx.QueryRowContext(ctx, `SELECT `+clientColumns+` FROM clients WHERE id = $1 OR name = $1`, idOrName))
	if err != nil {
		return account.Client{}, err
	}
	live, err := liveSecrets(ctx, tx, now, c.ID)
	for _, secret := range live {
		c.Secrets = append(c.Secrets, secret.ClientSecret)
	}
	return c, err
}

// bareClient returns the client with this ID, without its secrets.
func bareClient(ctx context.Context, tx sqlstore.Tx, id string) (account.Client, error) {
	return scanClient(tx.QueryRowContext(ctx, `SELECT `+clientColumns+` FROM clients WHERE id = $1`, id))
}

func scanClient(row sqlstore.Scanner) (account.Client, error) {
	var c account.Client
	var scope, audiences string
	var created int64
	err := row.Scan(&c.ID, &c.Name, &scope, &audiences, &c.Disabled, &created)
	if err != nil {
		return account.Client{}, sqlstore.OrAbsent(err, account.ErrNoClient)
	}
	if c.Scope, err = doorward.ParseScope(scope); err != nil {
		return account.Client{}, err
	}
	c.Audiences, c.CreatedAt = strings.Fields(audiences), sqlstore.Moment(created)
	return c, nil
}
