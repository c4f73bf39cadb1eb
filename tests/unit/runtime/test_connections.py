"""The web server, odd clients and TLS: bounded time, JSON for everything, certificates of both sides."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.unit.runtime.certificates import LOCALHOST, Authority
from tests.unit.runtime.processes import BOUND_S, program, read_line

pytestmark = pytest.mark.processes

SERVER = """
import json, sys
from pathlib import Path
from helmbroker.runtime import logs, serve
from helmbroker.runtime.listening import PEER_CERTIFICATE, Tls

def app(environ, start_response):
    try:
        said = {"body": len(environ["wsgi.input"].read()), "peer": environ.get(PEER_CERTIFICATE)}
    except OSError as error:
        said = {"error": type(error).__name__}
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

def make_app():
    print("ready", flush=True)
    return app

request_s, *files = sys.argv[1:]
tls = Tls(*map(Path, files[:3]), client_required=len(files) > 3) if files else None
logs.configure(service="test")
serve.serve(make_app, host="127.0.0.1", port=0, grace_s=5, tls=tls, threads=2, request_s=float(request_s))
"""


class Server:
    """A running server and calls to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.errors = ""

    def raw(self, data: bytes) -> tuple[int, dict[str, str], Any]:
        """What comes back for these bytes: status, headers, body as JSON."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=BOUND_S) as client:
            client.sendall(data)
            return answer(client)

    def https(self, ca: Path, certificate: tuple[Path, Path] | None = None) -> Any:
        context = ssl.create_default_context(cafile=str(ca))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=BOUND_S, context=context)
        try:
            connection.request("POST", "/", b"x" * 100_000)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def answer(client: socket.socket) -> tuple[int, dict[str, str], Any]:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, json.load(response)


@contextmanager
def running(*files: Path | str, request_s: float = 20) -> Iterator[Server]:
    with program(SERVER, str(request_s), *map(str, files)) as process:
        assert process.stderr is not None
        port = json.loads(process.stderr.readline())["port"]
        assert read_line(process) == "ready"
        server = Server(port)
        yield server
        process.send_signal(signal.SIGTERM)
        _, server.errors = process.communicate(timeout=BOUND_S)
        assert process.returncode == 0, server.errors


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    with running() as server:
        yield server


LINE = b"GET / HTTP/1.1\r\nHost: x\r\n"
BROKEN = {
    "a long target": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "URITooLong"),
    "many headers": (LINE + b"a: b\r\n" * 100 + b"\r\n", 431, "RequestHeaderFieldsTooLarge"),
    "a large header": (LINE + b"a: " + b"b" * 20_000 + b"\r\n\r\n", 431, "RequestHeaderFieldsTooLarge"),
    "large headers": (LINE + (b"a: " + b"b" * 16_000 + b"\r\n") * 90, 431, "RequestHeaderFieldsTooLarge"),
    "no HTTP": (b"hello\r\n\r\n", 400, "BadRequest"),
    "TLS": (b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03\r\n\r\n", 400, "BadRequest"),
    "no version": (b"GET / HTTP/9.9\r\n\r\n", 400, "BadRequest"),
    "a header without a name": (LINE + b": x\r\n\r\n", 400, "BadRequest"),
    "a folded header": (LINE + b"a: b\r\n c\r\n\r\n", 400, "BadRequest"),
    "two lengths": (LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "BadRequest"),
    "a negative length": (LINE + b"Content-Length: -1\r\n\r\n", 400, "BadRequest"),
    "an unknown coding": (LINE + b"Transfer-Encoding: gzip\r\n\r\n", 400, "BadRequest"),
    "an expectation": (LINE + b"Expect: magic\r\n\r\n", 417, "ExpectationFailed"),
}


@pytest.mark.osb(10, 21)
@pytest.mark.parametrize("name", BROKEN)
def test_what_never_reaches_the_application_is_refused_in_json(plain: Server, name: str) -> None:
    request, status, word = BROKEN[name]
    got, headers, body = plain.raw(request)
    assert (got, body["error"]) == (status, word)
    assert body["description"]
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"


def test_a_malformed_chunk_is_an_error_of_the_connection(plain: Server) -> None:
    request = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert plain.raw(request)[2] == {"error": "OSError"}


def test_slow_clients_hold_no_thread_for_ever() -> None:
    """Two threads, and two clients that send a byte now and then: a third one is served when their time is over."""
    with running(request_s=2.0) as server:
        address = ("127.0.0.1", server.port)
        header, body = (socket.create_connection(address, timeout=BOUND_S) for _ in range(2))
        header.sendall(b"GET / HTTP/1.1\r\nHo")
        body.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        begin = time.monotonic()
        for _ in range(5):  # each byte alone would come in time
            for client in (header, body):
                client.sendall(b"s")
            assert plain_get(server) == {"body": 0, "peer": None}
            if time.monotonic() - begin > 1.0:
                break
        status, headers, said = answer(header)
        assert (status, said["error"], headers["connection"]) == (408, "RequestTimeout", "close")
        assert answer(body)[2] == {"error": "TimeoutError"}
        assert time.monotonic() - begin < BOUND_S / 2
        header.close()
        body.close()
    assert '"level":"error"' not in server.errors


def plain_get(server: Server) -> Any:
    return server.raw(LINE + b"Connection: close\r\n\r\n")[2]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[Server]:
    with running(*authority.issue("server", [LOCALHOST]), authority.ca) as server:
        yield server


@pytest.mark.osb(2)
def test_tls_serves_bodies_and_needs_no_client_certificate(secured: Server, authority: Authority) -> None:
    assert secured.https(authority.ca) == {"body": 100_000, "peer": None}


def test_the_subject_of_a_client_reaches_the_application(secured: Server, authority: Authority) -> None:
    spiffe = x509.UniformResourceIdentifier("spiffe://cluster/ns/platform")
    peer = secured.https(authority.ca, authority.issue("platform", [spiffe]))["peer"]
    assert peer["subject"] == [[["commonName", "platform"]]]
    assert peer["subjectAltName"] == [["URI", "spiffe://cluster/ns/platform"]]


def test_a_client_of_another_authority_is_no_client(secured: Server, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("platform")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secured.https(authority.ca, stranger)


def test_old_versions_of_tls_are_refused(secured: Server, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", secured.port), timeout=BOUND_S) as client,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(client, server_hostname="localhost")


def test_plain_http_to_a_tls_port_gets_no_answer(secured: Server) -> None:
    with socket.create_connection(("127.0.0.1", secured.port), timeout=BOUND_S) as client:
        client.sendall(LINE + b"\r\n")
        try:
            assert b"200" not in client.recv(100)
        except ConnectionError:
            """Also no answer."""


def test_a_client_certificate_can_be_demanded(authority: Authority) -> None:
    with running(*authority.issue("strict", [LOCALHOST]), authority.ca, "required") as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.https(authority.ca)
        assert server.https(authority.ca, authority.issue("platform"))["body"] == 100_000


def test_a_stalled_handshake_ends(authority: Authority) -> None:
    with running(*authority.issue("patient", [LOCALHOST]), authority.ca, request_s=2.0) as server:
        stalled = [socket.create_connection(("127.0.0.1", server.port), timeout=BOUND_S) for _ in range(2)]
        for client in stalled:
            client.sendall(b"\x16")
        assert server.https(authority.ca)["body"] == 100_000
        for client in stalled:
            client.close()
    assert '"level":"error"' not in server.errors


def test_renewed_certificates_are_shown_at_once(authority: Authority) -> None:
    files = authority.issue("renewed", [LOCALHOST])
    with running(*files, authority.ca) as server:

        def serial() -> str:
            context = ssl.create_default_context(cafile=str(authority.ca))
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=BOUND_S) as client,
                context.wrap_socket(client, server_hostname="localhost") as wrapped,
            ):
                certificate = wrapped.getpeercert()
                assert certificate is not None
                return str(certificate["serialNumber"])

        first = serial()
        authority.issue("renewed", [LOCALHOST])
        second = serial()
        assert second != first
        files[0].write_text("half of a file")
        assert serial() == second
        authority.issue("renewed", [LOCALHOST])
        assert serial() not in (first, second)
    assert "the certificate cannot be read again" in server.errors


@pytest.mark.parametrize("fault", ["missing", "no PEM", "not together"])
def test_a_certificate_that_cannot_be_used_is_one_sentence(authority: Authority, fault: str) -> None:
    certificate, key = authority.issue(fault)
    match fault:
        case "missing":
            certificate.unlink()
        case "no PEM":
            key.write_text("x")
        case "not together":
            key = authority.issue("another")[1]
    with program(SERVER, "20", str(certificate), str(key)) as process:
        _, errors = process.communicate(timeout=BOUND_S)
    assert process.returncode == 1
    assert errors.startswith(f"Cannot serve TLS with {certificate} and {key}: ")
    assert len(errors.splitlines()) == 1
