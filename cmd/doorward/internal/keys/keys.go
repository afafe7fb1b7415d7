// Package keys has the commands about keys: those that sign tokens, and those of the audit record.
package keys

import (
	"context"
	"slices"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Command is "doorward key".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)",
		listCommand(sh), rotateCommand(sh), revokeCommand(sh), newMasterCommand(sh), replaceMasterCommand(sh))
}

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all keys and what they do now",
		Long: `List all keys. The state is next (published, signs later), current (signs) or
verifying (signs no more, but tokens that it signed may live). Keys with the purpose
audit seal the audit record, and stay as long as a block that they sealed.`,
		Args: shell.Want(),
	}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
			list, err := all(ctx, iss, b.Store.Audit)
			if err != nil {
				return err
			}
			if *asJSON {
				return sh.JSON(list)
			}
			var rows [][]string
			for _, k := range list {
				until := time.Time{}
				if k.KeepUntil != nil {
					until = *k.KeepUntil
				}
				rows = append(rows, []string{k.ID, k.Purpose, k.Algorithm, k.State, ago.When(k.UseFrom), ago.When(until)})
			}
			return sh.Table([]string{"KEY", "PURPOSE", "ALGORITHM", "STATE", "FROM", "KEPT UNTIL"}, rows)
		})
	}
	return cmd
}

func rotateCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Publish a new signing key, which signs after the publish lead",
		Long: `Publish a new signing key, which signs after the publish lead. With --audit make a
new key for the audit record, which seals from now on; old blocks still verify.`,
		Args: shell.Want(),
	}
	record := cmd.Flags().Bool("audit", false, "make a new key for the audit record")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
			if *record {
				return rotateAudit(ctx, sh, b, *asJSON)
			}
			kid, err := iss.RotateKey(ctx, shell.Event())
			if err != nil {
				return err
			}
			key, err := find(ctx, iss, kid)
			if err != nil {
				return err
			}
			if *asJSON {
				return sh.JSON(jsonOf(key))
			}
			sh.Note("the key is published and signs from %s", ago.When(key.UseFrom))
			_, err = sh.Out.Write([]byte(kid + "\n"))
			return err
		})
	}
	return cmd
}

func rotateAudit(ctx context.Context, sh shell.Shell, b *backend.Backend, asJSON bool) error {
	master, err := folder.MasterKey(b.Config)
	if err != nil {
		return err
	}
	sealer, err := audit.NewSealer(audit.Config{Store: b.Store.Audit, MasterKey: master})
	if err != nil {
		return err
	}
	id, err := sealer.Rotate(ctx, shell.Event())
	if err != nil {
		return err
	}
	keys, err := b.Store.Audit.AuditKeys(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return sh.JSON(jsonOfAudit(keys)[0])
	}
	sh.Note("the key seals the audit record from now on")
	_, err = sh.Out.Write([]byte(id + "\n"))
	return err
}

func revokeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Refuse everything a stolen key has made, at once",
		Long: `Revoke a key that was stolen. It leaves the key set, every token that it made is
refused from now on, and another key takes its place at once, without a publish
lead. People keep their sessions and get new tokens by refreshing.

The revocation of a refresh key ends every session, for the reason key_removed, and
refuses every access token: people log in again, programs ask again.

A key that is merely old needs none of this: keys rotate by themselves. The KIDs of
old keys may begin with a hyphen: write -- before such a one.`,
		Args: shell.Want("KID"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
			key, err := find(ctx, iss, args[0])
			if err != nil {
				return err
			}
			if key.Purpose == issuer.PurposeSign {
				sh.Note("every access token that this key signed will be refused")
			} else {
				sh.Note("every session will end and every access token will be refused: people log in again")
			}
			if err := sh.Confirm(*yes, "revoke key "+key.ID); err != nil {
				return err
			}
			if err := iss.RevokeKey(ctx, key.ID, shell.Event()); err != nil {
				return err
			}
			sh.Note("key %s is revoked", key.ID)
			return nil
		})
	}
	return cmd
}

func find(ctx context.Context, iss *issuer.Issuer, kid string) (issuer.KeyInfo, error) {
	keys, err := iss.KeyList(ctx)
	if err != nil {
		return issuer.KeyInfo{}, err
	}
	for _, k := range keys {
		if k.ID == kid {
			return k, nil
		}
	}
	return issuer.KeyInfo{}, failure.Refused("doorward key list", "there is no key %q", kid)
}

// all lists the keys of the issuer and then those of the audit record, the newest first.
func all(ctx context.Context, iss *issuer.Issuer, record audit.Store) ([]keyJSON, error) {
	keys, err := iss.KeyList(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]keyJSON, len(keys))
	for i, k := range keys {
		list[i] = jsonOf(k)
	}
	stored, err := record.AuditKeys(ctx)
	return append(list, jsonOfAudit(stored)...), err
}

// keyJSON is a key for programs. Its names are stable.
type keyJSON struct {
	ID        string     `json:"kid"`
	Purpose   string     `json:"purpose"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	UseFrom   time.Time  `json:"use_from"`
	KeepUntil *time.Time `json:"keep_until"`
}

func jsonOf(k issuer.KeyInfo) keyJSON {
	return keyJSON{
		ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: string(k.State),
		CreatedAt: k.CreatedAt.UTC(), UseFrom: k.UseFrom.UTC(), KeepUntil: ago.Optional(k.KeepUntil),
	}
}

// jsonOfAudit is the keys of the audit record, the newest first.
func jsonOfAudit(stored []audit.StoredKey) []keyJSON {
	list := make([]keyJSON, 0, len(stored))
	state := issuer.KeyCurrent
	for _, k := range slices.Backward(stored) {
		list = append(list, keyJSON{ID: k.ID, Purpose: "audit", Algorithm: "HS256", State: string(state), CreatedAt: k.CreatedAt, UseFrom: k.CreatedAt})
		state = issuer.KeyVerifying
	}
	return list
}
