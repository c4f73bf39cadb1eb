"""Engines for SQLite and PostgreSQL, and the transactions that all our code relies on."""

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from helmbroker.database.errors import UnusableDatabase

_READ_ONLY, _TURN = "helmbroker_read_only", "helmbroker_turn"
_BUSY_S = 20.0
# A dead network must not hold a thread for ever: libpq gives up after seconds (milliseconds for tcp_user_timeout).
_LIBPQ = {"connect_timeout": "10", "tcp_user_timeout": "20000", "keepalives_idle": "10", "keepalives_count": "3"}

# The number of threads is the bound; a connection that is closed after use costs more than most transactions.
_ALWAYS: dict[str, Any] = {"pool_size": 64, "max_overflow": -1, "hide_parameters": True}


def connect(url: str) -> sa.Engine:
    """An engine for `url`: `sqlite:////path/file.db` or `postgresql://...`. Make it after a fork, never before.

    `engine.begin()` and `engine.connect()` may write: on SQLite their transactions take the write lock at once
    (BEGIN IMMEDIATE), so they never fail half-way because somebody else wrote in between. Plain reads belong
    to `reader(engine).connect()`: on SQLite one that may write keeps other threads from writing until it is
    closed. A new SQLite file gets the mode 0600. Raises ValueError for any other database.
    """
    parsed = sa.make_url(url)
    if (database := parsed.get_backend_name()) == "sqlite":
        return _connect_sqlite(parsed)
    if database != "postgresql":
        raise ValueError(f"database {database!r} is not supported: use a sqlite:/// or postgresql:// URL")
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg", query=_LIBPQ | dict(parsed.query)),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        **_ALWAYS,
    )
    sa.event.listen(engine, "connect", _bound_transactions)
    return engine


def url_in(path: Path) -> str:
    """The URL that a file holds as its one line, password and all. Raises UnusableDatabase, OSError."""
    url = path.read_text("utf-8", errors="replace").strip()
    try:
        readable = url.startswith(("postgresql://", "sqlite:////")) and sa.make_url(url).database
    except (sa.exc.ArgumentError, ValueError):  # whose texts quote it
        readable = None
    if not readable:
        raise UnusableDatabase(f"{path} does not hold one line such as postgresql://user:password@host/name")
    return url


def reader(engine: sa.Engine) -> sa.Engine:
    """The same pool, for reads only: a snapshot that waits for no writer and holds none up; writes are refused."""
    return engine.execution_options(**{_READ_ONLY: True}, postgresql_readonly=True)


def at_one_moment(reader: sa.Engine) -> sa.Engine:
    """For many reads that have to fit together: on SQLite a transaction that reads sees one moment anyway."""
    if reader.dialect.name == "postgresql":
        return reader.execution_options(isolation_level="REPEATABLE READ")
    return reader


def _bound_transactions(connection: Any, _record: object) -> None:
    """Who is frozen or lost in the middle of a transaction keeps its locks as long as SQLite waits, not for ever.

    Said by SQL: what stands between us and the server may refuse options.
    """
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{_BUSY_S:.0f}s'")
    connection.autocommit = False


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by events of the engine, not by the sqlite3 module
    for pragma in (f"busy_timeout={_BUSY_S * 1000:.0f}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # Two that switch a new file at once refuse each other, whatever busy_timeout says.
    for _ in range(100):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
            break
        time.sleep(0.02)


def _connect_sqlite(url: sa.URL) -> sa.Engine:
    path = url.database
    if not path or path == ":memory:" or path.startswith("file:"):
        raise ValueError("SQLite needs a plain file: its threads and processes share nothing else")
    # SQLite gives its -wal and -shm files the mode of the database file. touch() does not open one that exists:
    # closing it again would drop all locks that other connections of this process hold on it (POSIX).
    Path(path).touch(0o600)
    engine = sa.create_engine(url, **_ALWAYS)
    # Writers of one process take turns: SQLite's own way of waiting is to sleep and try again.
    turns = threading.Lock()

    sa.event.listen(engine, "connect", _prepare)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options, run = connection.get_execution_options(), connection.connection.cursor().execute
        run(f"PRAGMA query_only={int(_READ_ONLY in options)}")  # by the driver itself: ten times as fast
        if _READ_ONLY in options:
            run("BEGIN")
            return
        info = connection.connection.record_info
        if info is not None and not info.get(_TURN):
            info[_TURN] = turns.acquire(timeout=_BUSY_S)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # which may fail

    @sa.event.listens_for(engine, "checkin")
    def _end(_connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        if record.record_info is not None and record.record_info.pop(_TURN, False):
            turns.release()

    return engine
