"""Rates and latencies of the API's requests, each beside the bare application's, in turns."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any

from bench.api import servers, stock
from bench.api.load import Load, Result
from helmbroker.catalog.model import Catalog
from helmbroker.sealing import RingFile

CLIENTS = (1, 10, 50)
STORED = (10, 1_000, 10_000)
ROUNDS = 3
WAITING = 50
_WAIT_S = 6
_USER = "platform:bench-password"
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(_USER.encode()).decode(),
    "X-Broker-API-Version": "2.17",
}
THREADS = WAITING + 8
"""Of the broker's web server by default; the bare application gets as many."""


@dataclass
class Series:
    """What several rounds of one request came to."""

    rates: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        self.rates.append(len(result.took_ms) / result.seconds)
        self.took_ms += result.took_ms
        self.statuses.update(result.statuses)

    @property
    def rate(self) -> float:
        """Answers in a second, the median of the rounds."""
        return median(self.rates)

    def percentile_ms(self, percent: float) -> float:
        """The time within which so many of the requests were answered."""
        ordered = sorted(self.took_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Generator:
    """The process that makes the load."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin, self._stdout = stdin, stdout

    def send(self, load: Load) -> None:
        """Begin; `result` waits for the end."""
        self._stdin.write(json.dumps(asdict(load)) + "\n")
        self._stdin.flush()

    def result(self) -> Result:
        line = self._stdout.readline()
        if not line:
            raise servers.CannotServe("the load generator has ended; a server hung up, or did not answer")
        return Result(**json.loads(line))

    def run(self, load: Load) -> Result:
        self.send(load)
        return self.result()


@contextmanager
def generator() -> Iterator[Generator]:
    """A running one."""
    command = [sys.executable, "-m", "bench.api.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Generator(process.stdin, process.stdout)
        finally:
            process.terminate()


@dataclass(frozen=True)
class Measured:
    """A running broker and its database."""

    port: int
    stock: stock.Stock
    etag: str  # of its catalog


@contextmanager
def measured(folder: Path, url: str | None, addons: Path, catalog: Catalog, stored: int) -> Iterator[Measured]:
    """A broker over `stored` instances; `url`: of an empty database, or None for SQLite in `folder`."""
    folder.mkdir()
    RingFile.create(folder / "keys.json")
    (folder / "platform-credentials").write_text(_USER + "\n")
    database = url or f"sqlite:///{folder / 'helmbroker.db'}"
    filled = stock.Stock(database, folder / "keys.json", catalog)
    filled.fill(stored)
    filled.settle()
    settings = {
        "DATA_DIR": str(folder),
        "ADDONS_DIR": str(addons),
        "INSTANCE_NAMESPACE": stock.NAMESPACE,
        "LISTEN": "127.0.0.1:0",
        "BIND_WAIT_S": str(_WAIT_S),
        "MAX_WAITING": str(WAITING),
    }
    if url is not None:
        settings["DATABASE_URL"] = url.replace("postgresql+psycopg:", "postgresql:")
    with servers.broker(settings) as port:
        yield Measured(port, filled, _etag(port))
    filled.close()


def _etag(port: int) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/catalog", headers=HEADERS)
    with urllib.request.urlopen(request, timeout=servers.START_S) as answer:  # noqa: S310
        return str(answer.headers["ETag"])


def text(method: str, target: str, body: Mapping[str, Any] | None = None, etag: str | None = None) -> str:
    """A whole request, logged in."""
    content = "" if body is None else json.dumps(body)
    sent = {
        "Host": "127.0.0.1",
        **HEADERS,
        **({"Content-Type": "application/json", "Content-Length": str(len(content))} if content else {}),
        **({"If-None-Match": etag} if etag else {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n{content}"
