package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/doorward/doorward/jwt"
)

// One program makes the token and reads it: a secret will do. In PyJWT this is encode and decode.
func Example() {
	key, err := jwt.GenerateKey(jwt.HS256)
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := jwt.Sign(key, "JWT", map[string]any{"sub": "alice", "admin": true})
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := jwt.Verify(context.Background(), token, key, "JWT")
	if err != nil {
		fmt.Println(err)
		return
	}
	var claims struct {
		Subject string `json:"sub"`
		Admin   bool   `json:"admin"`
	}
	if err := verified.Decode(&claims); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(verified.Header.Algorithm, claims.Subject, claims.Admin)
	// Output: HS256 alice true
}

// One program signs with the private key; others verify with the public one.
func ExampleGenerateKey() {
	private, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		fmt.Println(err)
		return
	}
	public, err := private.Public()
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := jwt.Sign(private, "at+jwt", map[string]string{"sub": "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := jwt.Verify(context.Background(), token, public, "at+jwt")
	fmt.Println(string(verified.Claims), err)
	fmt.Println(public.Private(), private.ID() == public.ID())
	// Output:
	// {"sub":"alice"} <nil>
	// false true
}

// The issuer publishes its public keys as a JWK Set; who reads it finds the key by the token's kid.
func ExampleParseSet() {
	first, _ := jwt.GenerateKey(jwt.EdDSA)
	second, _ := jwt.GenerateKey(jwt.ES256)
	issued, err := jwt.NewSet(first, second)
	if err != nil {
		fmt.Println(err)
		return
	}
	published, err := json.Marshal(issued) // the body of /.well-known/jwks.json
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := jwt.ParseSet(published)
	if err != nil {
		fmt.Println(err)
		return
	}
	token, _ := jwt.Sign(second, "JWT", map[string]string{"sub": "alice"})
	verified, err := jwt.Verify(context.Background(), token, keys, "JWT")
	fmt.Println(verified.Header.Algorithm, verified.Key.ID() == second.ID(), verified.Key.Private(), err)
	// Output: ES256 true false <nil>
}

// Keys are kept in files as PEM.
func ExampleParsePEM() {
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := key.MarshalPEM()
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := jwt.ParsePEM(jwt.ES256, text)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.27s\n", text)
	fmt.Println(again.Private(), again.ID() == key.ID())
	// Output:
	// -----BEGIN PRIVATE KEY-----
	// true true
}

// An error has one reason, which errors.Is finds, and a text for the log.
func ExampleVerify_errors() {
	key, _ := jwt.GenerateKey(jwt.HS256)
	stranger, _ := jwt.GenerateKey(jwt.HS256)
	stranger, _ = stranger.WithID(key.ID())
	forged, _ := jwt.Sign(stranger, "JWT", map[string]string{"sub": "alice"})
	genuine, _ := jwt.Sign(key, "JWT", map[string]string{"sub": "alice"})
	for _, token := range []string{"not a token", forged, genuine} {
		_, err := jwt.Verify(context.Background(), token, key, "at+jwt")
		switch {
		case errors.Is(err, jwt.ErrMalformed):
			fmt.Println("malformed:", err)
		case errors.Is(err, jwt.ErrSignature):
			fmt.Println("signature:", err)
		case errors.Is(err, jwt.ErrType):
			fmt.Println("type:", err)
		}
	}
	// Output:
	// malformed: jwt: malformed token: not three parts joined by dots
	// signature: jwt: wrong signature
	// type: jwt: wrong type of token: its typ is not one of those accepted
}
