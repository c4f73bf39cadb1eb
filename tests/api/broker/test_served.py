"""`helmbroker api` as a process, over real sockets: raw paths, raw bytes, time."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree
from statistics import median
from typing import Any

import pytest

from tests.api.broker.desk import ASYNC, LOGIN, PROVISION, USER, VERSION
from tests.unit.catalog.folders import write
from tests.unit.runtime.certificates import LOCALHOST, Authority

pytestmark = pytest.mark.processes

BOUND_S = 90
HEADERS = {**VERSION, "Authorization": LOGIN, "Content-Type": "application/json"}
Answer = tuple[int, dict[str, Any]]


class Served:
    """A running broker: its process, its log so far, and its port."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "helmbroker.broker", "api"]
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
        )
        self.log: list[str] = []
        self.port = 0
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._listens.wait(BOUND_S)
        if not self.port:
            self.end(signal.SIGKILL)
            pytest.fail(f"the broker does not listen: {self.log}")

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line)
                if '"listening"' in line:
                    self.port = int(json.loads(line)["port"])
                    self._listens.set()
        self._listens.set()

    def end(self, number: signal.Signals) -> int:
        """Its exit status, when its log is read to the end."""
        self.process.send_signal(number)
        self._reader.join(BOUND_S)
        return self.process.wait(BOUND_S)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND_S)

    def call(self, method: str, target: str, body: bytes | None = None) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, target, body, HEADERS)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def put(self, target: str) -> Answer:
        return self.call("PUT", f"{target}{ASYNC}", json.dumps(PROVISION).encode())

    def raw(self, request: bytes) -> bytes:
        """The status line that comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=BOUND_S) as client:
            client.sendall(request)
            return client.makefile("rb").readline().rstrip()


@pytest.fixture(scope="module")
def served(prepared: Path, shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    data = copytree(prepared, folder / "data")
    (data / "platform-credentials").write_text(":".join(USER))
    settings = {"DATA_DIR": data, "ADDONS_DIR": shelf, "LISTEN": "127.0.0.1:0", "LOG_LEVEL": "debug"}
    environment = {f"HELMBROKER_{name}": str(value) for name, value in settings.items()}
    broker = Served(environment)
    try:
        yield broker
    finally:
        broker.end(signal.SIGKILL)


@pytest.mark.osb(19)
@pytest.mark.bug(2, 88)
@pytest.mark.parametrize(
    "segment",
    ["a%2Fb", "a%252Fb", "%2e%2e", "..", "caf%C3%A9", "x%3Btouch%24%7BIFS%7DPWNED", "a+b", "%25zz", "x" * 255],
)
def test_any_id_is_itself(served: Served, segment: str) -> None:
    target = f"/v2/service_instances/{segment}"
    status, body = served.put(target)
    assert status == 202
    assert served.put(target) == (202, body)
    poll = f"{target}/last_operation?operation={body['operation']}"
    assert served.call("GET", poll) == (200, {"state": "in progress", "description": "waiting for its turn"})


def test_ids_that_a_server_might_decode_are_different(served: Served) -> None:
    operations = {
        served.put(f"/v2/service_instances/{each}")[1]["operation"] for each in ("d%2Fe", "d%252Fe", "d%25252Fe")
    }
    assert len(operations) == 3


@pytest.mark.parametrize("segment", ["%00", "%FF", "%FE", "x" * 256, "%0d%0aX"])
def test_what_is_no_id_is_told(served: Served, segment: str) -> None:
    status, body = served.put(f"/v2/service_instances/{segment}")
    assert (status, body["error"]) == (400, "BadRequest")


HEAD = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://example.com/v2/catalog", b"200 OK"),
        (b"http://[/v2/catalog", b"400 Bad Request"),
        (b"/v2/catalog?a=%zz", b"200 OK"),
        (b"/v2/./catalog", b"404 NOT FOUND"),
        (b"/v2/service_instances/\xc3\xa9", b"400 Bad Request"),
        (b"*", b"400 Bad Request"),
    ],
    ids=str,
)
def test_odd_targets_are_answered(served: Served, target: bytes, status: bytes) -> None:
    request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n" + HEAD.encode() + b"\r\n"
    assert served.raw(request) == b"HTTP/1.1 " + status


def test_a_stranger_is_answered_before_the_body_is_read(served: Served) -> None:
    request = b"PUT /v2/service_instances/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    assert served.raw(request) == b"HTTP/1.1 401 UNAUTHORIZED"


def test_a_body_in_chunks_is_read_and_bounded(served: Served) -> None:
    target = f"/v2/service_instances/chunks{ASYNC}"
    start = f"PUT {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{HEAD}\r\n"
    body = json.dumps(PROVISION).encode()
    assert served.raw(start.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)) == b"HTTP/1.1 202 ACCEPTED"
    assert served.raw(start.encode() + b"zz\r\n") == b"HTTP/1.1 400 BAD REQUEST"
    large = b"%x\r\n%s\r\n" % (1 << 16, b" " * (1 << 16)) * 17 + b"0\r\n\r\n"
    assert served.raw(start.encode() + large) == b"HTTP/1.1 413 REQUEST ENTITY TOO LARGE"


@pytest.mark.bug(7)
def test_many_at_once_are_one_operation(served: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(served.put, ["/v2/service_instances/many"] * 32))
    assert {status for status, _ in answers} == {202}
    assert len({body["operation"] for _, body in answers}) == 1


@pytest.mark.osb(17)
def test_a_provision_is_accepted_at_once(served: Served) -> None:
    """On one connection, each stored before it is answered. The bound holds on a busy machine, too."""
    connection = served.connect()
    took = []
    for number in range(20):
        body = json.dumps({**PROVISION, "space_guid": str(number)}).encode()
        begin = time.perf_counter()
        connection.request("PUT", f"/v2/service_instances/timed-{number}{ASYNC}", body, HEADERS)
        response = connection.getresponse()
        response.read()
        took.append(time.perf_counter() - begin)
        assert response.status == 202
    connection.close()
    assert median(took) < 1


@pytest.mark.osb(1, 2)
def test_a_client_certificate_is_a_login(prepared: Path, shelf: Path, tmp_path: Path) -> None:
    """Over TLS, with no password anywhere: the file of the first login is gone. A faulty addon is told once."""
    addons = copytree(shelf, tmp_path / "addons")
    write(addons / "bad", {"addon.yaml": "{"})
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", [LOCALHOST])
    data = copytree(prepared, tmp_path / "data")
    (data / "platform-credentials").unlink(missing_ok=True)
    settings = {
        "DATA_DIR": data,
        "ADDONS_DIR": addons,
        "LISTEN": "127.0.0.1:0",
        "LOG_LEVEL": "debug",
        "TLS_CERTIFICATE_FILE": certificate,
        "TLS_KEY_FILE": key,
        "TLS_CLIENT_CA_FILE": authority.ca,
        "TLS_CLIENT_SUBJECTS": "CN:platform",
    }
    broker = Served({f"HELMBROKER_{name}": str(value) for name, value in settings.items()})
    try:
        assert catalog_over_tls(broker, authority, "platform") == 200
        assert catalog_over_tls(broker, authority, "another") == 401
        assert catalog_over_tls(broker, authority, None) == 401
    finally:
        broker.end(signal.SIGTERM)
    assert len([line for line in broker.log if "/bad is not offered" in line]) == 1


def catalog_over_tls(broker: Served, authority: Authority, client: str | None) -> int:
    context = ssl.create_default_context(cafile=str(authority.ca))
    if client is not None:
        context.load_cert_chain(*authority.issue(client))
    connection = http.client.HTTPSConnection("localhost", broker.port, timeout=BOUND_S, context=context)
    try:
        connection.request("GET", "/v2/catalog", headers=VERSION)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.bug(51)
def test_it_ends_when_it_is_told_to_and_its_log_holds_no_secret(served: Served) -> None:
    """The last test here: it stops the broker."""
    served.put("/v2/service_instances/logged")
    assert served.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in served.log]
    assert any(line["event"] == "request" and line.get("path") == "/v2/service_instances/logged" for line in lines)
    assert [line for line in lines if line["level"] == "error"] == []
    assert "canary" not in "".join(served.log)
    assert LOGIN.removeprefix("Basic ") not in "".join(served.log)
