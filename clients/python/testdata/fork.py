"""Checks a token, forks, and prints what the child says of the token as soon as it refuses it."""

import ctypes
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import doorward  # noqa: E402

asked = json.load(sys.stdin)
tokens = doorward.Verifier(
    asked["issuer"], audience=asked["audience"], keys_url=asked["keys"], revocations_url=f"{asked['feed']}/0",
    client_id="dwc_a", client_secret="dws_b", pace=0.02, max_staleness=1)
tokens.verify(asked["token"])
fork = {"os": os.fork, "C": ctypes.PyDLL(None).fork}[asked["fork"]]
if fork() == 0:
    while True:
        try:
            tokens.verify(asked["token"])
            time.sleep(0.01)
        except doorward.Refused as refused:
            print(refused.status, refused.description, flush=True)
            os._exit(0)
os.wait()
