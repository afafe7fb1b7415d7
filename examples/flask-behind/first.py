"""The first tutorial's app: one route that Flask-JWT-Extended protects, and one that was forgotten.

Written anew with the three corrections without which it does not run or cannot be safe: jwt_required has
its parentheses, app.run comes last, and the secret has 32 bytes and is not in the source.
"""
import os

from flask import Flask, jsonify, request

try:
    from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
except ImportError:  # Debian has no package of it.
    from jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
with open(os.environ.get("SECRET_FILE", "app-secret")) as file:
    app.config["JWT_SECRET_KEY"] = file.read().strip()
jwt = JWTManager(app)


@app.route("/login", methods=["POST"])
def login():
    username = request.json.get("username")
    if username != "test" or request.json.get("password") != "test":
        return jsonify({"msg": "Bad username or password"}), 401
    return jsonify(access_token=create_access_token(identity=username))


@app.route("/protected", methods=["GET"])
@jwt_required()
def protected():
    return jsonify(message="This is a protected endpoint.", logged_in_as=get_jwt_identity())


@app.route("/report")
def report():
    return jsonify(report="everything, to everybody: nobody thought of a decorator here")


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
