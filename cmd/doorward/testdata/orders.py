"""A service that checks tokens with doorward.py in each of its three ways. Prints its address when it listens."""

import asyncio
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "clients" / "python"))
import doorward  # noqa: E402
from flask import Flask  # noqa: E402
from werkzeug.middleware.dispatcher import DispatcherMiddleware  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

if "BEHIND" in os.environ:
    tokens = doorward.Assertions(os.environ["ISSUER"], audience="orders")
else:
    tokens = doorward.Verifier(
        os.environ["ISSUER"], audience="orders", client_id=os.environ["CLIENT_ID"], client_secret=os.environ["CLIENT_SECRET"],
        pace=0.1, max_staleness=1)
app = Flask(__name__)


@app.get("/orders")
@tokens.require()
def orders():
    return {"subject": doorward.claims().subject, "username": doorward.claims().username}


@app.get("/greeting")
@tokens.require(optional=True)
def greeting():
    return {"hello": doorward.claims().username if doorward.claims() else "stranger"}


@app.get("/around")
@tokens.require()
def around():
    app.test_client().get("/greeting")  # by nobody
    return {"username": doorward.claims().username}


@app.delete("/orders")
@tokens.require(role=["owner", "editor"])
def clear():
    return {}


@app.get("/ledger")
@tokens.require(scope="ledger:read")
def ledger():
    return {}


@app.post("/refund")
@tokens.require(within=3600)
def refund():
    return {}


@app.post("/transfer")
@tokens.require(within=-1)
def transfer():
    return {}


def inner(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["doorward.claims"].username.encode()]


async def asgi_inner(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["doorward.claims"].username.encode()})


def bridge(environ, start_response):
    """Runs the ASGI application for one WSGI request."""
    headers = [(b"authorization", environ["HTTP_AUTHORIZATION"].encode())] if "HTTP_AUTHORIZATION" in environ else []
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(doorward.ASGI(asgi_inner, tokens)({"type": "http", "headers": headers}, None, send))
    start_response(f"{sent[0]['status']} -", [(name.decode(), value.decode()) for name, value in sent[0]["headers"]])
    return [sent[1]["body"]]


app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/wsgi": doorward.WSGI(inner, tokens), "/asgi": bridge})

if "WARM" in os.environ:  # before workers are forked: they must not inherit what only the parent's threads keep fresh
    try:
        tokens.verify("not a token")
    except doorward.Refused:
        pass

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
