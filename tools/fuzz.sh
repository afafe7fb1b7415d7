#!/bin/sh
# Lets every fuzz target look for new input: tools/fuzz.sh 1m, or tools/fuzz.sh 500x for that many inputs. It prints what
# go test -json does, but builds the tests of each package once, not once for each of its targets. So few inputs as in the
# second form are drawn without regard to what code they reach: that would need all packages built once more.
set -eu
cd "$(dirname "$0")/.."
build=$PWD/.build/fuzz
cache=$(go env GOCACHE)/fuzz
rm -rf "$build"
mkdir -p "$build"
case $1 in
*x) guidance= ;;
*) guidance='-fuzz .' ;;
esac
folders=$(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u)

compiling=
for folder in $folders; do
	go test -c -vet=off -ldflags=-w $guidance -o "$build/$folder/fuzz.test" "$folder" >&2 &
	compiling="$compiling $!"
done
failed=0
for pid in $compiling; do wait "$pid" || failed=1; done
[ $failed = 0 ] || exit 1

for folder in $folders; do
	package=$(go list "$folder")
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$folder"/*_test.go | cut -c6-); do
		(cd "$folder" && go tool test2json -t -p "$package" "$build/$folder/fuzz.test" -test.v=test2json -test.run '^$' \
			-test.paniconexit0 -test.fuzz "^$target\$" -test.fuzztime "$1" -test.fuzzcachedir "$cache/$package") || failed=1
	done
done
exit $failed
