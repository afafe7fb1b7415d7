// Command doorward gives an HTTP API login, short-lived access tokens, refresh
// and a logout that works. Run doorward serve to begin.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
