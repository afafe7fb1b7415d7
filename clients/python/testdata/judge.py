"""Reads tokens as JSON and prints what doorward.py tells an outsider of each; "" for a good one."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import doorward  # noqa: E402

asked = json.load(sys.stdin)
if asked["assertions"]:
    tokens = doorward.Assertions(asked["issuer"], audience=asked["audience"], keys_url=asked["keys"])
else:
    tokens = doorward.Verifier(
        asked["issuer"], audience=asked["audience"], revocations=doorward.NoRevocations(), keys_url=asked["keys"])


def judge(token):
    try:
        tokens.verify(token)
    except doorward.Refused as refused:
        return [refused.status, refused.description, str(refused)]
    return [200, "", ""]


json.dump([judge(token) for token in asked["tokens"]], sys.stdout)
