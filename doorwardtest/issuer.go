package doorwardtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Issuer makes access tokens for tests of an API, good ones and bad ones. It has a
// key of its own and serves its key set and metadata on loopback until the test
// ends. All methods may be called concurrently.
//
// Its clock is time.Now, so that testing/synctest moves it. An Issuer that is made in a bubble
// of testing/synctest serves nothing, since a server that waits for the network would stop the
// bubble's clock. [Issuer.Config] needs no server; a test that fetches keys over HTTP must make
// its Issuer outside a bubble.
type Issuer struct {
	t   testing.TB
	url string

	mu          sync.Mutex // guards what follows
	keys        []*jwt.Key // the last one signs
	revocations *doorward.RevocationSet
	last        uint64 // the time of the last session ID or cut-off
}

// NewIssuer returns an issuer with one EdDSA key.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t, revocations: doorward.NewRevocationSet(0)}
	i.RotateKey()
	if inBubble() {
		i.url = "http://issuer.example"
		return i
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, i.JWKS())
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, map[string]any{"issuer": i.URL(), "jwks_uri": i.JWKSURL()})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// inBubble reports whether it is called in a bubble of testing/synctest. Outside, Wait panics.
func inBubble() (in bool) {
	defer func() { _ = recover() }()
	synctest.Wait()
	return true
}

// Config returns the configuration of a Verifier for this issuer's tokens. The audience is
// the issuer's URL, as in the tokens that [Issuer.Token] makes.
func (i *Issuer) Config() doorward.Config {
	return doorward.Config{Issuer: i.URL(), Audience: i.URL(), Keys: i.Keys(), Revocations: i.Revocations()}
}

// Verifier returns a Verifier with [Issuer.Config].
func (i *Issuer) Verifier() *doorward.Verifier {
	i.t.Helper()
	v, err := doorward.NewVerifier(i.Config())
	i.must(err)
	return v
}

// Token returns an access token that is made now and expires in 10 minutes. claims are added to
// those that a token of Doorward has, and replace those of the same name; a value of nil removes
// the claim. exp, nbf, iat and auth_time may be a time.Time too, of which the whole seconds count. If exp
// is in the past, iat is 10 minutes before it:
//
//	good := iss.Token(map[string]any{"sub": "ann", "scope": "orders:read"})
//	late := iss.Token(map[string]any{"exp": time.Now().Add(-time.Hour)})
func (i *Issuer) Token(claims map[string]any) string {
	i.t.Helper()
	return i.TokenOf(i.key(), "at+jwt", claims)
}

// TokenOf is [Issuer.Token] with another key, for example one that the issuer does not
// publish, or with another typ in the header.
func (i *Issuer) TokenOf(key *jwt.Key, typ string, claims map[string]any) string {
	i.t.Helper()
	now := time.Now()
	all := map[string]any{
		"iss": i.URL(), "sub": "user", "aud": i.URL(), "client_id": "doorward", "scope": "",
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "auth_time": now.Unix(),
		"jti": rand.Text(), "sid": i.nextID(),
	}
	claims = maps.Clone(claims)
	for _, name := range []string{"exp", "nbf", "iat", "auth_time"} {
		if at, ok := claims[name].(time.Time); ok {
			claims[name] = at.Unix() // encoding/json would write a text
		}
	}
	if exp, ok := seconds(claims["exp"]); ok && exp <= now.Unix() {
		all["iat"] = exp - 600 // the time at which such a token was made
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	token, err := jwt.Sign(key, typ, all)
	i.must(err)
	return token
}

func seconds(exp any) (int64, bool) {
	if n, ok := exp.(int); ok {
		return int64(n), true
	}
	n, ok := exp.(int64)
	return n, ok
}

// Revoke ends the session of a token that this issuer made.
func (i *Issuer) Revoke(token string) {
	i.t.Helper()
	verified, err := jwt.Verify(i.t.Context(), token, i.Keys(), "at+jwt")
	i.must(err)
	var claims struct {
		Session string `json:"sid"`
	}
	i.must(verified.Decode(&claims))
	i.Apply(doorward.Revocation{Kind: doorward.KindSession, ID: claims.Session})
}

// RevokeSubject ends every session that the subject has now.
func (i *Issuer) RevokeSubject(subject string) {
	i.Apply(doorward.Revocation{Kind: doorward.KindSubject, ID: subject, Before: i.nextID()})
}

// Apply records revocations of any kind.
func (i *Issuer) Apply(revocations ...doorward.Revocation) {
	i.revocations.Add(revocations...)
}

// RotateKey makes a new key, which signs from now on. The earlier ones stay published.
func (i *Issuer) RotateKey() {
	i.t.Helper()
	key, err := jwt.GenerateKey(jwt.EdDSA)
	i.must(err)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, key)
}

// Keys returns the issuer's keys. Those of later calls of RotateKey are in it too.
func (i *Issuer) Keys() jwt.KeySet {
	return keySet{i}
}

// Revocations returns what was revoked, and what will be. It is never stale.
func (i *Issuer) Revocations() doorward.Revocations {
	return freshRevocations{i.revocations}
}

// JWKS returns the key set as it is published now.
func (i *Issuer) JWKS() *jwt.Set {
	i.mu.Lock()
	defer i.mu.Unlock()
	set, err := jwt.NewSet(i.keys...)
	i.must(err)
	return set
}

// URL is the issuer's name and address, without a slash at the end.
func (i *Issuer) URL() string {
	return i.url
}

// JWKSURL is where the key set is served.
func (i *Issuer) JWKSURL() string {
	return i.URL() + "/.well-known/jwks.json"
}

func (i *Issuer) key() *jwt.Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// nextID returns a UUIDv7 that is greater than every earlier one.
func (i *Issuer) nextID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = max(i.last+1, uint64(time.Now().UnixMilli()))
	return uuidOf(i.last)
}

// uuidOf returns a UUIDv7 of a time in milliseconds since 1970.
func uuidOf(ms uint64) string {
	var id [16]byte
	rand.Read(id[8:])
	const version7 = 7 << 12
	binary.BigEndian.PutUint64(id[:], ms<<16|version7)
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func (i *Issuer) write(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(document); err != nil {
		i.t.Error(err)
	}
}

func (i *Issuer) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

type keySet struct{ i *Issuer }

// Key returns one of the issuer's keys.
func (s keySet) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	return s.i.JWKS().Key(ctx, kid)
}

type freshRevocations struct{ set *doorward.RevocationSet }

// Check asks the set, and confirms it first: it is always up to date, since the issuer writes to it directly.
func (r freshRevocations) Check(c *doorward.Claims) error {
	r.set.Confirm(time.Now())
	return r.set.Check(c)
}
