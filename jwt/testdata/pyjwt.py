"""Reads tokens and keys as JSON, checks each token with PyJWT, and signs one back with the private key."""

import json
import sys

import jwt
from jwt import PyJWK

answers = []
for case in json.load(sys.stdin):
    public = PyJWK.from_dict(case["public"])
    private = PyJWK.from_dict(case["private"])
    claims = jwt.decode(case["token"], public.key, algorithms=[case["alg"]], audience="api", issuer="https://auth.example")
    header = jwt.get_unverified_header(case["token"])
    token = jwt.encode(claims, private.key, algorithm=case["alg"], headers={"kid": header["kid"], "typ": "at+jwt"})
    answers.append({"alg": case["alg"], "sub": claims["sub"], "token": token})
json.dump(answers, sys.stdout)
