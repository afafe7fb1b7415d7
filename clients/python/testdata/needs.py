"""Prints, for each line, what Python says of it, or an empty line."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import doorward  # noqa: E402

tokens = doorward.Verifier("https://auth.example.com", audience="orders", revocations=doorward.NoRevocations())
for line in sys.stdin:
    try:
        eval(line)
        print()
    except Exception as error:
        print(type(error).__name__, error)
