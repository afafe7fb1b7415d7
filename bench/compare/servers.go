package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	ginjwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/jwtauth/v5"
	jwtv2 "github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/doorward/doorward/jwt"
)

// server is one HTTP server in the comparison. Its handler answers "hello" to a request with a good token.
type server struct {
	name    string
	alg     jwt.Algorithm
	handler func(*keys) (http.Handler, error)
}

const (
	bare          = "bare net/http"
	bareAgain     = "bare net/http, once more"
	bareGin       = "bare gin"
	doorwardSeen  = "Doorward EdDSA, the default"
	doorwardHS256 = "Doorward HS256"
	golangHS256   = "golang-jwt HS256"
	golangEdDSA   = "golang-jwt EdDSA"
)

var servers = []server{
	{bare, jwt.HS256, plain},
	{bareAgain, jwt.HS256, plain},
	{doorwardSeen, jwt.EdDSA, doorwardMiddleware(0)},
	{doorwardHS256, jwt.HS256, doorwardMiddleware(0)},
	{"Doorward EdDSA, cache off", jwt.EdDSA, doorwardMiddleware(-1)},
	{golangHS256, jwt.HS256, bearer(golangVerify)},
	{golangEdDSA, jwt.EdDSA, bearer(golangVerify)},
	{"go-jose HS256", jwt.HS256, bearer(joseVerify)},
	{"jwx v3 HS256", jwt.HS256, bearer(jwxVerify)},
	{"chi jwtauth HS256", jwt.HS256, chi},
	{"gin-jwt HS256", jwt.HS256, ginAuth},
	{bareGin, jwt.HS256, ginPlain},
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }

func plain(*keys) (http.Handler, error) { return http.HandlerFunc(hello), nil }

type contextKey struct{}

// bearer is the middleware that people write around a library without one.
func bearer(library func(*keys) (verify, error)) func(*keys) (http.Handler, error) {
	return func(k *keys) (http.Handler, error) {
		check, err := library(k)
		if err != nil {
			return nil, err
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || check(token) != nil {
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
			hello(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
		}), nil
	}
}

// chi is jwtauth's Verifier and Authenticator; issuer, audience and exp are options of its constructor.
func chi(k *keys) (http.Handler, error) {
	auth := jwtauth.New(string(k.alg), k.private, nil,
		jwtv2.WithIssuer(issuerURL), jwtv2.WithAudience(audience), jwtv2.WithRequiredClaim(jwtv2.ExpirationKey))
	return jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(http.HandlerFunc(hello))), nil
}

func ginPlain(*keys) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/", gin.WrapF(hello))
	return engine, nil
}

// ginAuth asks for issuer and audience in the Authorizator, since gin-jwt does not.
func ginAuth(k *keys) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	secret, ok := k.private.([]byte)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	auth, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm: "api", Key: secret, SigningAlgorithm: string(k.alg), IdentityKey: "sub",
		Authorizator: func(_ any, c *gin.Context) bool {
			found := ginjwt.ExtractClaims(c)
			return found["iss"] == issuerURL && found["aud"] == audience
		},
	})
	if err != nil {
		return nil, err
	}
	engine := gin.New()
	engine.GET("/", auth.MiddlewareFunc(), gin.WrapF(hello))
	return engine, nil
}

// nowhere is a ResponseWriter that keeps nothing but the status.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

func request(ctx context.Context, token string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, err
}

// measureInProcess calls the servers' handlers without a network.
func (f *field) measureInProcess(e effort) ([]figure, error) {
	var rows []row
	for _, s := range servers {
		k := f.keys[s.alg]
		h, err := s.handler(k)
		if err != nil {
			return nil, err
		}
		r, err := request(context.Background(), k.token)
		if err != nil {
			return nil, err
		}
		w := &nowhere{header: make(http.Header)}
		rows = append(rows, row{s.name, func() error {
			clear(w.header)
			w.status = http.StatusOK
			h.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				return errors.New(http.StatusText(w.status))
			}
			return nil
		}})
	}
	return interleave(e, rows)
}
