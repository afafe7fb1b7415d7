package doorward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// A handler that only requests with a good token reach.
func Example() {
	keys := exampleKeys() // in a service: issuer.Keys(), or the issuer's published key set

	v, err := doorward.NewVerifier(doorward.Config{
		Issuer:      "https://id.example.com",
		Audience:    "https://orders.example.com",
		Keys:        keys,
		Revocations: doorward.NoRevocations,
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := doorward.ClaimsFrom(r.Context())
		_, _ = fmt.Fprintf(w, "orders of %s", claims.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require(doorward.HasScope("orders:read"))(orders))

	fmt.Println(call(mux, "/orders", exampleToken("ann", "orders:read")))
	fmt.Println(call(mux, "/orders", exampleToken("bob", "")))
	fmt.Println(call(mux, "/orders", ""))
	// Output:
	// 200 orders of ann
	// 403 Bearer realm="api", error="insufficient_scope", error_description="the token does not have the scope", scope="orders:read"
	// 401 Bearer realm="api"
}

// A token from anywhere: a WebSocket's first message, gRPC metadata, a
// GraphQL context.
func ExampleVerifier_Verify() {
	v := exampleVerifier(nil)

	for _, token := range []string{exampleToken("ann", "orders:read"), exampleToken("ann", "orders:read") + "x"} {
		claims, err := v.Verify(context.Background(), token)
		switch {
		case errors.Is(err, doorward.ErrNoKeys), errors.Is(err, doorward.ErrStale), errors.Is(err, doorward.ErrClock):
			fmt.Println("try again later: this says nothing of the token") // so it comes first
		case errors.Is(err, doorward.ErrExpired):
			fmt.Println("log in again")
		case err != nil:
			fmt.Println("refused:", errors.Is(err, jwt.ErrSignature) || errors.Is(err, jwt.ErrMalformed))
		default:
			fmt.Println(claims.Subject, claims.Scope.Has("orders:read"))
		}
	}
	// Output:
	// ann true
	// refused: true
}

// Needs: all of the scope, any of the roles, a recent login.
func ExampleVerifier_Require() {
	v := exampleVerifier(nil)
	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "paid") })
	handler := v.Require(
		doorward.HasScope("orders:read", "orders:pay"),
		doorward.HasRole("customer", "admin"),
		doorward.LoggedInWithin(5*time.Minute),
	)(pay)

	fmt.Println(call(handler, "/pay", exampleToken("ann", "orders:read orders:pay")))
	// Output:
	// 401 Bearer realm="api", error="insufficient_user_authentication", error_description="a more recent login is required", max_age="300"
}

// A page for everyone that greets who is logged in. A bad token is refused,
// never taken for none.
func ExampleVerifier_Optional() {
	v := exampleVerifier(nil)
	handler := v.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := doorward.ClaimsFrom(r.Context()); ok {
			_, _ = io.WriteString(w, "hello "+claims.Subject)
			return
		}
		_, _ = io.WriteString(w, "hello stranger")
	}))

	fmt.Println(call(handler, "/", ""))
	fmt.Println(call(handler, "/", exampleToken("ann", "")))
	fmt.Println(call(handler, "/", "junk"))
	// Output:
	// 200 hello stranger
	// 200 hello ann
	// 401 Bearer realm="api", error="invalid_token", error_description="token not valid"
}

// Error bodies of one's own, here {"msg": …}. Status and headers stay.
func ExampleConfig_errorHandler() {
	v := exampleVerifier(func(cfg *doorward.Config) {
		cfg.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, refusal *doorward.Refusal) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refusal.Status)
			_, _ = fmt.Fprintf(w, `{"msg":%q}`, refusal.Description)
		}
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	v.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 401 {"msg":"a token is required"}
}

// The second tutorial's clients send the bare token in x-access-token.
func ExampleHeader() {
	v := exampleVerifier(func(cfg *doorward.Config) {
		cfg.Extractors = []doorward.Extractor{doorward.Header("x-access-token")}
	})
	handler := v.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("x-access-token", exampleToken("ann", ""))
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 ok
}

// Logged out everywhere: one cut-off ends every session that began before it.
func ExampleRevocationSet() {
	set := doorward.NewRevocationSet(time.Minute)
	set.Confirm(time.Now()) // by whoever follows the issuer, with the time its question was sent
	set.Add(doorward.Revocation{
		Kind: doorward.KindSubject, ID: "ann", Before: "0193a7b2-8000-7000-8000-000000000000",
		ExpiresAt: time.Now().Add(11 * time.Minute),
	})
	before := &doorward.Claims{Subject: "ann", SessionID: "0193a7b2-7000-7000-8000-000000000000"}
	after := &doorward.Claims{Subject: "ann", SessionID: "0193a7b2-9000-7000-8000-000000000000"}
	fmt.Println(errors.Is(set.Check(before), doorward.ErrRevoked), set.Check(after))
	// Output:
	// true <nil>
}

func exampleVerifier(change func(*doorward.Config)) *doorward.Verifier {
	cfg := doorward.Config{
		Issuer: "https://id.example.com", Audience: "https://orders.example.com",
		Keys: exampleKeys(), Revocations: doorward.NoRevocations, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	v, err := doorward.NewVerifier(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return v
}

var exampleKey = func() *jwt.Key {
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	return key
}()

func exampleKeys() jwt.KeySet {
	public, err := exampleKey.Public()
	if err != nil {
		log.Fatal(err)
	}
	return public
}

// exampleToken is of someone who logged in an hour ago.
func exampleToken(subject, scope string) string {
	now := time.Now().Unix()
	token, err := jwt.Sign(exampleKey, "at+jwt", map[string]any{
		"iss": "https://id.example.com", "aud": "https://orders.example.com", "sub": subject, "client_id": "doorward",
		"exp": now + 600, "iat": now, "auth_time": now - 3600, "jti": "1", "sid": "0193a7b2-1111-7abc-8def-0123456789ab",
		"scope": scope, "roles": []string{"customer"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return token
}

func call(h http.Handler, path, token string) string {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	h.ServeHTTP(w, r)
	if challenge := w.Header().Get("WWW-Authenticate"); challenge != "" {
		return fmt.Sprint(w.Code, " ", challenge)
	}
	return fmt.Sprint(w.Code, " ", w.Body)
}
