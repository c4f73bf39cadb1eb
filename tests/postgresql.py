"""A throw-away PostgreSQL server for tests: own directory, unix socket only, gone when the session ends.

Use: `from tests.postgresql import postgresql_url` in a conftest.py, `empty_database(url)` for tables of one's own,
and the marker `postgresql` on every test that asks for either.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_BOUND_S = 90.0


class Server:
    """One server in one folder. `durable`: it waits for the disk; most tests need not."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._fsync = "on" if durable else "off"
        self._folder, self._programs, self._user = folder, _programs(), _unprivileged_user()
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        if self._user is not None:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        options = "--username=postgres --auth=trust --no-sync --locale=C --encoding=UTF8"
        initdb = [f"{self._programs}/initdb", f"--pgdata={folder}/data", *options.split()]
        subprocess.run(initdb, check=True, user=self._user, cwd=folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start, and return when it answers."""
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={self._folder}",
            f"fsync={self._fsync}",
            "max_connections=200",
        )
        command = [
            f"{self._programs}/postgres",
            f"-D{self._folder}/data",
            *(f"--{setting}" for setting in settings),
        ]
        log_file = self._folder / "log"
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(command, user=self._user, cwd=self._folder, stdout=log, stderr=log)
        end = time.monotonic() + _BOUND_S
        while self._process.poll() is None and time.monotonic() < end:
            try:
                psycopg.connect(_libpq(self.url)).close()
            except psycopg.OperationalError:
                time.sleep(0.05)  # there is nothing to wait on: the server tells nobody when it listens
            else:
                return
        pytest.fail(f"PostgreSQL did not start:\n{log_file.read_text()[-2000:]}", pytrace=False)

    def end(self, *, crash: bool = False) -> None:
        """End the server and all its sessions; `crash`: without a word to anybody."""
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        self._process.wait(timeout=_BOUND_S)


@contextmanager
def server(*, durable: bool = False) -> Iterator[Server]:
    """A running server of one's own. Fails, and says how to install it, where PostgreSQL is missing."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short: a socket's path has at most 107 bytes
        running = Server(Path(folder), durable=durable)
        running.start()
        try:
            yield running
        finally:
            running.end(crash=True)  # nothing of it is needed any more


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URL of the maintenance database of a server that lives as long as the test session."""
    with server() as running:
        yield running.url


def empty_database(url: str) -> str:
    """URL of an empty schema of one's own on the server of `url`: a database of its own costs a thousand files."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(_libpq(url), autocommit=True) as conn:
        conn.execute(f'CREATE SCHEMA "{name}"')
    return f"{url}&options=-csearch_path%3D{name}"


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


def _programs() -> Path:
    """The folder of the newest server programs: on Debian they are not on PATH."""
    debian = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found = max(debian, key=lambda p: float(p.parent.name), default=None)
    if found is None and (initdb := shutil.which("initdb")):
        found = Path(initdb).resolve().parent
    if found is None:
        pytest.fail(
            "PostgreSQL's server programs are missing: on Debian, apt-get install postgresql", pytrace=False
        )
    return found


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; None: this user will do."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
