"""Two API processes over one PostgreSQL, each replaced in its turn, under load: no request is refused or lost."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import Catalog
from helmbroker.sealing import Keys
from tests.api.broker.desk import USER
from tests.api.broker.test_served import Served
from tests.postgresql import empty_database

pytestmark = [pytest.mark.processes, pytest.mark.postgresql]

LOOK_S = 0.2  # how often the load balancer asks whether a process is ready
BOUND_S = 90


class Balancer:
    """Sends requests to those that have said that they are ready, as a Service of Kubernetes does."""

    def __init__(self) -> None:
        self.backends: list[Served] = []
        self._ready: list[Served] = []
        self._busy: Counter[Served] = Counter()
        self._changed = threading.Condition()
        self._turn = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        ready = [each for each in list(self.backends) if self._is_ready(each)]
        with self._changed:
            self._ready = ready
            self._changed.notify_all()

    @staticmethod
    def _is_ready(backend: Served) -> bool:
        try:
            return backend.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    @contextmanager
    def one(self) -> Iterator[Served]:
        """Whose turn it is, for one request."""
        with self._changed:
            chosen = self._ready[next(self._turn) % len(self._ready)]
            self._busy[chosen] += 1
        try:
            yield chosen
        finally:
            with self._changed:
                self._busy[chosen] -= 1
                self._changed.notify_all()

    def await_leave(self, backend: Served) -> None:
        """Until it has said that it is not ready, and whoever was sent to it has got an answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: backend not in self._ready and not self._busy[backend], BOUND_S)

    @contextmanager
    def looking(self) -> Iterator[None]:
        self.look()
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()


class Client:
    """One that provisions, reads and polls, and keeps what went wrong."""

    def __init__(self, balancer: Balancer, name: str) -> None:
        self.faults: list[str] = []
        self.operations: dict[str, str] = {}
        self._balancer, self._name = balancer, name

    def work(self, stop: threading.Event) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            target = f"/v2/service_instances/{self._name}-{number}"
            self.ask("PUT", target, 202)
            self.ask("GET", f"{target}/last_operation", 200)
            self.ask("GET", "/v2/catalog", 200)

    def ask(self, method: str, target: str, wanted: int) -> None:
        try:
            with self._balancer.one() as backend:
                status, body = backend.put(target) if method == "PUT" else backend.call(method, target)
        except (OSError, ValueError, ZeroDivisionError) as error:
            self.faults.append(f"{method} {target}: {error!r}")
            return
        if status != wanted:
            self.faults.append(f"{method} {target}: {status} {body}")
        elif method == "PUT":
            self.operations[target] = body["operation"]


def test_no_request_is_lost(
    prepared: Path, shelf: Path, catalog: Catalog, tmp_path: Path, postgresql_url: str
) -> None:
    url = empty_database(postgresql_url)
    data = copytree(prepared, tmp_path / "data")
    (data / "platform-credentials").write_text(":".join(USER))
    store = SqlStore(url, Keys.load(data / "keys.json"))
    store.prepare()
    settings = {
        "DATA_DIR": data,
        "DATABASE_URL": url.replace("postgresql+psycopg:", "postgresql:"),
        "ADDONS_DIR": shelf,
        "LISTEN": "127.0.0.1:0",
        "DRAIN_S": 120,  # the longest
    }
    environment = {f"HELMBROKER_{name}": str(value) for name, value in settings.items()}
    balancer, stop, ended = Balancer(), threading.Event(), list[Served]()
    clients = [Client(balancer, f"c{number}") for number in range(3)]
    threads = [threading.Thread(target=client.work, args=(stop,)) for client in clients]
    try:
        balancer.backends = [Served(environment), Served(environment)]
        with balancer.looking():
            for thread in threads:
                thread.start()
            for old in list(balancer.backends):
                new = Served(environment)
                balancer.backends.append(new)
                balancer.look()
                old.process.send_signal(signal.SIGTERM)
                balancer.await_leave(old)
                assert old.end(signal.SIGTERM) == 0, "told again, it does not wait for the rest of its time"
                balancer.backends.remove(old)
                ended.append(old)
            stop.set()
            for thread in threads:
                thread.join(BOUND_S)
    finally:
        stop.set()
        for each in balancer.backends:
            each.end(signal.SIGKILL)
        accepted = {operation for client in clients for operation in client.operations.values()}
        with store.read() as records:
            forgotten = [each for each in accepted if records.operation(each) is None]
        store.close()
    assert [fault for client in clients for fault in client.faults] == []
    assert len(accepted) > 20
    assert forgotten == []


def test_who_is_being_stopped_says_so_and_serves_on(prepared: Path, shelf: Path, tmp_path: Path) -> None:
    data = copytree(prepared, tmp_path / "data")
    (data / "platform-credentials").write_text(":".join(USER))
    settings = {"DATA_DIR": data, "ADDONS_DIR": shelf, "LISTEN": "127.0.0.1:0", "DRAIN_S": "60"}
    served = Served({f"HELMBROKER_{name}": str(value) for name, value in settings.items()})
    try:
        status, told = served.call("GET", "/readyz")
        assert (status, told["status"], told["workers"]) == (200, "ok", "none")
        assert told["addons"] == "2 offered, 0 quarantined"
        os.kill(served.process.pid, signal.SIGTERM)
        deadline = threading.Event()
        while served.call("GET", "/readyz")[0] == 200:
            assert not deadline.wait(0.05)
        assert served.call("GET", "/readyz") == (
            503,
            {"status": "This process is being stopped; send requests to another one."},
        )
        assert served.call("GET", "/healthz")[0] == 200
        assert served.put("/v2/service_instances/late")[0] == 202
    finally:
        served.end(signal.SIGKILL)
    assert not [line for line in served.log if json.loads(line)["level"] == "error"]
