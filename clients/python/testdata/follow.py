"""Answers, for each number on a line, what the verifier with that feed, or with that key set, says of the one token."""

import json
import logging
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import doorward  # noqa: E402

logging.disable(logging.CRITICAL)
asked = json.loads(sys.stdin.readline())


def verifier(number):
    if "feed" in asked:
        return doorward.Verifier(
            asked["issuer"], audience=asked["audience"], keys_url=asked["keys"], revocations_url=f"{asked['feed']}/{number}",
            client_id="dwc_a", client_secret="dws_b", pace=0.02)
    doorward.COOL_DOWN = 0.1
    doorward.TIMEOUT = asked.get("timeout", doorward.TIMEOUT)
    return doorward.Verifier(
        asked["issuer"], audience=asked["audience"], keys_url=f"{asked['keys']}/{number}", revocations=doorward.NoRevocations())


verifiers = [verifier(number) for number in range(asked["count"])]
for line in sys.stdin:
    try:
        verifiers[int(line)].authenticate(["Bearer " + asked["token"]], within=asked.get("within"))
        print("", flush=True)
    except doorward.Refused as refused:
        print(refused.status, refused.description, flush=True)
