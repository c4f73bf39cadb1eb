"""The measurements of the key ring."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.api import stock
from bench.api.measuring import HEADERS, measured
from bench.figures import Figure
from helmbroker.broker.store import sealed
from helmbroker.database import connect
from helmbroker.sealing import Keys, RingFile
from tests.postgresql import empty_database, server

ROWS = 10_000
SEAL_LIMIT_MS = 0.1
ROTATION_LIMIT_S = 60.0
_SECRET = b'{"username": "b-1f2e3d4c", "password": "' + b"x" * 58 + b'"}'
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_TIMES, _ROUNDS = 2000, 5


def sealing() -> Iterator[Figure]:
    """Milliseconds for one secret, over a ring in a file that is followed; the median of 5 rounds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        RingFile.create(Path(folder) / "keys.json")
        keys = Keys.load(Path(folder) / "keys.json")
        one = keys.seal(_SECRET, "place")
        yield Figure("seal a secret", _each_ms(lambda: keys.seal(_SECRET, "place")), "ms", SEAL_LIMIT_MS)
        yield Figure("open a secret", _each_ms(lambda: keys.open(one, "place")), "ms", SEAL_LIMIT_MS)


def rotation(database: str) -> Iterator[Figure]:
    """Seconds for all rows, and what the API did meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        addons = stock.shelf(folder / "addons")
        url = stack.enter_context(_database(database))
        place = folder / "broker"
        running = stack.enter_context(measured(place, url, addons, stock.catalog(addons), ROWS))
        client = stack.enter_context(_client(running.port))
        engine = connect(url or f"sqlite:///{place / 'helmbroker.db'}")
        stack.callback(engine.dispose)
        ring = RingFile(place / "keys.json")
        began = time.monotonic()
        ring.activate(ring.add())
        changed = sum(batch.changed for column in sealed.columns(engine) for batch in column.rewrap(Keys(ring)))
        took_s = time.monotonic() - began
        left = sum(key != ring.active.id for column in sealed.columns(engine) for key in column.key_ids())
    name = _NAMES[database]
    note = f"{changed:,} secrets, {left} left"
    yield Figure(f"{name}: rotation of {ROWS:,} rows while serving", took_s, "s", ROTATION_LIMIT_S, note)
    yield Figure(
        f"{name}: requests that failed meanwhile", float(client.failed), "", 0.0, f"of {len(client.took_ms):,}"
    )
    slow = statistics.quantiles(client.took_ms, n=100)[98]
    yield Figure(f"{name}: GET instance meanwhile, 99th percentile", slow, "ms", None)


class _Client:
    """Asks for one instance after the other, on one connection."""

    def __init__(self, port: int) -> None:
        self.took_ms: list[float] = []
        self.failed = 0
        self.stop = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            self._connection.request("GET", f"/v2/service_instances/i{len(self.took_ms) % ROWS}", headers=HEADERS)
            answer = self._connection.getresponse()
            answer.read()
            self.failed += answer.status != http.HTTPStatus.OK
            self.took_ms.append((time.monotonic() - began) * 1000)


@contextmanager
def _client(port: int) -> Iterator[_Client]:
    client = _Client(port)
    thread = threading.Thread(target=client.run)
    thread.start()
    try:
        yield client
    finally:
        client.stop.set()
        thread.join()


@contextmanager
def _database(name: str) -> Iterator[str | None]:
    """The URL of an empty one that waits for the disk; None: SQLite, in the broker's folder."""
    if name == "sqlite":
        yield None
        return
    with server(durable=True) as postgresql:
        yield empty_database(postgresql.url)


def _each_ms(action: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            action()
        rounds.append((time.perf_counter() - began) / _TIMES * 1000)
    return statistics.median(rounds)
