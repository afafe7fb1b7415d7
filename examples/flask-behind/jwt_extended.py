"""What first.py uses of Flask-JWT-Extended, for machines without it: the same names, the same demands on a token."""
import datetime
import functools
import uuid

import jwt
from flask import current_app, g, jsonify, request


class JWTManager:
    def __init__(self, app):
        if not app.config.get("JWT_SECRET_KEY"):
            raise RuntimeError("JWT_SECRET_KEY is not set")


def create_access_token(identity):
    now = datetime.datetime.now(datetime.timezone.utc)
    claims = {
        "fresh": False, "iat": now, "jti": str(uuid.uuid4()), "type": "access", "sub": identity,
        "nbf": now, "exp": now + datetime.timedelta(minutes=15),
    }
    return jwt.encode(claims, current_app.config["JWT_SECRET_KEY"], algorithm="HS256")


def jwt_required():
    def wrapper(f):
        @functools.wraps(f)
        def decorated(*args, **kwargs):
            parts = request.headers.get("Authorization", "").split()
            if len(parts) != 2 or parts[0] != "Bearer":
                return jsonify(msg="Missing Authorization Header"), 401
            try:
                claims = jwt.decode(
                    parts[1], current_app.config["JWT_SECRET_KEY"], algorithms=["HS256"],
                    options={"require": ["exp", "sub", "jti", "type"]})
            except jwt.ExpiredSignatureError:
                return jsonify(msg="Token has expired"), 401
            except jwt.InvalidTokenError as error:
                return jsonify(msg=str(error)), 422
            if claims["type"] != "access":
                return jsonify(msg="Only non-refresh tokens are allowed"), 422
            g.jwt_identity = claims["sub"]
            return f(*args, **kwargs)

        return decorated

    return wrapper


def get_jwt_identity():
    return g.jwt_identity
