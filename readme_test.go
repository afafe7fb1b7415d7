package doorward_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func Example_loginAndLogout() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	folder, err := os.MkdirTemp("", "doorward")
	check(err)
	defer func() { check(os.RemoveAll(folder)) }()
	path := folder + "/app.db"
	const id = "4CQ2XN7EZP"
	key, people, mux := issuer.GenerateMasterKey(), people{id: {Active: true}}, http.NewServeMux()
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := doorward.ClaimsFrom(r.Context())
		fmt.Fprintln(w, "orders of", claims.Subject)
	})

	store, err := sqlite.Open(ctx, path)
	check(err)
	iss, err := issuer.New(ctx, issuer.Config{Issuer: "https://api.example.com", Store: store, MasterKey: key, Subjects: people})
	check(err)
	go iss.Run(ctx) // follows revocations and rotates the keys

	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: "https://api.example.com", Audience: "https://api.example.com",
		Keys: iss.Keys(), Revocations: iss.Revocations(),
	})
	check(err)
	mux.Handle("GET /orders", v.Require(doorward.HasScope("orders:read"))(orders))

	attempt, err := iss.Begin(ctx, id) // of a user; then check the password
	check(err)
	tokens, err := iss.Login(ctx, attempt, issuer.LoginRequest{})
	check(err)

	call := func() {
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	call()
	check(iss.Logout(ctx, tokens.AccessToken, issuer.Event{}))
	_, err = v.Verify(ctx, tokens.AccessToken)
	fmt.Println(err)

	stop() // before the folder is removed, into which Run may write
	check(store.Close())
	// Output:
	// 200 orders of 4CQ2XN7EZP
	// doorward: token revoked
}

// The Go block of the README is what Example_loginAndLogout runs.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```go\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed || strings.Count(block, "\n") < 10 {
		t.Fatal("README.md has no Go block")
	}
	for line := range strings.Lines(block) {
		if line != "\n" && !strings.Contains(string(source), "\t"+line) {
			t.Errorf("readme_test.go does not run this line of README.md: %s", line)
		}
	}
}
