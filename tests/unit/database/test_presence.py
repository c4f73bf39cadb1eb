from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.database import Presence, connect, define_workers
from helmbroker.durable import Worker
from tests.unit.durable.desk import METADATA, Desk, Finished, at_once, quick, running

METADATA_OF_WORKERS = sa.MetaData()
WORKERS = define_workers(METADATA_OF_WORKERS)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path}/test.db")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def rows(engine: sa.Engine) -> list[sa.Row[tuple[str, str, float, float]]]:
    with engine.connect() as conn:
        return list(conn.execute(sa.select(WORKERS)))


def test_a_worker_tells_that_it_lives_and_takes_its_row_along(engine: sa.Engine) -> None:
    one, other = Presence(engine, WORKERS), Presence(engine, WORKERS)
    one.tell()
    other.tell()
    assert {(row.owner, row.host) for row in rows(engine)} == {(p.owner, p.host) for p in (one, other)}
    assert all(row.started_at == row.seen_at for row in rows(engine))
    one.leave()
    assert [row.owner for row in rows(engine)] == [other.owner]


def test_it_tells_only_every_ten_seconds(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence(engine, WORKERS)
    presence.tell()
    with engine.begin() as conn:
        conn.execute(WORKERS.update().values(started_at=1.0, seen_at=2.0))
    presence.tell()
    assert [(row.started_at, row.seen_at) for row in rows(engine)] == [(1.0, 2.0)]
    monkeypatch.setattr("helmbroker.database.presence.TELL_S", 0.0)
    Presence.tell(fresh := Presence(engine, WORKERS))
    fresh.tell()
    presence._next = 0.0
    presence.tell()
    (row,) = (row for row in rows(engine) if row.owner == presence.owner)
    assert (row.started_at, row.seen_at > 2.0) == (1.0, True)


def test_a_row_that_cannot_be_taken_along_is_left(engine: sa.Engine) -> None:
    presence = Presence(engine, WORKERS)
    presence.tell()
    with engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE workers RENAME TO gone"))
    presence.leave()


def test_a_worker_has_a_row_while_it_works(engine: sa.Engine) -> None:
    desk, finished = Desk(engine), Finished()
    desk.enqueue()
    worker: Worker = quick(desk, at_once, finished)
    with running(worker):
        finished.wait(1)
        assert len(rows(engine)) == 1
    assert rows(engine) == []
