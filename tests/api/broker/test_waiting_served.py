"""Many requests that wait, over real sockets: nobody else waits for them, and they end when the broker does."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from statistics import median

import pytest

from tests.api.broker.desk import BIND, IDS, USER
from tests.api.broker.test_served import BOUND_S, HEADERS, Served

pytestmark = pytest.mark.processes
MOST = 50  # as by default
INSTANCE = "/v2/service_instances/i1"


@dataclass(frozen=True)
class Answer:
    """What came back: its status, error word and Retry-After, and how long it took."""

    status: int
    word: str | None
    retry_after: str | None
    took_s: float


def ask(served: Served, method: str, target: str, body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=90)
    try:
        begin = time.perf_counter()
        connection.request(method, target, body, HEADERS)
        response = connection.getresponse()
        told = json.loads(response.read())
        took_s = time.perf_counter() - begin
        return Answer(response.status, told.get("error"), response.headers["Retry-After"], took_s)
    finally:
        connection.close()


def bind(served: Served, number: int) -> Answer:
    return ask(served, "PUT", f"{INSTANCE}/service_bindings/b{number}", json.dumps(BIND).encode())


@pytest.fixture
def served(prepared: Path, shelf: Path, tmp_path: Path) -> Iterator[Served]:
    """An API without a worker: nothing ends."""
    data = copytree(prepared, tmp_path / "data")
    (data / "platform-credentials").write_text(":".join(USER))
    settings = {"DATA_DIR": data, "ADDONS_DIR": shelf, "LISTEN": "127.0.0.1:0"}
    broker = Served({f"HELMBROKER_{name}": str(value) for name, value in settings.items()})
    try:
        assert broker.put(INSTANCE)[0] == 202
        yield broker
    finally:
        broker.end(signal.SIGKILL)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MOST) as made:
        yield made


def full(served: Served, pool: ThreadPoolExecutor) -> list[Future[Answer]]:
    """As many as may wait, waiting."""
    waiting = [pool.submit(bind, served, number) for number in range(MOST)]
    deadline = time.monotonic() + BOUND_S
    for number in range(MOST):
        path = f"{INSTANCE}/service_bindings/b{number}/last_operation"
        while served.call("GET", path)[0] != 200:
            assert time.monotonic() < deadline, "they do not begin to wait"
    return waiting


@pytest.mark.osb(17)
@pytest.mark.bug(6)
def test_requests_that_wait_hold_nobody_up_and_end_with_the_broker(
    served: Served, pool: ThreadPoolExecutor
) -> None:
    waiting = full(served, pool)
    took = [ask(served, "GET", "/healthz").took_s for _ in range(200)]
    assert median(took) < 0.1
    assert max(took) < 10, "who is held up waits as long as they do"
    assert ask(served, "GET", "/v2/catalog").status == 200
    refused = bind(served, MOST)
    assert (refused.status, refused.word) == (503, "TooManyWaiting")
    assert int(refused.retry_after or 0) > 0
    assert ask(served, "DELETE", f"{INSTANCE}/service_bindings/b0?{IDS}&accepts_incomplete=true").status == 202
    assert waiting[0].result(BOUND_S).word == "ConcurrencyError", "a deletion ends the wait"
    begin = time.monotonic()
    assert served.end(signal.SIGTERM) == 0
    answers = [each.result(BOUND_S) for each in waiting[1:]]
    assert {(each.status, each.word) for each in answers} == {(503, "Stopping")}
    assert time.monotonic() - begin < 18, "not the 20 s that requests get to finish"
    assert [line for line in served.log if json.loads(line)["level"] == "error"] == []
