"""Checks tokens of a Doorward server in a Python service. One file; needs pyjwt[crypto] and Python 3.9.

    import doorward

    tokens = doorward.Verifier(
        "https://auth.example.com", audience="orders",
        client_id="dwc_...", client_secret="dws_...",  # doorward client add orders --scope revocations:read
    )

    @app.get("/orders")                # Flask
    @tokens.require(scope="orders:read")
    def orders():
        return {"subject": doorward.claims().subject}

    app = doorward.WSGI(app, tokens)   # or any WSGI application: environ["doorward.claims"]
    app = doorward.ASGI(app, tokens)   # or any ASGI application: scope["doorward.claims"]

Behind Doorward's gate, doorward.Assertions(issuer, audience=...) takes the place of Verifier: it checks the header
Doorward-Assertion, and follows no revocations, since the gate does and an assertion lives for a minute.

Keys and revocations are fetched by threads that the first request of each process starts. Tokens are checked in memory. If
a verifier has no current keys or revocations, it refuses tokens with 503.
"""

import asyncio
import base64
import contextlib
import functools
import http.client
import ipaddress
import json
import logging
import os
import random
import re
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
import weakref

# The first fetch would import these two. A process that is forked at that moment would wait for the import lock for ever.
import cryptography.hazmat.backends.openssl.backend  # noqa: F401
import encodings.idna  # noqa: F401
from jwt.algorithms import get_default_algorithms

__all__ = ["ASGI", "WSGI", "Assertions", "Claims", "NoRevocations", "Refused", "Verifier", "claims"]

log = logging.getLogger("doorward")

MAX_TOKEN = 8 << 10  # bytes
MAX_ANSWER = 1 << 20  # bytes of a key set, or of one page of revocations
MAX_KEYS = 100
MAX_ENTRIES = 2_000_000
MAX_DEPTH = 32  # of JSON
MAX_LIFETIME = 24 * 3600  # seconds from iat to exp
LEEWAY = 30  # seconds that iat and nbf may lie ahead; exp has none
TIMEOUT = 5  # seconds for which a fetch may stand still, and for which a request waits for one
COOL_DOWN = 30  # seconds between the beginnings of two fetches of the keys
LAST_GOOD = 24 * 3600  # seconds for which the last good key set is used
LAST_SECOND = 253402300799  # of the year 9999


class Refused(Exception):
    """A request that is refused. Its text is the precise reason, for the log and not for the client."""

    def __init__(self, reason, status=401, error="invalid_token", description="token not valid", **parameters):
        super().__init__(reason)
        self.status, self.error, self.description, self.parameters = status, error, description, parameters

    @property
    def headers(self):
        """The headers of the answer."""
        found = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if self.status == 503:
            found["Retry-After"] = "5"
        else:
            named = {} if self.error == "missing_token" else {
                "error": self.error, "error_description": self.description, **self.parameters}
            found["WWW-Authenticate"] = ", ".join(['Bearer realm="api"', *(f'{k}="{v}"' for k, v in named.items())])
        return found

    def answer(self):
        """The status, the headers and the body of the answer. The log gets the reason under the same request id."""
        told = {"error": self.error, "error_description": self.description, "request_id": secrets.token_hex(13)}
        log.log(logging.WARNING if self.status == 503 else logging.INFO, "refused: %s (%s)", self, told["request_id"])
        return self.status, self.headers, json.dumps(told).encode() + b"\n"


class _Untimely(Refused):
    """A refusal that depends on this machine's clock, which may be wrong."""


def _unknown(reason):
    return Refused(reason, 503, "unavailable", "tokens cannot be checked at the moment")


# Strict reading.

_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*").fullmatch
_SCOPE = re.compile(r"(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?").fullmatch
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def _decode64(text):
    """Decodes base64url in its canonical form: no padding, no other characters, unused bits zero."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not base64url as it should be")
    return data


def _object(data):
    """Reads one JSON object: in UTF-8, without duplicate names, NaN and infinities, and of bounded depth."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
        _bounded(value, MAX_DEPTH)
        json.dumps(value, ensure_ascii=False).encode()  # fails on half a surrogate pair
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON as it should be: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _once(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name):
    raise ValueError(name)


def _finite(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number that is too great")
    return value


def _bounded(value, depth):
    if isinstance(value, (dict, list)):
        if depth == 0:
            raise ValueError("too deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _bounded(inner, depth - 1)


# Keys.

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS = get_default_algorithms()


class Key:
    """A public key with its one algorithm, which the token cannot choose."""

    def __init__(self, jwk):
        self.id, kind, curve, named = jwk.get("kid"), jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
        if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
            raise ValueError("not for signatures")
        if kind == "OKP" and curve == "Ed25519" and named in (None, "EdDSA", "Ed25519"):
            self.algorithm = "EdDSA"
        elif kind == "EC" and named in (None, _CURVES.get(curve)) and curve in _CURVES:
            self.algorithm = _CURVES[curve]
        elif kind == "RSA" and named in (None, *_RSA):
            self.algorithm = named or "RS256"
        else:
            raise ValueError("of no known kind")
        self._use = _ALGORITHMS[self.algorithm]
        self._key = self._use.from_jwk(json.dumps(jwk))
        if kind == "RSA" and not 2048 <= self._key.key_size <= 8192:
            raise ValueError("of a size that is not safe")

    def verify(self, signed, signature):
        """Whether the signature is this key's."""
        try:
            return self._use.verify(signed, self._key, signature)
        except Exception:  # libraries raise various errors for bytes that are no signature
            return False


def _warm():
    """Makes OpenSSL load each algorithm before the process forks: in a child, the first load may wait for ever for a lock."""
    point = {"x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}
    for jwk in (
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "EC", "crv": "P-256", **point},
        {"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAB"},
    ):
        Key({"kid": "warm", **jwk}).verify(b"", bytes(64))


_warm()


def parse_keys(data):
    """The usable keys of a JWK set, by kid. Raises ValueError for a set that holds a secret, or two keys with one kid."""
    found, seen, members = {}, set(), _object(data).get("keys")
    if not isinstance(members, list) or not 0 < len(members) <= MAX_KEYS:
        raise ValueError("no list of 1 to 100 keys")
    for jwk in members:
        if not isinstance(jwk, dict) or "d" in jwk or "k" in jwk:
            raise ValueError("a member is no public key")
        kid = jwk.get("kid")
        if not (kid is None or isinstance(kid, str) and kid) or kid in seen:
            raise ValueError("a kid that comes twice, or is none")
        seen.add(kid)
        try:
            found[kid] = Key(jwk)
        except Exception as error:  # the set may hold keys for other programs
            log.warning("key %.64r is not used: %s", kid, error)
    if not found or (None in found and len(found) > 1):
        raise ValueError("no usable keys, or a nameless one among others")
    return found


# Fetching.


class _Place:
    """A URL to fetch from, by HTTPS or on this machine. Redirects are not followed, and proxies are not used."""

    def __init__(self, url, context=None):
        self.url = urllib.parse.urlsplit(url)
        host = self.url.hostname
        if not host or self.url.query or self.url.fragment or self.url.username:
            raise ValueError(f"doorward: {url!r} is no address")
        self.port = self.url.port or {"http": 80}.get(self.url.scheme, 443)  # without one, http.client takes the end of an IPv6 address
        if self.url.scheme == "https":
            self.context = context or ssl.create_default_context()
        elif self.url.scheme != "http" or not _here(host):
            raise ValueError(f"doorward: {url!r} must be https, or on this machine")

    def get(self, query="", headers=None):
        """The status, the headers and the body of one answer. Raises ValueError if it is too long or takes too long."""
        made = {"timeout": TIMEOUT}
        if self.url.scheme == "https":
            made["context"] = self.context
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.hostname, self.port, **made)
        try:
            connection.connect()
            ends = time.monotonic() + 2 * TIMEOUT
            with _ended_at(ends, connection.sock):
                connection.request("GET", (self.url.path or "/") + query, headers=headers or {})
                answer = connection.getresponse()
                body = bytearray()
                while chunk := answer.read1(1 << 16):
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        break
            if len(body) > MAX_ANSWER or time.monotonic() >= ends:
                raise ValueError("the answer is too long, or takes too long")
            if answer.status == 200 and answer.length:
                raise ValueError("the answer was cut off")
            return answer.status, answer.headers, bytes(body)
        finally:
            connection.close()


@contextlib.contextmanager
def _ended_at(moment, sock):
    """Ends a connection at that moment: the timeout of its socket begins anew with each byte, even of a header."""
    def end():
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not an SSLSocket's, which would read on without TLS

    timer = threading.Timer(moment - time.monotonic(), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _here(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Worker:
    """Calls owner.turn() again and again, in a thread that ends when the owner is collected. turn returns the pause in seconds."""

    def __init__(self, owner):
        self.wake, self.done = threading.Event(), threading.Condition()
        self.turns = 0
        threading.Thread(target=self._run, args=(weakref.ref(owner),), name="doorward", daemon=True).start()

    def wait(self, seconds, since):
        """Waits until there were more than since turns, or for so many seconds."""
        with self.done:
            self.done.wait_for(lambda: self.turns > since, seconds)

    def _run(self, owner):
        while (held := owner()) is not None:
            try:
                pause = held.turn()
            except Exception:  # a bug of ours; if the thread ended, keys and revocations would go stale for good
                log.exception("a turn has failed")
                pause = COOL_DOWN
            del held
            with self.done:
                self.turns += 1
                self.done.notify_all()
            self.wake.wait(pause)
            self.wake.clear()


class _Keys:
    """An issuer's published keys, kept while they are good."""

    def __init__(self, place):
        self.place, self.worker = place, None
        self.known, self.heard, self.fresh = {}, None, 300
        self.begun, self.flying, self.failed = float("-inf"), False, True

    def find(self, kid):
        """The key with this kid. For an unknown kid the set is fetched, once for all requests that wait."""
        key = self._known(kid)
        if key is None:
            turns = self.worker.turns
            if self.flying or self.heard is None or time.monotonic() - self.begun >= COOL_DOWN:
                self.worker.wake.set()
                self.worker.wait(TIMEOUT, turns)
            key = self._known(kid)
        if key is None and (self.failed or not self._usable()):
            raise _unknown("the keys are not known")
        if key is None:
            raise Refused("no key has the token's kid")
        return key

    def revoked(self, kid):
        """Has the set fetched at once, early or not, if a key of it was revoked: another signs from now on."""
        if self.flying or kid in self.known:
            self.begun = float("-inf")
            self.worker.wake.set()

    def turn(self):
        """Fetches the set, unless it is too early. Returns the seconds until the next turn."""
        if (rest := self.begun + COOL_DOWN - time.monotonic()) > 0:
            return rest if self.failed else max(rest, self._due())
        self.begun, self.flying, asked = time.monotonic(), True, _now()
        try:
            status, headers, body = self.place.get(headers={"Accept": "application/json"})
            if status != 200:
                raise ValueError(f"status {status}")
            self.known, self.heard, self.failed = parse_keys(body), asked, False
            self.fresh = _max_age(headers.get("Cache-Control", ""))
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.failed = True
            log.warning("keys were not fetched from %s: %s", self.place.url.geturl(), error)
        finally:
            self.flying = False
        return COOL_DOWN if self.failed else self._due()

    def _due(self):
        return max(COOL_DOWN, self.fresh - _age(self.heard))

    def _usable(self):
        return self.heard is not None and _age(self.heard) < LAST_GOOD

    def _known(self, kid):
        if not self._usable():
            return None
        if kid is None:
            return next(iter(self.known.values())) if len(self.known) == 1 else None
        return self.known.get(kid)


def _max_age(text):
    found = re.search(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", text)
    return min(max(int(found[1]), COOL_DOWN), 3600) if found else 300


def _whole(text):
    return int(text) if text and re.fullmatch(r"[0-9]{1,5}", text) else 0


def _now():
    return time.monotonic(), time.time()


def _age(moment):
    """The seconds since a moment, by the clock that says more: one stops while the machine sleeps, the other can be set back."""
    return max(time.monotonic() - moment[0], time.time() - moment[1])


# Revocations.


class NoRevocations:
    """No revocations: every token is good until it expires, even after a logout."""

    def check(self, token):
        """Refuses nothing."""


_DENIED = {
    401: ": the client_id or the client_secret is wrong, or the client is disabled",
    403: ": the client does not have the scope revocations:read",
}


class Revocations:
    """What the server has revoked; docs/revocations.md describes the protocol."""

    def __init__(self, place, client_id, client_secret, pace, max_staleness, key_revoked):
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self.place, self.worker = place, None
        self.headers = {"Authorization": "Basic " + basic, "Accept": "application/json"}
        self.pace, self.max_staleness, self.key_revoked = pace, max_staleness, key_revoked
        self.sessions, self.cutoffs, self.keys, self.strange = {}, {}, set(), 0
        self.cursor = self.lineage = self.heard = None
        self.wait, self.alarmed, self.swept = 1, False, time.monotonic()
        self.clock = None  # what the server's clock said, and when that was by the monotonic clock

    def clock_error(self):
        """How many seconds this machine's clock is behind the server's, if a refusal by it may be wrong; otherwise 0."""
        if self.clock is None:
            return 0
        said, at = self.clock
        ahead = said + time.monotonic() - at - time.time()
        return ahead if ahead > 0 or ahead < -LEEWAY else 0

    def check(self, token):
        """Refuses a token that was revoked, and every token if the last answer is too old."""
        if self.heard is None:
            self.worker.wait(TIMEOUT, 0)
        if self._ended(token):
            raise Refused("revoked", description="session ended")
        if self.heard is None or _age(self.heard) > self.max_staleness or time.time() < self.strange:
            raise _unknown("revocations are stale")

    def _ended(self, token):
        sid = token.session if _UUID(token.session) else ""
        return token.key_id in self.keys or token.session in self.sessions or any(
            place in self.cutoffs and sid < self.cutoffs[place][0]
            for place in (("subject", token.subject), ("client", token.client_id), ("all", "")))

    def turn(self):
        """Asks for what is new. Returns the seconds until the next turn."""
        try:
            self._ask()
            self.wait, self.alarmed = 1, False
            return self.pace * random.uniform(0.8, 1)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not self.alarmed:
                log.error("revocations are not heard: %s", error)
                self.alarmed = True
            wait, self.wait = self.wait, min(2 * self.wait, self.pace)
            return wait * random.uniform(0.5, 1)

    def _ask(self):
        first, cursor, snapshots = None, self.cursor, []
        while True:
            asked = _now()
            page = self._page(cursor)
            first = first or (asked, page["age_ms"] / 1000)
            self._add(page["entries"])
            snapshots.append(page["snapshot"])
            if page["more"] and (page["next"] == cursor or not page["entries"]):
                raise ValueError("the pages do not end")
            if self.lineage not in (None, page["lineage"]):
                log.error("the history of the server's store has changed")
                if not page["snapshot"]:
                    self.cursor = self.lineage = None
                    raise ValueError("two histories answer")
            elif cursor is not None and page["snapshot"] and not any(snapshots[:-1]):
                log.error("the server's store no longer knows what it told before")
            self.cursor = cursor = page["next"]
            self.lineage = page["lineage"]
            if not page["more"]:
                break
        (mono, wall), age = first
        if self.heard is None or mono - age > self.heard[0]:
            self.heard = mono - age, wall - age
        self._sweep()

    def _page(self, cursor):
        nonce = secrets.token_urlsafe(16)
        query = {"nonce": nonce} if cursor is None else {"after": cursor, "nonce": nonce}
        asked = time.monotonic()
        status, headers, body = self.place.get("?" + urllib.parse.urlencode(query), self.headers)
        if status == 400:
            self.cursor = None
        if status in (401, 403, 429):
            self.wait = max(self.pace, _whole(headers.get("Retry-After")))
        if status != 200 or headers.get_content_type() != "application/json":
            raise ValueError(f"status {status}{_DENIED.get(status, '')}")
        page = _object(body)
        heard, age = time.monotonic(), page.get("age_ms")
        if page.get("nonce") != nonce or not _number(age) or not 0 <= age <= LAST_SECOND:
            raise ValueError("the answer is to another question")
        if "now" in page:
            if type(page["now"]) is not int or not 0 <= page["now"] <= LAST_SECOND:
                raise ValueError("now is no time")
            self.clock = page["now"], (asked + heard) / 2
        for name, kind in (("lineage", str), ("next", str), ("snapshot", bool), ("more", bool), ("entries", list)):
            if not isinstance(page.get(name), kind) or page[name] == "":
                raise ValueError(f"the answer has no {name}")
        return page

    def _add(self, entries):
        for entry in entries:
            if not isinstance(entry, dict):
                raise ValueError("an entry is no object")
            kind, name, expires = entry.get("kind"), entry.get("id", ""), entry.get("expires", LAST_SECOND)
            if not isinstance(kind, str) or not isinstance(name, str) or not _number(expires):
                raise ValueError("an entry is not as it should be")
            if len(self.sessions) + len(self.cutoffs) + len(self.keys) >= MAX_ENTRIES:
                raise ValueError("there are more revocations than this verifier keeps")
            if kind == "key":
                if name not in self.keys:
                    self.keys.add(name)
                    self.key_revoked(name)
            elif kind == "session":
                self.sessions[name] = max(expires, self.sessions.get(name, 0))
            elif kind in ("subject", "client", "all"):
                before = entry.get("before")
                if not isinstance(before, str) or not _UUID(before):
                    before = "g"  # after every sid
                known, until = self.cutoffs.get((kind, name), ("", 0))
                self.cutoffs[kind, name] = max(before, known), max(expires, until)
            else:
                self.strange = max(self.strange, expires)

    def _sweep(self):
        """Forgets what expired an hour ago, once a minute."""
        if time.monotonic() - self.swept < 60:
            return
        self.swept, past = time.monotonic(), time.time() - 3600
        self.sessions = {sid: until for sid, until in self.sessions.items() if until > past}
        self.cutoffs = {place: cut for place, cut in self.cutoffs.items() if cut[1] > past}


# Tokens.


class Claims(dict):
    """What a verified token says. The claims themselves are the members of the dict."""

    key_id = None  # of the key that made the signature

    subject = property(lambda self: self["sub"])
    username = property(lambda self: self.get("preferred_username", ""))
    external_id = property(lambda self: self.get("external_id", ""))  # the user's ID at the API, "" if there is none
    session = property(lambda self: self.get("sid", ""))
    client_id = property(lambda self: self.get("client_id", ""))
    roles = property(lambda self: self.get("roles", []))
    scope = property(lambda self: self.get("scope", "").split())


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _texts(value):
    return isinstance(value, list) and all(isinstance(inner, str) for inner in value)


class _Judge:
    """What Verifier and Assertions have in common."""

    type = header = scheme = None

    def __init__(self, issuer, audience, keys_url=None, context=None):
        if not issuer or not audience:
            raise ValueError("doorward: issuer and audience are required")
        self.issuer, self.audience = issuer, audience
        self._place = functools.partial(_Place, context=context)
        self._keys_place = self._place(keys_url or issuer.rstrip("/") + "/.well-known/jwks.json")
        self._keys, self._process, self._locks = None, None, {}  # a child process has no threads, and nobody to open its parent's locks

    def verify(self, token):
        """The claims of a token. Raises Refused, which says why."""
        self._start()
        try:
            read, key = self._signed(token)
        except ValueError as error:
            raise Refused(str(error)) from None
        found = Claims(read)
        found.key_id = key.id
        self._doubt(lambda now: self._judge(found, now))
        return found

    def _doubt(self, judge):
        """Calls judge with the time of this machine. If only that time is why it refuses, and the clock is wrong, the answer is 503."""
        try:
            judge(time.time())
        except _Untimely as refused:
            if not (wrong := self._clock_error()):
                raise
            judge(time.time() + wrong)
            raise _unknown(f"only by the clock of this machine, which is wrong: {refused}") from None

    def _clock_error(self):
        return 0

    def authenticate(self, values, optional=False, scope=None, role=None, within=None):
        """The claims of a request whose header has these values; None if it has none and optional says so."""
        words, roles = _wanted(optional, scope, role, within)
        token = self._token(values)
        if token is None:
            if optional:
                return None
            raise Refused("no token", error="missing_token", description="a token is required")
        found = self.verify(token)
        self._doubt(lambda now: _meet(found, words, roles, within, now))
        return found

    def require(self, optional=False, scope=None, role=None, within=None):
        """A decorator for a Flask view: claims() in it are the caller's.

        scope: words that the token must all have. role: one, or several of which one will do. within: seconds since the person
        logged in. optional: without a token the view is called all the same, and claims() is None; a bad one is refused.
        """
        if callable(optional):
            raise TypeError("doorward: write @tokens.require(), with parentheses")
        _wanted(optional, scope, role, within)
        return functools.partial(_flask, self, {"optional": optional, "scope": scope, "role": role, "within": within})

    def _start(self):
        process = os.getpid()  # and no hook of os.fork, which uWSGI does not call
        if self._process != process:
            with self._locks.setdefault(process, threading.Lock()):
                if self._process != process:
                    self._begin()
                    self._process = process

    def _begin(self):
        keys = _Keys(self._keys_place)
        keys.worker = _Worker(keys)
        self._keys = keys

    def _token(self, values):
        if len(values) > 1:
            raise Refused("more than one line", 400, "invalid_request", "more than one token in the request")
        if not values or not values[0]:
            return None
        scheme, _, token = values[0].partition(" ") if self.scheme else ("", "", values[0])
        if scheme.lower() != (self.scheme or ""):
            if re.search(r"(?:^|,)\s*bearer(?![!#$%&'*+.^_`|~0-9a-z-])", values[0].lower()):
                raise Refused("a list of credentials", 400, "invalid_request", "malformed credentials")
            return None
        token = token.lstrip(" ")
        if not _TOKEN68(token):
            raise Refused("no token after the scheme", 400, "invalid_request", "malformed credentials")
        return token

    def _signed(self, token):
        """The claims and the key of a token whose signature and type are good: size, form, key, signature, type."""
        if not isinstance(token, str) or len(token) > MAX_TOKEN or token.count(".") != 2:
            raise ValueError("not three parts of at most 8 KiB")
        signed, _, end = token.rpartition(".")
        head, _, payload = signed.partition(".")
        header, body, signature = _object(_decode64(head)), _decode64(payload), _decode64(end)
        if any(name in header for name in ("crit", "b64", "zip")):
            raise ValueError("an extension that is not understood")
        for name in ("alg", "kid", "typ", "cty"):
            if name in header and not isinstance(header[name], str):
                raise ValueError(f"{name} is no text")
        if header.get("kid") == "" or _short(header.get("cty", "")) == "jwt":
            raise ValueError("an empty kid, or a token in a token")
        key = self._keys.find(header.get("kid"))
        named = header.get("alg")
        if named != key.algorithm and (named, key.algorithm) != ("Ed25519", "EdDSA"):
            raise ValueError("alg is not the key's")
        if not key.verify(signed.encode("ascii"), signature):
            raise ValueError("the signature is not the key's")
        if _short(header.get("typ", "")) != self.type:
            raise ValueError("a token of another type")
        return _object(body), key

    def _judge(self, found, now):
        """Checks the claims themselves: form, times, issuer, audience."""
        for name in ("iss", "sub", "jti", "sid", "client_id", "scope"):
            if name in found and not isinstance(found[name], str):
                raise Refused(f"{name} is no text")
        for name in ("exp", "iat", "nbf", "auth_time"):
            if name in found and not (_number(found[name]) and (name == "exp" or found[name] >= 0) and found[name] <= LAST_SECOND):
                raise Refused(f"{name} is no time")
        for name in ("sub", "jti", "exp", "iat"):
            if not found.get(name) and found.get(name) != 0:
                raise Refused(f"{name} is missing")
        for name in ("roles", *(("aud",) if not isinstance(found.get("aud"), str) else ())):
            if name in found and not _texts(found[name]):
                raise Refused(f"{name} is no list of texts")
        if not _SCOPE(found.get("scope", "")):
            raise Refused("scope is no list of words")
        begun, ends = found["iat"], found["exp"]
        if not begun < ends <= begun + MAX_LIFETIME or found.get("nbf", 0) >= ends:
            raise Refused("the times do not agree")
        if now >= ends:
            raise _Untimely("expired", description="token expired")
        if max(begun, found.get("nbf", 0)) > now + LEEWAY:
            raise _Untimely("not good yet")
        if found.get("iss") != self.issuer:
            raise Refused(f"of another issuer: iss is {_told(found.get('iss'))}, want {self.issuer!r}")
        audience = found.get("aud", [])
        if self.audience not in ([audience] if isinstance(audience, str) else audience):
            raise Refused(f"for another audience: aud is {_told(audience)}, want {self.audience!r}")


def _told(value):
    """A value of a token, for the log."""
    return repr(value)[:200]


def _short(kind):
    """A media type as RFC 7515 §4.1.9 compares them."""
    kind = kind.lower() if kind.isascii() else kind
    rest = kind[len("application/"):] if kind.startswith("application/") else ""
    return rest if rest and "/" not in rest else kind


def _wanted(optional=False, scope=None, role=None, within=None):
    """The words and the roles that are needed. Raises ValueError for what would be met by everybody, by an oversight, or by nobody."""
    if scope is not None and not (isinstance(scope, str) and scope.split()):
        raise ValueError(f"doorward: scope is one or more words in one text, not {scope!r}")
    roles = [role] if isinstance(role, str) else list(role or ())
    if role is not None and not (roles and all(roles) and _texts(roles)):
        raise ValueError(f"doorward: role is one role, or some of which one will do, not {role!r}")
    if within is not None and not _number(within):
        raise ValueError(f"doorward: within is a number of seconds, not {within!r}")
    return (scope or "").split(), roles


def _meet(found, words, roles, within, now):
    if not set(words) <= set(found.scope):
        raise Refused(f"scope: wants {words}, has {_told(found.scope)}", 403, "insufficient_scope", "the token does not have the scope", scope=" ".join(words))
    if roles and not set(roles) & set(found.roles):
        raise Refused(f"role: wants one of {roles}, has {_told(found.roles)}", 403, "insufficient_scope", "the token does not have the role")
    if within is not None and not -LEEWAY <= now - found.get("auth_time", float("-inf")) <= within:
        raise _Untimely("login", 401, "insufficient_user_authentication", "a more recent login is required", max_age=int(within))


class Verifier(_Judge):
    """Checks access tokens (RFC 9068) in Authorization: Bearer. It may be shared between threads.

    issuer, audience: what iss must be, and what must be in aud. client_id, client_secret: the service's own credential, with
    which it follows revocations. revocations: NoRevocations() instead of them accepts tokens until they expire. pace: the seconds
    between two requests for revocations, and so how late a logout takes effect. max_staleness: how many seconds old the last answer
    may be; after that every token is refused with 503. keys_url, revocations_url: where they are, if not under the issuer. context:
    an ssl.SSLContext, for a certificate authority of your own.
    """

    type, header, scheme = "at+jwt", "Authorization", "bearer"

    def __init__(self, issuer, *, audience, client_id="", client_secret="", revocations=None, pace=5, max_staleness=60,
                 keys_url=None, revocations_url=None, context=None):
        super().__init__(issuer, audience, keys_url, context)
        if (revocations is None) == (not client_id or not client_secret):
            raise ValueError("doorward: give client_id and client_secret, or revocations=NoRevocations()")
        if not 0 < pace < max_staleness:
            raise ValueError("doorward: pace is less than max_staleness")
        self._revocations = self._given = revocations
        if revocations is None:
            place = self._place(revocations_url or issuer.rstrip("/") + "/revocations")
            self._follow = functools.partial(Revocations, place, client_id, client_secret, pace, max_staleness)

    def _begin(self):
        super()._begin()
        if self._given is None:
            self._revocations = self._follow(self._keys.revoked)
            self._revocations.worker = _Worker(self._revocations)

    def _judge(self, found, now):
        super()._judge(found, now)
        self._revocations.check(found)

    def _clock_error(self):
        return self._revocations.clock_error() if self._given is None else 0


class Assertions(_Judge):
    """Checks what Doorward's gate says of a caller in the header Doorward-Assertion, which only the gate can have signed."""

    type, header = "doorward-assertion+jwt", "Doorward-Assertion"

    def __init__(self, issuer, *, audience, header="Doorward-Assertion", keys_url=None, context=None):
        super().__init__(issuer, audience, keys_url, context)
        self.header = header


# Frameworks.


def claims():
    """The caller's claims in a Flask view under require(); None without a token, where that is allowed."""
    from flask import request

    if "doorward.claims" not in request.environ:
        raise RuntimeError("doorward: claims() is for views under require()")
    return request.environ["doorward.claims"]


def _flask(judge, needs, view):
    @functools.wraps(view)
    def guarded(*args, **kwargs):
        from flask import Response, current_app, request

        try:  # Flask's g would be shared with a request that the view makes to its own app
            request.environ["doorward.claims"] = judge.authenticate(request.headers.getlist(judge.header), **needs)
        except Refused as refused:
            status, headers, body = refused.answer()
            return Response(body, status, headers)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return guarded


class WSGI:
    """Guards a whole WSGI application. environ["doorward.claims"] are the caller's; needs are those of require."""

    def __init__(self, app, judge, **needs):
        _wanted(**needs)
        self.app, self.judge, self.needs = app, judge, needs
        self.name = "HTTP_" + judge.header.upper().replace("-", "_")

    def __call__(self, environ, start_response):
        values = [environ[self.name]] if self.name in environ else []
        try:
            environ["doorward.claims"] = self.judge.authenticate(values, **self.needs)
        except Refused as refused:
            status, headers, body = refused.answer()
            start_response(f"{status} {http.client.responses[status]}", [*headers.items(), ("Content-Length", str(len(body)))])
            return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
        return self.app(environ, start_response)


class ASGI:
    """Guards a whole ASGI application, WebSockets too. scope["doorward.claims"] are the caller's."""

    def __init__(self, app, judge, **needs):
        _wanted(**needs)
        self.app, self.judge, self.needs = app, judge, needs
        self.name = judge.header.lower().encode()

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == self.name]
        try:
            found = await asyncio.to_thread(self.judge.authenticate, values, **self.needs)
        except Refused as refused:
            return await self._refuse(scope, send, refused)
        return await self.app({**scope, "doorward.claims": found}, receive, send)

    async def _refuse(self, scope, send, refused):
        status, headers, body = refused.answer()
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the server answers 403
        lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})
