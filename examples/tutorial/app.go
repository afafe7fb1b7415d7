package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/sqlite"
)

// accessCookie holds the access token of a browser, with -locations. The refresh token's cookie is issuer.CookieName.
const accessCookie = "__Host-access_token"

// config is what the flags say.
type config struct {
	dialect   dialect
	url       string // of this server: the iss and aud of its tokens
	data      string // an existing folder
	origin    string
	locations bool
	logger    *slog.Logger // nil means slog.Default()
}

// app is one tutorial's API. It is safe for concurrent use.
type app struct {
	config
	users    *users
	store    *sqlite.Store
	issuer   *issuer.Issuer
	verifier *doorward.Verifier
	hasher   *password.Hasher
	throttle throttle

	// refreshPlaces is where /refresh and /logout look for their token.
	refreshPlaces []doorward.Extractor
}

// openApp opens the databases, makes the keys and the first users of a new folder, and
// starts nothing.
func openApp(ctx context.Context, cfg config) (_ *app, err error) {
	if cfg.logger == nil {
		cfg.logger = slog.Default()
	}
	if err := checkOrigin(cfg.origin); err != nil {
		return nil, err
	}
	a := &app{config: cfg, hasher: password.New(password.Config{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.users, err = openUsers(ctx, filepath.Join(cfg.data, "users.db")); err != nil {
		return nil, err
	}
	if err := a.users.seed(ctx, a.hasher, cfg.dialect.people); err != nil {
		return nil, err
	}
	if a.store, err = sqlite.Open(ctx, filepath.Join(cfg.data, "sessions.db")); err != nil {
		return nil, err
	}
	key, err := masterKey(filepath.Join(cfg.data, "master.key"))
	if err != nil {
		return nil, err
	}
	a.issuer, err = issuer.New(ctx, issuer.Config{
		Issuer: cfg.url, Store: a.store, MasterKey: key, Subjects: a.users, Logger: cfg.logger,
	})
	if err != nil {
		return nil, err
	}
	return a, a.openVerifier()
}

func (a *app) openVerifier() (err error) {
	places := a.dialect.places
	a.refreshPlaces = append(places[:len(places):len(places)], doorward.JSONField("refresh_token"))
	if a.locations {
		places = append(places[:len(places):len(places)],
			doorward.Cookie(accessCookie), doorward.JSONField("access_token"), doorward.Query("jwt"))
		a.refreshPlaces = append(a.refreshPlaces, doorward.Cookie(issuer.CookieName))
	}
	a.verifier, err = doorward.NewVerifier(doorward.Config{
		Issuer: a.url, Audience: a.url, Keys: a.issuer.Keys(), Revocations: a.issuer.Revocations(),
		Extractors: places, Realm: realm, Logger: a.logger,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal) {
			a.fail(w, r, refusal.Err) // The status and the challenge are the same; the body is the tutorial's.
		},
	})
	return err
}

func (a *app) close() error {
	var errs []error
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.users != nil {
		errs = append(errs, a.users.db.Close())
	}
	return errors.Join(errs...)
}

// checkOrigin refuses what no browser sends as Origin: such a setting would allow nothing.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if origin == "" || err == nil && u.Host != "" && u.Scheme+"://"+u.Host == origin && strings.ToLower(origin) == origin {
		return nil
	}
	return fmt.Errorf("-origin %q must look like https://app.example, without a slash at its end", origin)
}

// masterKey reads the key under which the signing keys are sealed, and makes it at the first start.
func masterKey(path string) (issuer.MasterKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := issuer.GenerateMasterKey()
		return key, os.WriteFile(path, []byte(key.Text()+"\n"), 0o600)
	}
	if err != nil {
		return issuer.MasterKey{}, err
	}
	return issuer.ParseMasterKey(string(text))
}
