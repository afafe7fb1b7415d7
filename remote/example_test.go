package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// A service that only checks tokens which a Doorward elsewhere has made. It holds no secret and has no database.
func Example() {
	id := exampleIssuer() // in a service: "https://id.example.com"

	keys, err := remote.NewKeySet(remote.Config{Issuer: id.url})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go keys.Run(ctx) // fetches the keys again when they are due

	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: id.url, Audience: "https://orders.example.com", Keys: keys,
		Revocations: doorward.NoRevocations, // a token is good until it expires
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := v.Require(doorward.HasScope("orders:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := doorward.ClaimsFrom(r.Context())
		_, _ = fmt.Fprintf(w, "orders of %s", claims.Subject)
	}))

	r := httptest.NewRequest(http.MethodGet, "/orders", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+id.token(nil))
	w := httptest.NewRecorder()
	orders.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 orders of ann
}

// Tokens of two issuers. The second writes typ JWT, so it must be said which claims its access tokens have and
// its ID tokens have not.
func Example_severalIssuers() {
	own, keycloak := exampleIssuer(), exampleIssuer()
	verifier := func(cfg doorward.Config) *doorward.Verifier {
		keys, err := remote.NewKeySet(remote.Config{Issuer: cfg.Issuer})
		if err != nil {
			log.Fatal(err)
		}
		cfg.Keys, cfg.Revocations = keys, doorward.NoRevocations
		v, err := doorward.NewVerifier(cfg)
		if err != nil {
			log.Fatal(err)
		}
		return v
	}
	v, err := doorward.AnyOf(
		verifier(doorward.Config{Issuer: own.url, Audience: "https://orders.example.com"}),
		verifier(doorward.Config{
			Issuer: keycloak.url, Audience: "orders", Types: []string{"JWT"}, RequireClaims: []string{"azp", "scope"},
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{
		own.token(nil),
		keycloak.token(map[string]any{"aud": "orders", "azp": "shop"}),
		keycloak.token(map[string]any{"aud": "orders", "azp": "shop", "iss": own.url}),
	} {
		claims, err := v.Verify(context.Background(), token)
		if err != nil {
			fmt.Println("refused:", errors.Is(err, doorward.ErrIssuer))
			continue
		}
		fmt.Println(claims.Issuer == own.url, claims.Subject)
	}
	// Output:
	// true ann
	// false ann
	// refused: true
}

// A service that hears of logouts, too. Until the first answer nobody can say what was revoked, so no token passes.
func ExampleNewFeed() {
	id := exampleIssuer() // in a service: "https://id.example.com"

	feed, err := remote.NewFeed(remote.FeedConfig{
		URL: id.url + "/revocations", ClientID: "dwc_…", ClientSecret: "dws_…", // what "doorward client add" has printed
	})
	if err != nil {
		log.Fatal(err)
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: id.url, Audience: "https://orders.example.com", Keys: id.key, Revocations: feed, ClockOffset: feed.ClockOffset,
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = v.Verify(context.Background(), id.token(nil))
	fmt.Println(err)
	fmt.Println(feed.Ready()) // for the service's /readyz
	// and, for as long as the service runs: go feed.Run(ctx)

	// Output:
	// doorward: revocations are out of date: does Issuer.Run, or Feed.Run, run, and what does its log say?
	// doorward: revocations are out of date: nothing was heard yet: does Feed.Run run?
}

// Whether the issuer can be reached, at the start of a service.
func ExampleKeySet_Refresh() {
	keys, err := remote.NewKeySet(remote.Config{URL: "http://127.0.0.1:1/keys"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := keys.Refresh(ctx); err != nil {
		fmt.Println("the service starts all the same; tokens get 503 until the keys are there")
	}
	// Output:
	// the service starts all the same; tokens get 503 until the keys are there
}

type issuerElsewhere struct {
	url string
	key *jwt.Key
}

func exampleIssuer() issuerElsewhere {
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		log.Fatal(err)
	}
	set, err := jwt.NewSet(key)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	host := httptest.NewServer(mux)
	serve := func(path string, document any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document)
		})
	}
	serve("/keys", set)
	serve("/.well-known/oauth-authorization-server", map[string]string{"issuer": host.URL, "jwks_uri": host.URL + "/keys"})
	return issuerElsewhere{host.URL, key}
}

func (i issuerElsewhere) token(change map[string]any) string {
	now := time.Now().Unix()
	typ := "at+jwt"
	claims := map[string]any{
		"iss": i.url, "aud": "https://orders.example.com", "sub": "ann", "client_id": "doorward", "jti": "1",
		"iat": now, "exp": now + 600, "scope": "orders:read",
	}
	for name, value := range change {
		claims[name] = value
		typ = "JWT"
	}
	token, err := jwt.Sign(i.key, typ, claims)
	if err != nil {
		log.Fatal(err)
	}
	return token
}
