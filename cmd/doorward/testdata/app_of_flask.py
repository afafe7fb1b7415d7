"""Makes app.db in the working folder as a Flask app would: ada with a PBKDF2 hash, bob as a tutorial of 2018 had it.
With a number there are that many further users, and eve, whose hash costs too much, and mallory, who has none."""
import os
import sys
import warnings

warnings.simplefilter("ignore")  # of the methods that a later version drops
from flask import Flask  # noqa: E402
from flask_sqlalchemy import SQLAlchemy  # noqa: E402
from werkzeug.security import generate_password_hash  # noqa: E402

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///" + os.path.abspath("app.db")
db = SQLAlchemy(app)


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True)
    password_hash = db.Column(db.String(256))
    role = db.Column(db.String(20))


with app.app_context():
    db.create_all()
    rows = [
        ("ada", generate_password_hash("ada's old password", "pbkdf2:sha256:5000"), "editor"),
        ("Zażółć", generate_password_hash("hasło żółwia", "pbkdf2:sha256:5000"), "editor"),
        ("bob", generate_password_hash("bob's old password", "sha256"), ""),
    ]
    more = int(sys.argv[1]) if sys.argv[1:] else 0
    bad = [
        ("eve", "pbkdf2:sha256:100000000$salt$" + 64 * "a", ""),
        ("mallory", "mallory's old password", ""),
    ]
    rows += (bad if more else []) + [(f"user{i}", rows[0][1], "reader") for i in range(more)]
    db.session.execute(db.insert(User), [dict(username=u, password_hash=h, role=r) for u, h, r in rows])
    db.session.commit()
