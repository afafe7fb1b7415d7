package doorward

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/strict"
)

const (
	maxLeeway       = 5 * time.Minute
	maxExpiryLeeway = time.Minute
	maxYoung        = 10 * time.Minute
)

// check returns what is wrong with the configuration, starting with the name
// of the field.
func (cfg *Config) check() error {
	switch {
	case cfg.Issuer == "":
		return errors.New("Issuer is required")
	case cfg.Audience == "":
		return errors.New("Audience is required: the name of this service in the tokens' aud")
	case cfg.Keys == nil:
		return errors.New("Keys is required")
	case cfg.Revocations == nil:
		return errors.New("Revocations is required; doorward.NoRevocations accepts tokens until they expire")
	case cfg.Types != nil && len(cfg.Types) == 0:
		return errors.New("Types is empty: no token could pass; nil means at+jwt")
	case slices.ContainsFunc(cfg.Types, isOtherType) && len(cfg.RequireClaims) == 0:
		return errors.New("RequireClaims is required: Types admits more than at+jwt, so a claim must tell access tokens from ID tokens")
	case slices.Contains(cfg.RequireClaims, ""):
		return errors.New("RequireClaims has an empty name")
	case !strict.Quotable(cfg.Realm):
		return errors.New("Realm has a byte outside printable ASCII, a quote or a backslash")
	}
	return cmp.Or(cfg.checkTimes(), cfg.checkExtractors())
}

func (cfg *Config) checkTimes() error {
	switch {
	case cfg.Leeway < 0 || cfg.Leeway > maxLeeway:
		return fmt.Errorf("Leeway is %v, not between 0 and %v", cfg.Leeway, maxLeeway)
	case cfg.ExpiryLeeway < 0 || cfg.ExpiryLeeway > maxExpiryLeeway:
		return fmt.Errorf("ExpiryLeeway is %v, not between 0 and %v", cfg.ExpiryLeeway, maxExpiryLeeway)
	case cfg.YoungWhenStale < 0 || cfg.YoungWhenStale > maxYoung:
		return fmt.Errorf("YoungWhenStale is %v, not between 0 and %v", cfg.YoungWhenStale, maxYoung)
	case cfg.MaxLifetime < 0:
		return errors.New("MaxLifetime is negative")
	}
	return nil
}

func (cfg *Config) checkExtractors() error {
	if cfg.Extractors != nil && len(cfg.Extractors) == 0 {
		return errors.New("Extractors is empty: no request could carry a token; nil means the Bearer header")
	}
	places := make(map[string]bool)
	for i, e := range cfg.Extractors {
		if e == nil {
			return fmt.Errorf("Extractors[%d] is nil", i)
		}
		p, ok := e.(placed)
		if !ok {
			continue
		}
		name, err := p.place()
		if err != nil {
			return fmt.Errorf("Extractors[%d]: %w", i, err)
		}
		if places[name] {
			return fmt.Errorf("Extractors[%d]: %s is named twice", i, name)
		}
		places[name] = true
	}
	return nil
}

func isOtherType(typ string) bool { return !strict.SameType(typ, typeAccess) }
