"""The probes of a worker: what they say, and that they are answered."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.database import connect, reader
from helmbroker.database.pulse import Pulse
from helmbroker.kubeapi.errors import KubeError, Unreachable
from helmbroker.runtime import probes as served
from helmbroker.status import health
from helmbroker.status.health import FROZEN_S, UNANSWERED_S
from tests.fakes.kube import FakeKube


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Patient:
    """A worker's parts, as a test turns them."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.kube = Clock(), VersionedKube()
        self.helm: str | None = None
        self.engine = connect(f"sqlite:///{folder / 'a.db'}")
        self.pulse = Pulse(self.engine, self.clock)
        self.answers = health.worker_probes(self.pulse, lambda: self.helm, health.cluster(self.kube))


class VersionedKube(FakeKube):
    error: KubeError | None = None
    asked = 0

    def server_version(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return "v1.36.0"


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    made = Patient(tmp_path)
    yield made
    made.engine.dispose()


def test_who_works_is_live_and_ready(patient: Patient) -> None:
    assert [patient.answers[path]() for path in ("/healthz", "/readyz")] == [None, None]


@pytest.mark.parametrize("read", [True, False])
def test_every_statement_is_a_beat(patient: Patient, read: bool) -> None:
    patient.clock.now += FROZEN_S + 1
    assert str(patient.answers["/healthz"]()).startswith("nothing was asked of the database for 61 s")
    engine = reader(patient.engine) if read else patient.engine
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT 1"))
    assert patient.answers["/healthz"]() is None
    assert patient.answers["/readyz"]() is None


def test_a_database_that_is_away_ends_no_worker(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "a.db").unlink(missing_ok=True)
    (tmp_path / "a.db").mkdir()
    patient.clock.now += FROZEN_S + 1
    with pytest.raises(sa.exc.OperationalError), patient.engine.connect():
        pass
    assert patient.answers["/healthz"]() is None
    assert patient.answers["/readyz"]() == "the database has not answered for 61 s"


def test_what_a_worker_needs_beside_the_database(patient: Patient) -> None:
    patient.clock.now += UNANSWERED_S
    patient.kube.error = Unreachable("read the server's version", "refused")
    patient.helm = "there is no helm"
    assert patient.answers["/readyz"]() == "there is no helm"
    patient.helm = None
    for _ in range(3):
        assert patient.answers["/readyz"]() == (
            "the cluster cannot be used: cannot read the server's version: refused"
        )
    assert patient.kube.asked == 1
    assert patient.answers["/healthz"]() is None


def test_the_cluster_is_asked_again_after_a_while() -> None:
    found, clock = iter(["away", None]), Clock()
    remembered = health.Remembered(lambda: next(found), clock)
    assert [remembered(), remembered()] == ["away", "away"]
    clock.now += 6
    assert [remembered(), remembered()] == [None, None]


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["status"]
    finally:
        connection.close()


def test_who_does_not_wait_for_the_answer_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    asked, gone = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        gone.wait(10)

    with served.probes("127.0.0.1:0", {"/readyz": slow, "/healthz": lambda: None}) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        client.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
        client.close()
        gone.set()
        assert get(port, "/healthz") == (200, "ok")
    assert "Traceback" not in capsys.readouterr().err


def test_probes_are_answered() -> None:
    with served.probes("127.0.0.1:0", {"/healthz": lambda: None, "/readyz": lambda: "no helm"}) as port:
        assert get(port, "/healthz?x=1") == (200, "ok")
        assert get(port, "/readyz") == (503, "no helm")
        assert get(port, "/secrets")[0] == 404
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")


def test_metrics_are_answered_as_they_stand() -> None:
    with served.probes("127.0.0.1:0", {}, {served.METRICS: lambda: b"a_total 1.0\n"}) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert (answer.status, answer.read()) == (200, b"a_total 1.0\n")
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert get(port, "/healthz")[0] == 404
