"""Real servers on loopback: the reference implementation of an OCI registry, and git's own HTTP backend."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox import binary
from sandbox.cache import Cache, digest, tree
from sandbox.settings import Settings
from tests.ports import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SOURCE = Path(__file__).parent / "registry"
BOUND_S = 90.0
ISSUER = "tokens.example"
# bcrypt of "secret"
PASSWORDS = "alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


def registry_program() -> Path:
    """The registry, built once from its Go module."""

    def build(folder: Path) -> None:
        command = [binary.go_command(), "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w"]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        built = subprocess.run(
            [*command, "-o", str(folder / "registry"), "."],
            cwd=SOURCE,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr

    cache = Cache(Settings.from_environment(os.environ).cache, lambda _text: None)
    return cache.ensure("test-registry", digest(tree(SOURCE)), build) / "registry"


@contextmanager
def registry(
    folder: Path,
    *,
    tls: tuple[Path, Path] | None = None,
    htpasswd: Path | None = None,
    tokens: Tokens | None = None,
) -> Iterator[str]:
    """A registry that forgets everything at its end; its host:port. tls: certificate and key.

    tokens: who gives the tokens that it asks for.
    """
    port = free_port()
    lines = ["version: 0.1", "log: {level: error}", "storage: {inmemory: {}}", "http:", f"  addr: 127.0.0.1:{port}"]
    if tls is not None:
        lines.append(f"  tls: {{certificate: {tls[0]}, key: {tls[1]}}}")
    if htpasswd is not None:
        lines += ["auth:", f"  htpasswd: {{realm: tests, path: {htpasswd}}}"]
    if tokens is not None:
        (folder / "jwks.json").write_text(tokens.keys())
        given = f"realm: {tokens.realm}, service: tests, issuer: {ISSUER}, jwks: {folder}/jwks.json"
        lines += ["auth:", f"  token: {{{given}}}"]
    (folder / "registry.yaml").write_text("\n".join(lines) + "\n")
    command = [str(registry_program()), "serve", str(folder / "registry.yaml")]
    environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(lambda: _listens(port), process)
        yield f"{'localhost' if tls else '127.0.0.1'}:{port}"
    finally:
        process.kill()
        process.wait(BOUND_S)


class Tokens:
    """Gives tokens for a registry, as the distribution specification's token authentication has it.

    Everybody may pull, and who logs in with `login` (user:password) may push. `realm`: its URL, where it is served.
    name: of the token in what it answers. asked: scopes, and whether with a login. lives_s: of a token.
    """

    def __init__(self, login: str = "alice:secret") -> None:
        self._login = f"Basic {base64.b64encode(login.encode()).decode()}"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.realm, self.name, self.lives_s = "", "token", 300
        self.asked: list[tuple[str, bool]] = []

    def keys(self) -> str:
        """What verifies the tokens, as a JSON Web Key Set."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": "1", "alg": "ES256", "use": "sig"}]})

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        given = parse_qs(environ["QUERY_STRING"])
        scope, login = given["scope"][0], environ.get("HTTP_AUTHORIZATION")
        self.asked.append((scope, login is not None))
        if given["service"] != ["tests"] or login not in (None, self._login):
            start("401 Unauthorized", [])
            return [b""]
        kind, name, actions = scope.split(":")
        allowed = [each for each in actions.split(",") if each == "pull" or login is not None]
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "tests", "sub": "", "nbf": now - 600, "exp": now + self.lives_s}
        access = [{"type": kind, "name": name, "actions": allowed}]
        token = jwt.encode({**claims, "access": access}, self._key, algorithm="ES256", headers={"kid": "1"})
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({self.name: token}).encode()]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _await(fact: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Without sleeping: the process is waited for, and is not to end."""
    end = time.monotonic() + BOUND_S
    while not fact():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < end, "it does not listen"
        else:
            pytest.fail(f"it ended with status {process.returncode}")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's word
        """Nobody reads it."""


@contextmanager
def served(app: WSGIApplication, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """A WSGI application; its URL."""
    server = make_server("127.0.0.1", 0, app, _Server, _Quiet)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, tls))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        yield f"{scheme}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(BOUND_S)
        server.server_close()


def git_app(root: Path, login: str | None = None) -> WSGIApplication:
    """`git http-backend` over the repositories below `root`; for `login` (user:password) alone, if there is one."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        wanted = None if login is None else f"Basic {base64.b64encode(login.encode()).decode()}"
        if wanted is not None and environ.get("HTTP_AUTHORIZATION") != wanted:
            start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="tests"')])
            return [b""]
        size = int(environ.get("CONTENT_LENGTH") or 0)
        ran = subprocess.run(
            ["git", "http-backend"],
            input=environ["wsgi.input"].read(size),
            env=_cgi(environ, root),
            capture_output=True,
            check=False,
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start(status, [(name, value) for name, value in headers if name != "Status"])
        return [body]

    return app


def _cgi(environ: Mapping[str, object], root: Path) -> dict[str, str]:
    passed = ("PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH")
    given = {name: str(environ.get(name) or "") for name in passed}
    given |= {"GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH": os.environ["PATH"]}
    encoding, protocol = environ.get("HTTP_CONTENT_ENCODING"), environ.get("HTTP_GIT_PROTOCOL")
    given |= {"HTTP_CONTENT_ENCODING": str(encoding)} if encoding else {}
    return given | ({"GIT_PROTOCOL": str(protocol)} if protocol else {})


class Repository:
    """A git repository to commit to, and its bare copy that is served."""

    def __init__(self, root: Path, name: str = "addons") -> None:
        self.folder, self.bare = root / f"{name}-work", root / f"{name}.git"
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        subprocess.run(["git", "init", "--quiet", "--bare", str(self.bare)], check=True, env=self._environment())

    def commit(self, tag: str | None = None) -> str:
        """Everything that is in the folder now; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        if tag is not None:
            self.git("tag", "--force", "--annotate", "--message", "x", tag)
        self.git("push", "--quiet", "--force", "--tags", str(self.bare), "main")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        ran = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.strip()

    def _environment(self) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": "tests" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), "GIT_CONFIG_NOSYSTEM": "1", **who}
