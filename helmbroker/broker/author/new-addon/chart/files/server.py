"""Notes, for users with a password. Put your own service in its place."""

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USERS, NOTES = Path("/data/users.json"), Path("/data/notes")
ADMIN = Path("/admin/password").read_text()


def digest(password):
    return hashlib.sha256(password.encode()).hexdigest()


def users():
    return json.loads(USERS.read_text()) if USERS.exists() else {}


def keep(path, text):
    """Whole or not at all, also when the power fails."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, os.environ["GREETING"])
        elif self.path == "/notes" and self.allowed():
            self.answer(200, NOTES.read_text() if NOTES.exists() else "")

    def do_PUT(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/notes" and self.allowed():
            keep(NOTES, content)
            self.answer(200)
        elif self.path.startswith("/users/") and self.allowed(admin=True):
            keep(USERS, json.dumps(users() | {self.path[7:]: digest(content)}))
            self.answer(200)

    def do_DELETE(self):
        if self.path.startswith("/users/") and self.allowed(admin=True):
            keep(USERS, json.dumps({name: each for name, each in users().items() if name != self.path[7:]}))
            self.answer(200)

    def allowed(self, admin=False):
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        name, _, password = base64.b64decode(given).decode().partition(":")
        wanted = digest(ADMIN) if admin else users().get(name, "")
        if (not admin or name == "admin") and hmac.compare_digest(digest(password), wanted):
            return True
        self.answer(401)
        return False

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Who asks for what is not logged."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
