"""Hashes the passwords on standard input, a JSON list of texts, with the schemes named, or every one that is read.

Writes one JSON object a line: scheme, password, hash, and whether the cost is the library's own. The hash is the library's own work wherever Debian has a
version with that scheme; "formula" marks those that are put together here with hashlib, as a later version would.
"""
import base64
import hashlib
import json
import secrets
import sys

import argon2
import django
import passlib.hash as ph
import werkzeug.security as ws
from bcrypt import gensalt, hashpw
from django.conf import settings

settings.configure()
django.setup()
from django.contrib.auth import hashers as dh  # noqa: E402  (after the settings)


def django_hasher(cls, **cost):
    hasher = cls()
    for name, value in cost.items():
        setattr(hasher, name, value)
    return lambda text: hasher.encode(text, hasher.salt())


def werkzeug_scrypt(text):
    salt = secrets.token_urlsafe(12)
    key = hashlib.scrypt(text.encode(), salt=salt.encode(), n=128, r=8, p=1, dklen=64)
    return f"scrypt:128:8:1${salt}${key.hex()}"


def django_scrypt(text):
    salt = secrets.token_hex(11)
    key = hashlib.scrypt(text.encode(), salt=salt.encode(), n=128, r=8, p=5, dklen=64)
    return f"scrypt$128${salt}$8$5${base64.b64encode(key).decode()}"


def plain_bcrypt(ident):
    return lambda text: hashpw(text.encode(), gensalt(4, prefix=ident)).decode()


# What makes a hash at a low cost, so that a test may make many.
SCHEMES = {
    "werkzeug pbkdf2:sha256": lambda text: ws.generate_password_hash(text, "pbkdf2:sha256:100"),
    "werkzeug pbkdf2:sha512": lambda text: ws.generate_password_hash(text, "pbkdf2:sha512:100", 16),
    "werkzeug pbkdf2:sha1": lambda text: ws.generate_password_hash(text, "pbkdf2:sha1:100", 8),
    "salted sha256": lambda text: ws.generate_password_hash(text, "sha256"),
    "salted sha512": lambda text: ws.generate_password_hash(text, "sha512"),
    "salted sha1": lambda text: ws.generate_password_hash(text, "sha1"),
    "salted sha1 of django": django_hasher(dh.SHA1PasswordHasher),
    "werkzeug scrypt, formula": werkzeug_scrypt,
    "django pbkdf2_sha256": django_hasher(dh.PBKDF2PasswordHasher, iterations=100),
    "django pbkdf2_sha1": django_hasher(dh.PBKDF2SHA1PasswordHasher, iterations=100),
    "django argon2id": django_hasher(dh.Argon2PasswordHasher, time_cost=1, memory_cost=256, parallelism=2),
    "django bcrypt_sha256": django_hasher(dh.BCryptSHA256PasswordHasher, rounds=4),
    "django bcrypt": django_hasher(dh.BCryptPasswordHasher, rounds=4),
    "django scrypt, formula": django_scrypt,
    "passlib pbkdf2-sha1": ph.pbkdf2_sha1.using(rounds=100).hash,
    "passlib pbkdf2-sha256": ph.pbkdf2_sha256.using(rounds=100).hash,
    "passlib pbkdf2-sha512": ph.pbkdf2_sha512.using(rounds=100).hash,
    "passlib bcrypt_sha256": ph.bcrypt_sha256.using(rounds=4).hash,
    "passlib bcrypt_sha256 of version 1": ph.bcrypt_sha256.using(rounds=4, version=1).hash,
    "sha256_crypt": ph.sha256_crypt.using(rounds=1000).hash,
    "sha512_crypt": ph.sha512_crypt.using(rounds=1000).hash,
    "sha512_crypt without rounds": ph.sha512_crypt.using(rounds=5000).hash,
    "scrypt": ph.scrypt.using(rounds=7, block_size=8).hash,
    "scrypt of four lanes": ph.scrypt.using(rounds=8, block_size=4, parallelism=4).hash,
    "bcrypt": plain_bcrypt(b"2b"),
    "bcrypt 2a": plain_bcrypt(b"2a"),
    "bcrypt 2y": ph.bcrypt.using(rounds=4, ident="2y").hash,
    "argon2id": argon2.PasswordHasher(1, 64, 1, type=argon2.Type.ID).hash,
    "argon2i": argon2.PasswordHasher(2, 64, 1, type=argon2.Type.I).hash,
}

# The same libraries as they come.
DEFAULTS = {
    "werkzeug pbkdf2:sha256": ws.generate_password_hash,
    "django pbkdf2_sha256": django_hasher(dh.PBKDF2PasswordHasher),
    "django argon2id": django_hasher(dh.Argon2PasswordHasher),
    "passlib pbkdf2-sha256": ph.pbkdf2_sha256.hash,
    "sha512_crypt": ph.sha512_crypt.hash,
    "scrypt": ph.scrypt.hash,
    "bcrypt": ph.bcrypt.hash,
    "argon2id": ph.argon2.hash,
}

passwords = json.load(sys.stdin)
if chosen := sys.argv[1:]:
    SCHEMES, DEFAULTS = {name: SCHEMES[name] for name in chosen}, {}
work = [(SCHEMES, text, False) for text in passwords] + [(DEFAULTS, passwords[0], True)]
for schemes, text, default in work:
    for scheme, make in schemes.items():
        try:
            hashed = make(text)
        except ValueError:  # bcrypt takes no NUL; a lone surrogate is no text
            continue
        print(json.dumps({"scheme": scheme, "password": text, "hash": hashed, "default": default}))
