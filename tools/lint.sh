#!/bin/sh
# Runs every check that is no test, to the end, and fails if one of them found something.
set -u
cd "$(dirname "$0")/.."
failed=0

check() {
	echo "lint: $*"
	"$@" || failed=1
}

formatted() {
	files=$(git ls-files -co --exclude-standard '*.go' | grep -v /testdata/)
	listed=$(gofmt -l $files && go tool -modfile=tools/go.mod gofumpt -l $files) || return 1
	[ -z "$listed" ] || { printf 'not formatted (gofumpt -w):\n%s\n' "$listed"; return 1; }
}

check formatted
check go vet ./...
check go tool -modfile=tools/go.mod golangci-lint run
for module in go.mod bench/go.mod examples/*/go.mod; do
	if [ -f "$module" ]; then check go -C "$(dirname "$module")" mod tidy -diff; fi
done
exit $failed
