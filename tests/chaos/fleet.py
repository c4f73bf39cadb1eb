"""The product as operators run it: API and worker processes of their own, started again when they end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.cluster.broker import CHECKOUT, arguments, descendants, still_running
from tests.cluster.reach import eventually
from tests.ports import free_port

LEASE_S = 5.0
START_S = 40.0
STOP_S = 60.0
_COMMAND = [sys.executable, "-m", "helmbroker.broker"]

# a small file system of its own, which nobody else sees, with what `init` has made
_OWN_DISK = """
set -eu
mount -t tmpfs -o size=24m,mode=0700 tmpfs "$1.disk"
cp -a "$1/." "$1.disk/"
mount --bind "$1.disk" "$1"
shift
exec "$@"
"""


@dataclass(eq=False)
class Member:
    """One process of the fleet, and whoever follows it."""

    role: str
    name: str
    settings: dict[str, str] = field(repr=False)
    log: Path
    own_disk: bool = False
    pids: list[int] = field(default_factory=list)  # of all its lives; the last one is the present

    def __post_init__(self) -> None:
        self._lock, self._wanted = threading.Lock(), True
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0  # bytes of log when the present process was started
        self._thread = threading.Thread(target=self._supervise, name=self.name, daemon=True)

    @property
    def data_dir(self) -> Path:
        """Its data directory, as the process itself sees it."""
        folder = self.settings["HELMBROKER_DATA_DIR"]
        return Path(f"/proc/{self.pids[-1]}/root{folder}") if self.own_disk else Path(folder)

    @property
    def awake(self) -> bool:
        """Whether the present process has begun to work: its log says so."""
        return self.log.exists() and self.log.stat().st_size > self._said_before

    def start(self) -> None:
        self._thread.start()

    def signal(self, number: int) -> int | None:
        """Send it to the process; its pid, None when it is not there."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return None
            self._process.send_signal(number)
            return self._process.pid

    def await_next(self, pid: int, within_s: float) -> bool:
        """Wait until the process `pid` has ended and another one was started in its place."""
        deadline = time.monotonic() + within_s
        while self.pids[-1] == pid and time.monotonic() < deadline:
            self._thread.join(0.05)
        return self.pids[-1] != pid

    def stop(self) -> list[str]:
        """Ask it to end, for good; what is wrong with how it did."""
        self._wanted = False
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self._thread.join(STOP_S)
        if not self._thread.is_alive():
            return []
        self.signal(signal.SIGKILL)
        self._thread.join()
        return [f"{self.name} did not end within {STOP_S:g} s of SIGTERM"]

    def _supervise(self) -> None:
        folder = self.settings["HELMBROKER_DATA_DIR"]
        prefix = ["unshare", "--mount", "sh", "-c", _OWN_DISK, "sh", folder] if self.own_disk else []
        while self._wanted:
            with self.log.open("ab") as output, self._lock:
                self._process = subprocess.Popen(
                    [*prefix, *_COMMAND, self.role], env=self.settings, cwd=CHECKOUT, stdout=output, stderr=output
                )
                self.pids.append(self._process.pid)
                self._said_before = output.tell()
            self._process.wait()


@dataclass(frozen=True)
class Fleet:
    """All of them, over one database."""

    apis: tuple[Member, ...]
    workers: tuple[Member, ...]
    user: str
    password: str = field(repr=False)
    settings: dict[str, str] = field(repr=False)
    folder: Path

    @property
    def members(self) -> tuple[Member, ...]:
        return *self.apis, *self.workers

    @property
    def urls(self) -> list[str]:
        return [f"http://{member.settings['HELMBROKER_LISTEN']}" for member in self.apis]

    @property
    def logs(self) -> list[Path]:
        return [member.log for member in self.members]

    def command(self, *words: str) -> str:
        """What a command of `helmbroker` prints."""
        done = subprocess.run(
            [*_COMMAND, *words],
            env=self.settings,
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout


@contextmanager
def fleet(
    folder: Path, settings: dict[str, str], *, apis: int, workers: int, shared: bool
) -> Iterator[tuple[Fleet, list[str]]]:
    """Start one; with it: what went wrong at its end, which is filled in when it is over.

    `shared`: one data directory for all, as SQLite needs; else each has its own, and the last worker's
    disk is small.
    """
    base = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")},
        **settings,
        "HELMBROKER_DATA_DIR": str(folder / "data"),
        "HELMBROKER_LEASE_S": str(LEASE_S),
        "HELMBROKER_LOG_LEVEL": "debug",
    }
    subprocess.run([*_COMMAND, "init"], env=base, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    user, _, password = (folder / "data" / "platform-credentials").read_text().strip().partition(":")
    made = Fleet(
        tuple(_member("api", n, folder, base, shared=shared) for n in range(apis)),
        tuple(
            _member("worker", n, folder, base, shared=shared, small=n == workers - 1 and not shared)
            for n in range(workers)
        ),
        user,
        password,
        base,
        folder,
    )
    problems: list[str] = []
    try:
        for each in made.members:
            each.start()
        for url, api in zip(made.urls, made.apis, strict=True):
            _await_start(url, api)
        yield made, problems
    finally:
        problems += _end(made.members)


def _member(
    role: str, number: int, folder: Path, base: dict[str, str], *, shared: bool, small: bool = False
) -> Member:
    """One that is not started yet. `small`: with a small disk of its own."""
    name, own = f"{role}-{number}", {} if shared else {"HELMBROKER_DATA_DIR": str(folder / f"{role}-{number}")}
    if own:
        shutil.copytree(folder / "data", own["HELMBROKER_DATA_DIR"])
    if small:
        Path(own["HELMBROKER_DATA_DIR"] + ".disk").mkdir()
    listen = {"HELMBROKER_LISTEN": f"127.0.0.1:{free_port()}"} if role == "api" else {}
    return Member(role, name, {**base, **own, **listen}, folder / f"{name}.log", small)


def _end(members: Sequence[Member]) -> list[str]:
    below = {pid: arguments(pid) for member in members for pid in descendants(member.pids[-1])}
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda m=member: found.append(m.stop())) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [f"left behind: {words[:4]}" for words in still_running(below)]
    return [text for texts in found for text in texts] + left


def _await_start(url: str, api: Member) -> None:
    def look() -> bool | None:
        try:
            return requests.get(f"{url}/healthz", timeout=5).status_code < 500 or None
        except requests.ConnectionError:
            return None

    try:
        eventually(look, within_s=START_S, every_s=0.1)
    except pytest.fail.Exception:
        pytest.fail(f"{api.name} did not start: {api.log.read_text()[-2000:]}", pytrace=False)
