#!/usr/bin/env python3
"""A client of Doorward for a device that loses answers: a phone in a tunnel, a sensor on a bad line.

    device.py login NAME < password    begin a session, kept in a file
    device.py get /me                  call the API; the access token is renewed when it is due
    device.py refresh                  renew it now
    device.py logout                   end the session

Three rules keep such a client logged in. A refresh token is on the disk before it is used. A refresh whose answer did not
come is asked for again with the same token. After invalid_grant there is nothing to ask for: somebody has to log in.
"""

import argparse
import json
import os
import random
import sys
import time

import requests

MARGIN = 10  # seconds before its end at which an access token is not sent any more
PATIENCE = 120  # seconds for which one thing is tried
UNANSWERED = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class LoggedOut(Exception):
    """There is no session any more. The text is the reason, as Doorward names it."""


class Refused(Exception):
    """Doorward did not do it. The session is as it was."""


class Unreachable(Exception):
    """No answer came for PATIENCE seconds. The session is as it was."""


class Device:
    """One session with Doorward, kept in one file."""

    def __init__(self, server, file, timeout=10):
        self.server, self.file, self.timeout = server.rstrip("/"), file, timeout
        self.http = requests.Session()
        self.http.trust_env = False  # no password from .netrc in the place of the token
        try:
            with open(file, encoding="utf-8") as stored:
                self.tokens = json.load(stored)
        except FileNotFoundError:
            self.tokens = None

    def login(self, username, password):
        """Begins a session. If answers are lost it may begin two; the one that nobody holds lapses."""
        answer = self._insist("POST", "/login", json={"username": username, "password": password})
        if answer.status_code != 200:
            raise Refused(told(answer, "error_description"))
        self._keep(answer.json())

    def get(self, path):
        """Calls the API. A token that is refused all the same is renewed once."""
        if self._session()["expires"] - time.time() < MARGIN:
            self.refresh()
        answer = self._authorized(path)
        if answer.status_code == 401:
            self.refresh()
            answer = self._authorized(path)
        return answer

    def refresh(self):
        """Renews the access token. The same token is sent until an answer comes."""
        answer = self._insist("POST", "/refresh", json={"refresh_token": self._session()["refresh_token"]})
        if told(answer, "error") == "invalid_grant":
            self._forget()
            raise LoggedOut(told(answer, "reason") or "invalid_grant")
        if answer.status_code != 200:
            raise Refused(told(answer, "error_description"))
        self._keep(answer.json())

    def logout(self):
        """Ends the session on the server, then here."""
        answer = self._insist("POST", "/logout", json={"refresh_token": self._session()["refresh_token"]})
        if answer.status_code != 204 and told(answer, "error") != "invalid_grant":
            raise Refused(told(answer, "error_description"))
        self._forget()

    def _session(self):
        if self.tokens is None:
            raise LoggedOut("nobody has logged in")
        return self.tokens

    def _authorized(self, path):
        return self._insist("GET", path, headers={"Authorization": "Bearer " + self.tokens["access_token"]})

    def _insist(self, method, path, **request):
        """Sends a request until it is answered with something else than "later"."""
        begun, wait = time.monotonic(), 0.5
        while True:
            answer = self._ask(method, path, **request)
            if answer is not None and answer.status_code != 429 and answer.status_code < 500:
                return answer
            trouble = "no answer" if answer is None else f"status {answer.status_code}"
            pause = max(retry_after(answer), wait * random.uniform(0.5, 1.5))
            if time.monotonic() - begun + pause > PATIENCE:
                raise Unreachable(trouble)
            print(f"{path}: {trouble}; asking again in {pause:.1f} s", file=sys.stderr)
            time.sleep(pause)
            wait = min(2 * wait, 30)

    def _ask(self, method, path, **request):
        """One request; None if no whole answer of Doorward's came. That a body was cut off, requests does not say."""
        try:
            answer = self.http.request(
                method, self.server + path, timeout=self.timeout, allow_redirects=False, **request)
        except UNANSWERED:
            return None
        if answer.raw.tell() < int(answer.headers.get("Content-Length", 0)):
            return None
        if method == "POST" and answer.status_code == 200 and not told(answer, "refresh_token"):
            return None  # the login page of a hotel's network
        return answer

    def _keep(self, answer):
        """Writes the tokens so that after a crash the file holds either the old ones or the new ones."""
        self.tokens = {
            "refresh_token": answer["refresh_token"],
            "access_token": answer["access_token"],
            "expires": time.time() + answer["expires_in"],
        }
        beside = self.file + ".new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stored:
            json.dump(self.tokens, stored)
            stored.flush()
            os.fsync(stored.fileno())
        os.replace(beside, self.file)
        folder = os.open(os.path.dirname(os.path.abspath(self.file)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _forget(self):
        self.tokens = None
        os.remove(self.file)


def told(answer, member):
    """A member of an answer, "" if it has none: something on the way may have answered instead."""
    try:
        return answer.json().get(member, "")
    except (ValueError, AttributeError):
        return ""


def retry_after(answer):
    """The seconds that the server asks for."""
    text = answer.headers.get("Retry-After", "") if answer is not None else ""
    return int(text) if text.isdecimal() else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--file", default="session.json")
    parser.add_argument("command", choices=["login", "get", "refresh", "logout"])
    parser.add_argument("argument", nargs="?", help="the user name, or the path")
    args = parser.parse_args()
    device = Device(args.server, args.file)
    try:
        if args.command == "login":
            device.login(args.argument, sys.stdin.readline().rstrip("\n"))
            print("logged in")
        elif args.command == "get":
            print(device.get(args.argument).text)
        elif args.command == "refresh":
            device.refresh()
            print("refreshed")
        else:
            device.logout()
            print("logged out")
    except LoggedOut as reason:
        sys.exit(f"logged out: {reason}")
    except (Refused, Unreachable) as trouble:
        sys.exit(f"not done: {trouble}")


if __name__ == "__main__":
    main()
