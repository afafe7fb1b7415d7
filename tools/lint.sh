#!/bin/sh
# Runs every check that is not a test. It goes on to the last one, and fails if any of them found something.
set -u
cd "$(dirname "$0")/.."
root=$PWD
failed=0

# tool prints the path of a tool that tools/go.mod pins, built if it was not.
tool() { go tool -modfile="$root/tools/go.mod" -n "$1"; }

check() {
	echo "lint: $*"
	"$@" || failed=1
}

formatted() {
	files=$(git ls-files -co --exclude-standard '*.go' | grep -v /testdata/)
	listed=$(gofmt -l $files && "$gofumpt" -l $files) || return 1
	[ -z "$listed" ] || { printf 'not formatted (gofumpt -w):\n%s\n' "$listed"; return 1; }
}

# module runs the checks of one module, in its folder.
module() (
	cd "$1" || exit 1
	failed=0
	check go vet ./...
	check "$linter" run -c "$root/.golangci.yml"
	check go mod tidy -diff
	exit $failed
)

echo "lint: building the tools, if they have changed"
gofumpt=$(tool gofumpt) && linter=$(tool golangci-lint) || exit 1
check formatted
for file in go.mod tools/go.mod bench/go.mod examples/*/go.mod; do
	if [ -f "$file" ]; then check module "$(dirname "$file")"; fi
done
exit $failed
