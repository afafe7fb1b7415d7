"""The second tutorial's app: PyJWT, a decorator of its own and Flask-Cors.

Written anew with the corrections without which it does not run or cannot be safe: app.run comes last, and the
secret has 32 bytes and is not in the source.
"""
import datetime
import functools
import os

import jwt
from flask import Flask, jsonify, request
from flask_cors import CORS

app = Flask(__name__)
CORS(app)
with open(os.environ.get("SECRET_FILE", "app-secret")) as file:
    app.config["SECRET_KEY"] = file.read().strip()

users = {"user1": "password123"}


def token_required(f):
    @functools.wraps(f)
    def decorated(*args, **kwargs):
        token = request.headers.get("x-access-token")
        if not token:
            return jsonify({"message": "Token is missing!"}), 403
        try:
            data = jwt.decode(token, app.config["SECRET_KEY"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return jsonify({"message": "Token is invalid!"}), 403
        return f(data["user"], *args, **kwargs)

    return decorated


@app.route("/")
def home():
    return jsonify({"message": "Welcome to the home page!"})


@app.route("/login", methods=["POST"])
def login():
    auth = request.get_json()
    if users.get(auth.get("username")) != auth.get("password"):
        return jsonify({"message": "Invalid credentials!"}), 401
    expires = datetime.datetime.utcnow() + datetime.timedelta(minutes=30)
    token = jwt.encode({"user": auth["username"], "exp": expires}, app.config["SECRET_KEY"], algorithm="HS256")
    return jsonify({"token": token})


@app.route("/protected")
@token_required
def protected(user):
    return jsonify({"message": "This is a protected route!", "user": user})


@app.route("/users")
def everybody():
    return jsonify(users)  # with their passwords; nobody thought of the decorator here


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
