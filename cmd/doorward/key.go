package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	return newGroup("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)",
		a.keyListCommand(), a.keyRotateCommand(), a.keyRevokeCommand(), a.keyNewMasterCommand())
}

func (a *app) keyNewMasterCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new-master FILE",
		Short: "Make a master key for nodes that share a database",
		Long: `Make a master key and write it to FILE, mode 0600, which must not exist. Every node on
one database needs the same: DOORWARD_MASTER_KEY_FILE names its file. Keep a copy where the
database's backups are not; one is nothing without the other.`,
		Args: want("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			err := durable.Create(args[0], issuer.GenerateMasterKey().Text()+"\n")
			if errors.Is(err, fs.ErrExist) {
				return refused("choose another name", "%s is there already", args[0])
			}
			if err != nil {
				return failed(err, "", "cannot write the master key: %v", err)
			}
			a.note("%s holds a new master key", args[0])
			return nil
		},
	}
}

func (a *app) keyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all keys and what they do now",
		Long: `List all keys. The state is next (published, signs later), current (signs) or
verifying (signs no more, but tokens that it signed may live).`,
		Args: want(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.withIssuer(cmd, func(ctx context.Context, _ *backend, iss *issuer.Issuer) error {
			keys, err := iss.KeyList(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				list := make([]keyJSON, len(keys))
				for i, k := range keys {
					list[i] = jsonOfKey(k)
				}
				return a.printJSON(list)
			}
			var rows [][]string
			for _, k := range keys {
				rows = append(rows, []string{k.ID, k.Purpose, string(k.Algorithm), string(k.State), when(k.UseFrom), when(k.KeepUntil)})
			}
			return a.printTable([]string{"KEY", "PURPOSE", "ALGORITHM", "STATE", "FROM", "KEPT UNTIL"}, rows)
		})
	}
	return cmd
}

func (a *app) keyRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Publish a new signing key, which signs after the publish lead",
		Args:  want(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.withIssuer(cmd, func(ctx context.Context, _ *backend, iss *issuer.Issuer) error {
			kid, err := iss.RotateKey(ctx, event())
			if err != nil {
				return err
			}
			key, err := findKey(ctx, iss, kid)
			if err != nil {
				return err
			}
			if *asJSON {
				return a.printJSON(jsonOfKey(key))
			}
			a.note("the key is published and signs from %s", when(key.UseFrom))
			_, err = a.out.Write([]byte(kid + "\n"))
			return err
		})
	}
	return cmd
}

func (a *app) keyRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Refuse everything a stolen key has made, at once",
		Long: `Revoke a key that was stolen. It leaves the key set, every token that it made is
refused from now on, and another key takes its place at once, without a publish
lead. People keep their sessions and get new tokens by refreshing.

The revocation of a refresh key ends every session, for the reason key_removed, and
refuses every access token: people log in again, programs ask again.

A key that is merely old needs none of this: keys rotate by themselves.`,
		Args: want("KID"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withIssuer(cmd, func(ctx context.Context, _ *backend, iss *issuer.Issuer) error {
			key, err := findKey(ctx, iss, args[0])
			if err != nil {
				return err
			}
			if key.Purpose == issuer.PurposeSign {
				a.note("every access token that this key signed will be refused")
			} else {
				a.note("every session will end and every access token will be refused: people log in again")
			}
			if err := a.confirm(*yes, "revoke key "+key.ID); err != nil {
				return err
			}
			if err := iss.RevokeKey(ctx, key.ID, event()); err != nil {
				return err
			}
			a.note("key %s is revoked", key.ID)
			return nil
		})
	}
	return cmd
}

func findKey(ctx context.Context, iss *issuer.Issuer, kid string) (issuer.KeyInfo, error) {
	keys, err := iss.KeyList(ctx)
	if err != nil {
		return issuer.KeyInfo{}, err
	}
	for _, k := range keys {
		if k.ID == kid {
			return k, nil
		}
	}
	return issuer.KeyInfo{}, refused("doorward key list", "there is no key %q", kid)
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

func jsonOfKey(k issuer.KeyInfo) keyJSON {
	return keyJSON{
		ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: string(k.State),
		CreatedAt: k.CreatedAt.UTC(), UseFrom: k.UseFrom.UTC(), KeepUntil: optional(k.KeepUntil),
	}
}
