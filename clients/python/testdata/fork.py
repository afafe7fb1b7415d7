"""Checks a token, becomes what a child of uWSGI is, and prints what is said of the token as soon as it is refused."""

import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import doorward  # noqa: E402

asked = json.load(sys.stdin)


class Brief(doorward._Worker):
    """Takes one turn."""

    def _run(self, owner):
        turns = [None, owner()]
        self.wake.set()
        super()._run(turns.pop)


tokens = doorward.Verifier(
    asked["issuer"], audience=asked["audience"], keys_url=asked["keys"], revocations_url=f"{asked['feed']}/0",
    client_id="dwc_a", client_secret="dws_b", pace=0.02, max_staleness=1)
worker, doorward._Worker = doorward._Worker, Brief
tokens.verify(asked["token"])
# A real fork by C may now and then lock up Python itself. What a child sees of it: no threads, and another number.
for thread in threading.enumerate():
    if thread.name == "doorward":
        thread.join()
doorward._Worker = worker
parent = os.getpid()
os.getpid = lambda: parent + 1
while True:
    try:
        tokens.verify(asked["token"])
        time.sleep(0.01)
    except doorward.Refused as refused:
        print(refused.status, refused.description)
        break
