import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.database import UnusableDatabase, connect, reader, url_in

METADATA = sa.MetaData()
WORDS = sa.Table("words", METADATA, sa.Column("word", sa.String(100), primary_key=True))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path}/test.db")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def test_a_new_file_is_for_its_owner_only(tmp_path: Path, engine: sa.Engine) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"test.db": 0o600, "test.db-wal": 0o600, "test.db-shm": 0o600}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_databases_that_threads_cannot_share_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="plain file"):
        connect(url)


def test_other_databases_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'mysql' is not supported"):
        connect("mysql://user:canary@host/db")


@pytest.mark.parametrize(
    "text", ["", "canary", "mysql://u:canary@h/x", "postgresql://u:can:ary@h:p/x", "sqlite:///x"]
)
def test_a_file_that_holds_no_url_is_told_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "url").write_text(text)
    with pytest.raises(UnusableDatabase, match="does not hold one line such as") as told:
        url_in(tmp_path / "url")
    assert "canary" not in str(told.value)
    assert told.value.__cause__ is None


def test_the_urls_password_stays_out_of_sight() -> None:
    assert "canary" not in repr(connect("postgresql://user:canary@host/db"))


@pytest.mark.bug(18)
def test_reads_wait_for_no_writer_and_see_no_half_of_it(engine: sa.Engine) -> None:
    with engine.begin() as writer, reader(engine).connect() as conn:
        writer.execute(WORDS.insert().values(word="new"))
        assert conn.execute(sa.select(WORDS)).all() == []


def test_a_reader_writes_nothing(engine: sa.Engine) -> None:
    with reader(engine).connect() as conn, pytest.raises(sa.exc.OperationalError, match="readonly"):
        conn.execute(WORDS.insert().values(word="new"))
    with engine.begin() as conn:  # the same pooled connection
        conn.execute(WORDS.insert().values(word="new"))


def test_pragmas(engine: sa.Engine) -> None:
    """As they are when a connection is made: our tests themselves do not wait for the disk."""
    values: dict[str, object] = {}

    def look(connection: sqlite3.Connection, _record: object) -> None:
        for name in ("journal_mode", "synchronous", "foreign_keys"):
            values[name] = connection.execute(f"PRAGMA {name}").fetchone()[0]

    engine.dispose()
    sa.event.listen(engine, "connect", look)
    with reader(engine).connect():
        assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_writers_of_a_process_take_turns_instead_of_sleeping(engine: sa.Engine) -> None:
    begun: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _cu, sql, *_: begun.append(sql))

    def write() -> None:
        with engine.begin() as conn:
            conn.execute(WORDS.insert().values(word="second"))

    second = threading.Thread(target=write)
    with engine.begin() as conn:
        conn.execute(WORDS.insert().values(word="first"))
        second.start()
        second.join(0.1)
        assert begun.count("BEGIN IMMEDIATE") == 1, "the other one has not even tried"
    second.join(10)
    assert begun.count("BEGIN IMMEDIATE") == 2


def test_a_connection_keeps_its_turn_until_it_is_closed(engine: sa.Engine) -> None:
    start = time.monotonic()
    for word in ("a", "b"):
        with engine.connect() as conn:
            for number in range(2):
                conn.execute(WORDS.insert().values(word=f"{word}{number}"))
                conn.commit()
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as conn:
        conn.execute(WORDS.insert().values(word="a0"))
    with engine.begin() as conn:
        assert len(conn.execute(sa.select(WORDS)).all()) == 4
    assert time.monotonic() - start < 10, "nobody waited for himself"
