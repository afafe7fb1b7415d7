// Package masterkey replaces the master key under which the keys of a store are sealed.
package masterkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/ledger"
	"github.com/doorward/doorward/issuer"
)

// EventReplace says that the keys were sealed anew.
const EventReplace issuer.EventKind = "master_key_replace"

// Replace seals every key in the store, those of the audit record too, under another master key, in one transaction.
// The keys stay what they are: nobody logs in again, and whatever verifies goes on. It returns issuer.ErrMasterKey, and
// changes nothing, if one of them was not sealed under from, or if to is the zero key.
//
// Processes that run under the old master key go on with the keys that they have read, and can read and add no others.
func Replace(ctx context.Context, s *sqlstore.Store, from, to issuer.MasterKey, ev issuer.Event) error {
	before, err1 := seal.ParseMaster(from.Text())
	after, err2 := seal.ParseMaster(to.Text())
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("%w: %w", issuer.ErrMasterKey, err)
	}
	ev.Kind = EventReplace
	again := func(purpose, name string, sealed []byte) ([]byte, error) {
		plain, err := seal.Open(before, purpose, name, sealed)
		if err != nil {
			return nil, fmt.Errorf("%w: %s key %q", issuer.ErrMasterKey, purpose, name)
		}
		return seal.Seal(after, purpose, name, plain), nil
	}
	return sqlstore.WriteAlone(ctx, s, "replace the master key", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		// With another revision, a process that has read the ring before can no longer swap it, and reads it again.
		if _, err := tx.ExecContext(ctx, `UPDATE ring SET rev = rev + 1`); err != nil {
			return err
		}
		if err := resealRing(ctx, tx, again); err != nil {
			return err
		}
		if err := resealAudit(ctx, tx, again); err != nil {
			return err
		}
		return ledger.Add(ctx, tx, now, ev)
	})
}

// sealing seals a key anew.
type sealing func(purpose, name string, sealed []byte) ([]byte, error)

func resealRing(ctx context.Context, tx sqlstore.Tx, again sealing) error {
	keys, err := ringKeys(ctx, tx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Sealed, err = again(k.Purpose, k.ID, k.Sealed); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE keys SET sealed = $1 WHERE id = $2`, k.Sealed, k.ID); err != nil {
			return err
		}
	}
	return nil
}

// ringKeys returns the ID, the purpose and the sealed secret of each key.
func ringKeys(ctx context.Context, tx sqlstore.Tx) (keys []issuer.StoredKey, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, purpose, sealed FROM keys`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k issuer.StoredKey
		if err := rows.Scan(&k.ID, &k.Purpose, &k.Sealed); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

func resealAudit(ctx context.Context, tx sqlstore.Tx, again sealing) error {
	keys, err := ledger.Keys(ctx, tx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Sealed, err = again(audit.KeyPurpose, k.Name(), k.Sealed); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE audit_keys SET sealed = $1 WHERE number = $2`, k.Sealed, k.Number); err != nil {
			return err
		}
	}
	return nil
}
