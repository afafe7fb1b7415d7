#!/bin/sh
# Installs what the tests use beside Go: Debian packages and modules. It changes nothing if all of it is there.
set -eu
cd "$(dirname "$0")/.."

# libc6-dev: the race detector. The others: real clients that the tests run.
packages="libc6-dev curl python3-requests python3-authlib python3-jwt python3-cryptography gunicorn python3-flask python3-flask-cors chromium nodejs postgresql nginx caddy haproxy
	python3-werkzeug python3-django python3-passlib python3-bcrypt python3-argon2 python3-flask-sqlalchemy python3-fastapi
	python3-djangorestframework-simplejwt systemd"
# Any npm will do; Debian's is installed only if there is none.
command -v npm >/dev/null || packages="$packages npm"

missing() {
	for p in $packages; do
		dpkg-query -W -f='${Status}\n' "$p" 2>/dev/null | grep -qx 'install ok installed' || printf ' %s' "$p"
	done
}

# install runs as root. A policy-rc.d of its own keeps services from starting while packages are installed.
install() {
	policy=/usr/sbin/policy-rc.d
	saved=$policy.before-doorward
	restore() {
		rm -f "$policy"
		if [ -e "$saved" ]; then mv "$saved" "$policy"; fi
	}
	if [ -e "$policy" ] && [ ! -e "$saved" ]; then mv "$policy" "$saved"; fi
	trap restore EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -o DPkg::Lock::Timeout=300 update -q
	apt-get -o DPkg::Lock::Timeout=300 install -qy --no-install-recommends "$@"
}

if [ "${1-}" = --install ]; then
	shift
	install "$@"
	exit
fi

if ! command -v apt-get >/dev/null; then
	echo "deps: this is no Debian; the tests use:$(printf ' %s' $packages) (what is missing is skipped, with a line that says so)"
elif wanted=$(missing) && [ -n "$wanted" ]; then
	echo "deps: installing$wanted"
	if [ "$(id -u)" = 0 ]; then
		sh tools/deps.sh --install $wanted
	elif command -v sudo >/dev/null; then
		sudo sh tools/deps.sh --install $wanted
	else
		echo "deps: error: cannot install$wanted: neither root nor sudo" >&2
		echo "deps: hint: as root: apt-get install --no-install-recommends$wanted" >&2
		exit 1
	fi
else
	echo "deps: all packages are there"
fi

# The tests' OAuth clients in JavaScript: exactly what the lock file names, without running their scripts.
clients=cmd/doorward/testdata/node
if ! command -v npm >/dev/null; then
	echo "deps: there is no npm: the tests of $clients are skipped"
elif ! cmp -s "$clients/package-lock.json" "$clients/node_modules/.lock"; then
	npm ci --prefix "$clients" --ignore-scripts --no-audit --no-fund
	cp "$clients/package-lock.json" "$clients/node_modules/.lock"
fi

# The linters' modules (tools/go.mod) are many and no test uses them: make lint downloads them.
for module in go.mod bench/go.mod examples/*/go.mod; do
	if [ -f "$module" ]; then go -C "$(dirname "$module")" mod download; fi
done
