package sqlstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

var _ account.ClientStore = (*Store)(nil)

const clientColumns = `id, name, scope, audiences, disabled, created_at`

// CreateClient inserts a client and returns it as stored.
func (s *Store) CreateClient(ctx context.Context, row account.ClientRow, ev issuer.Event) (account.Client, error) {
	if row.ID == "" || row.Name == "" {
		return account.Client{}, errors.New("create client: no ID or no name")
	}
	if err := checkText(slices.Concat(row.Scope, row.Audiences, []string{row.ID, row.Name})...); err != nil {
		return account.Client{}, err
	}
	var client account.Client
	err := s.write(ctx, "create client", func(ctx context.Context, tx Tx, now time.Time) error {
		made, err := changedOne(tx.ExecContext(ctx, `
			INSERT INTO clients (`+clientColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`,
			row.ID, row.Name, row.Scope.String(), strings.Join(row.Audiences, " "), false, millis(now)))
		if err != nil {
			return err
		}
		if !made {
			return account.ErrNameTaken
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO client_secrets (client_id, digest, created_at) VALUES ($1, $2, $3)`,
			row.ID, row.Secret[:], millis(now))
		if err != nil {
			return err
		}
		if client, err = oneClient(ctx, tx, row.ID); err != nil {
			return err
		}
		return record(ctx, tx, now, about(ev, row.ID, ""))
	})
	if err != nil {
		return account.Client{}, err
	}
	return client, nil
}

// Client returns the client with this ID or name.
func (s *Store) Client(ctx context.Context, idOrName string) (account.Client, error) {
	var client account.Client
	if checkText(idOrName) != nil {
		return client, account.ErrNoClient
	}
	err := s.read(ctx, "read client", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		client, err = oneClient(ctx, tx, idOrName)
		return err
	})
	return client, err
}

// ClientCredential returns the client with this ID and its secrets.
func (s *Store) ClientCredential(ctx context.Context, id string) (account.ClientCredential, error) {
	var c account.ClientCredential
	if checkText(id) != nil {
		return c, account.ErrNoClient
	}
	err := s.read(ctx, "read client", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		c = account.ClientCredential{}
		if c.Client, err = scanClient(tx.QueryRowContext(ctx, `SELECT `+clientColumns+` FROM clients WHERE id = $1`, id)); err != nil {
			return err
		}
		c.Secrets, err = clientSecrets(ctx, tx, id)
		return err
	})
	if err != nil {
		return account.ClientCredential{}, err
	}
	return c, nil
}

// Clients lists clients in the byte order of their names.
func (s *Store) Clients(ctx context.Context, q account.Query) (list []account.Client, err error) {
	if err := checkText(q.After); err != nil {
		return nil, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = account.DefaultPage
	}
	err = s.read(ctx, "list clients", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		list = nil
		rows, err := tx.QueryContext(ctx, `SELECT `+clientColumns+` FROM clients WHERE name > $1 ORDER BY name LIMIT $2`, q.After, limit)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			client, err := scanClient(rows)
			if err != nil {
				return err
			}
			list = append(list, client)
		}
		return rows.Err()
	})
	return list, err
}

// SetClientDisabled disables or enables the client.
func (s *Store) SetClientDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) error {
	return s.changeClient(ctx, "change client", id, ev, `UPDATE clients SET disabled = $2 WHERE id = $1`, id, disabled)
}

// DeleteClient removes the client with its secrets.
func (s *Store) DeleteClient(ctx context.Context, id string, ev issuer.Event) error {
	return s.changeClient(ctx, "delete client", id, ev, `DELETE FROM clients WHERE id = $1`, id)
}

// changeClient runs one statement about one client.
func (s *Store) changeClient(ctx context.Context, what, id string, ev issuer.Event, query string, args ...any) error {
	if checkText(id) != nil {
		return account.ErrNoClient
	}
	return s.write(ctx, what, func(ctx context.Context, tx Tx, now time.Time) error {
		changed, err := changedOne(tx.ExecContext(ctx, query, args...))
		if err != nil {
			return err
		}
		if !changed {
			return account.ErrNoClient
		}
		if err := dropOrphans(ctx, tx, id); err != nil {
			return err
		}
		return record(ctx, tx, now, about(ev, id, ""))
	})
}

func oneClient(ctx context.Context, tx Tx, idOrName string) (account.Client, error) {
	return scanClient(tx.QueryRowContext(ctx, `SELECT `+clientColumns+` FROM clients WHERE id = $1 OR name = $1`, idOrName))
}

func scanClient(row scanner) (account.Client, error) {
	var c account.Client
	var scope, audiences string
	var created int64
	err := row.Scan(&c.ID, &c.Name, &scope, &audiences, &c.Disabled, &created)
	if err != nil {
		return account.Client{}, found(err, account.ErrNoClient)
	}
	if c.Scope, err = doorward.ParseScope(scope); err != nil {
		return account.Client{}, err
	}
	c.Audiences, c.CreatedAt = strings.Fields(audiences), moment(created)
	return c, nil
}

func clientSecrets(ctx context.Context, tx Tx, id string) (list []account.SecretDigest, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT digest FROM client_secrets WHERE client_id = $1`, id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var digest []byte
		if err := rows.Scan(&digest); err != nil {
			return nil, err
		}
		if len(digest) != len(account.SecretDigest{}) {
			return nil, errors.New("a stored secret is no SHA-256")
		}
		list = append(list, account.SecretDigest(digest))
	}
	return list, rows.Err()
}
