"""The second tutorial's API: Flask, PyJWT and Flask-Cors, a decorator, one protected route.

Written anew, with the three corrections without which it does not work or must not be used: parentheses where
something is called, app.run after the last route, and a secret of 32 bytes that is not in the source.
"""
import datetime
import functools
import os

import jwt
from flask import Flask, jsonify, request
from flask_cors import CORS

app = Flask(__name__)
CORS(app)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]

users = {"user1": "password123"}


def token_required(f):
    @functools.wraps(f)
    def decorated(*args, **kwargs):
        token = request.headers.get("x-access-token")
        if not token:
            return jsonify({"message": "Token is missing!"}), 403
        try:
            jwt.decode(token, app.config["SECRET_KEY"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return jsonify({"message": "Token is invalid!"}), 403
        return f(*args, **kwargs)

    return decorated


@app.route("/login", methods=["POST"])
def login():
    auth = request.get_json()
    if auth and auth["username"] in users and users[auth["username"]] == auth["password"]:
        expires = datetime.datetime.utcnow() + datetime.timedelta(hours=1)
        token = jwt.encode({"user": auth["username"], "exp": expires}, app.config["SECRET_KEY"], algorithm="HS256")
        return jsonify({"token": token})
    return jsonify({"message": "Could not verify!"}), 401


@app.route("/protected", methods=["GET"])
@token_required
def protected():
    return jsonify({"message": "This is a protected route."})


if __name__ == "__main__":
    app.run()
