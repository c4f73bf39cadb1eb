"""A throw-away PostgreSQL server for tests: own directory, unix socket only, gone when the session ends.

Use: `from tests.postgresql import postgresql_url` in a conftest.py, `create_database(url)` for an empty database
of one's own, and the marker `postgresql` on every test that asks for either.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_START_S = 30.0


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """URL of the maintenance database of a server that lives as long as the test session."""
    with server() as url:
        yield url


def create_database(url: str) -> str:
    """Add an empty database to the server of `url`; its URL."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:"), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
    return url.replace("/postgres?", f"/{name}?")


@contextmanager
def server() -> Iterator[str]:
    """Start a server and end it. Fails, and says how to install it, where PostgreSQL is missing."""
    programs = _programs()
    user = _unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="pg-") as root:  # short: a socket's path has at most 107 bytes
        data = Path(root, "data")
        if user is not None:
            os.chown(root, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        options = "--username=postgres --auth=trust --no-sync --locale=C --encoding=UTF8"
        initdb = [f"{programs}/initdb", f"--pgdata={data}", *options.split()]
        subprocess.run(initdb, check=True, user=user, cwd=root, stdout=subprocess.DEVNULL)
        # Durability of the server itself is not what is tested here.
        settings = ("listen_addresses=", f"unix_socket_directories={root}", "fsync=off", "max_connections=200")
        command = [f"{programs}/postgres", "-D", str(data), *(f"--{setting}" for setting in settings)]
        with Path(root, "log").open("wb") as log:
            process = subprocess.Popen(command, user=user, cwd=root, stdout=log, stderr=log)
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={root}"
            _await_start(url, process, Path(root, "log"))
            yield url
        finally:
            process.send_signal(2)  # SIGINT: "fast shutdown", which ends the sessions
            process.wait(timeout=_START_S)


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


def _await_start(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")).close()
        except psycopg.OperationalError:
            time.sleep(0.05)  # there is nothing to wait on: the server tells nobody when it listens
        else:
            return
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}", pytrace=False)
