package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// ErrMetadata says that an issuer's metadata cannot be fetched or cannot be trusted.
var ErrMetadata = errors.New("remote: issuer metadata")

// Discover returns the URL of the issuer's key set, as the issuer's metadata
// name it: RFC 8414 §3 first, then OpenID Connect Discovery 1.0 §4. The
// metadata must name the very same issuer, byte for byte (RFC 8414 §3.3), and an
// https issuer must have an https key set. The limits are those of a [KeySet]. Every
// error wraps ErrMetadata.
//
// Discover asks once, and fails while the issuer is down. A [KeySet] with
// [Config.Issuer] does not need it: it does the same with its own fetches.
func Discover(ctx context.Context, issuer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return newClient(nil, false).discover(ctx, issuer)
}

func (c *client) discover(ctx context.Context, issuer string) (string, error) {
	places, err := c.metadataPlaces(issuer)
	if err != nil {
		return "", fmt.Errorf("%w: the issuer %w", ErrMetadata, err)
	}
	var problems []error
	for _, place := range places {
		address, err := c.readMetadata(ctx, place, issuer)
		if err == nil {
			return address, nil
		}
		problems = append(problems, err)
	}
	return "", fmt.Errorf("%w: oauth-authorization-server: %w; openid-configuration: %w", ErrMetadata, problems[0], problems[1])
}

// metadataPlaces returns the two URLs at which the metadata may be. RFC 8414 puts the well-known
// part between host and path, OpenID behind the path; both drop a slash at the end.
func (c *client) metadataPlaces(issuer string) ([2]string, error) {
	u, err := c.checkURL(issuer)
	if err != nil {
		return [2]string{}, err
	}
	if strings.Contains(issuer, "?") {
		return [2]string{}, errors.New("has a query")
	}
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	return [2]string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + path + "/.well-known/openid-configuration",
	}, nil
}

func (c *client) readMetadata(ctx context.Context, place, issuer string) (string, error) {
	d, err := c.get(ctx, place, "")
	if err != nil {
		return "", err
	}
	var named, keys string
	err = strict.Object(d.body, maxDepth, func(name, value []byte) (err error) {
		switch string(name) {
		case "issuer":
			named, err = strict.String(value)
		case "jwks_uri":
			keys, err = strict.String(value)
		}
		return err
	})
	switch {
	case err != nil:
		return "", failed("content", "%w", err)
	case named != issuer:
		return "", failed("content", "the metadata are of another issuer: %.200q, want %q", named, issuer)
	}
	u, err := c.checkURL(keys)
	switch {
	case err != nil:
		return "", failed("content", "jwks_uri %w", err)
	case u.Scheme != "https" && strings.HasPrefix(issuer, "https:") && !c.insecure:
		return "", failed("content", "jwks_uri is not https, but the issuer is")
	}
	return keys, nil
}
