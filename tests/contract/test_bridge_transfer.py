"""All records of a bridge as a file, and in another database, of either kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge import sealing
from helmbroker.controller_bridge.model import Kind, Schedule
from helmbroker.controller_bridge.settings import SetupError
from helmbroker.controller_bridge.store import EXTERNAL, OPERATIONS, RESOURCES, SCHEMA, WORKERS, Store
from helmbroker.controller_bridge.transfer import export, import_all
from helmbroker.database import connect
from helmbroker.durable import State
from helmbroker.sealing import KeyRing, Keys
from tests.postgresql import empty_database

KEYS = Keys(KeyRing({"1": bytes(32)}, "1"))
SEALER = sealing.Sealer(KEYS)
PAIRS = [
    ("sqlite", "sqlite"),
    *(
        pytest.param(*pair, marks=pytest.mark.postgresql)
        for pair in [("sqlite", "postgresql"), ("postgresql", "sqlite")]
    ),
]
NUMBER = 1200  # more than are written at once
Make = Callable[[str], Store]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """New databases, by kind."""

    def made(kind: str) -> Store:
        number = len(list(tmp_path.iterdir()))
        on_file = f"sqlite:///{tmp_path}/{number}.db"
        url = on_file if kind == "sqlite" else empty_database(request.getfixturevalue("postgresql_url"))
        store = Store(connect(url))
        request.addfinalizer(store.engine.dispose)
        store.prepare(KEYS)
        return store

    return made


def fill(store: Store) -> None:
    """Resources with sealed options, a foreign service, operations of which the last is forgotten, a worker."""
    blank: dict[str, Any] = {column.name: "ü" for column in RESOURCES.c if isinstance(column.type, sa.String)}
    blank |= {"created": 0.1, "updated": 1e9 + 0.123456789, "deleted": None, "binding_id": None}
    blank |= {"other_bindings": ["b"], "env": {"DATABASE_URL": "uri"}}
    rows = [
        {**blank, "uuid": f"u{number}", "name": f"n{number}", "instance_id": f"i{number}"}
        | {"sealed_options": SEALER.seal({"size": number}, owner=f"u{number}")}
        for number in range(NUMBER)
    ]
    queue = store.queue
    with store.writing() as conn:
        conn.execute(sa.insert(RESOURCES), rows)
        sealed = SEALER.seal({"uri": "x"}, owner="i1", what=sealing.CREDENTIALS)
        store.keep_external(conn, "i1", "i1", sealed)
        queue.schedule(conn, Schedule.RETENTION, 3600)
        for name in ("first", "last"):
            enqueue(store, conn, name)
    with store.writing() as conn:
        conn.execute(sa.update(OPERATIONS).where(OPERATIONS.c.kind == Kind.BIND).values(state=State.SUCCEEDED))
        conn.execute(sa.delete(OPERATIONS).where(OPERATIONS.c.id == "last"))
        conn.execute(sa.insert(WORKERS).values(owner="w", host="h", started_at=0.0, seen_at=0.0))


def enqueue(store: Store, conn: sa.Connection, name: str) -> int:
    params = {"app": "shop", "resource": "u1"}
    return store.queue.enqueue(conn, id=name, kind=Kind.BIND, subject="s", params=params, timeout_s=60).seq


def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    with store.reading() as conn:
        return [dict(row) for row in conn.execute(sa.select(table).order_by(*table.primary_key)).mappings()]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_everything_is_there(make: Make, old: str, new: str) -> None:
    before, after = make(old), make(new)
    fill(before)
    assert len(rows(before, SCHEMA.metadata.tables["audit"])) == 2
    numbers = import_all(after, KEYS, export(before))
    assert numbers["resources"] == NUMBER
    for table in SCHEMA.metadata.sorted_tables:
        if table is not WORKERS and not table.name.startswith("audit"):
            assert rows(after, table) == rows(before, table), table.name
    assert rows(after, WORKERS) == []
    with after.reading() as conn:
        assert SEALER.open(after.sealed_options(conn, "u7") or "", owner="u7") == {"size": 7}


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_bridge_goes_on_there(make: Make, old: str, new: str) -> None:
    """The audit goes on where it was; and no operation gets a number that one has had before."""
    before, after = make(old), make(new)
    fill(before)
    with before.reading() as conn:
        used = conn.scalar(sa.select(sa.func.max(OPERATIONS.c.seq)))
    import_all(after, KEYS, export(before))
    with after.writing() as conn:
        assert enqueue(after, conn, "next") == used + 2
    after.prepare(KEYS)  # it starts
    audit = list(after.audit.entries())
    assert [each["action"] for each in audit] == ["bind", "bind", "import", "bind"]
    assert audit[2]["detail"]["resources"] == NUMBER
    assert after.audit.verify().faults == ()


def test_an_empty_one_is_moved_as_well(make: Make) -> None:
    after = make("sqlite")
    import_all(after, KEYS, export(make("sqlite")))
    with after.writing() as conn:
        assert enqueue(after, conn, "first") == 1


def test_not_while_something_is_done(make: Make) -> None:
    before = make("sqlite")
    with before.writing() as conn:
        enqueue(before, conn, "first")
    with pytest.raises(SetupError, match=r"have not ended \(bind of shop\); wait for them"):
        next(export(before))


def test_an_empty_database_is_needed(make: Make) -> None:
    before = make("sqlite")
    fill(before)
    kept = list(export(before))
    with pytest.raises(SetupError, match="the database has audit already"):
        import_all(before, KEYS, kept)
    assert list(export(before)) == kept


def changed(found: list[str], number: int, **values: Any) -> list[str]:
    other = [*found]
    other[number] = json.dumps({**json.loads(other[number]), **values})
    return other


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: [], r"it is no export \(KeyError\)"),
        (lambda _: ["[]"], r"it is no export \(TypeError\)"),
        (lambda _: ["{"], r"it is no export \(JSONDecodeError\)"),
        (lambda found: found[:-1], "it is not whole"),
        (lambda found: [*found[:5], *found[6:]], "it is not whole"),
        (lambda found: [*found, found[-1]], "it is not whole"),
        (lambda found: [*found[:6], found[5], *found[6:]], r"do not fit the table \(IntegrityError\)"),
        (lambda found: changed(found, 0, revision="bridge_9999"), "import with the version that exported"),
        (lambda found: changed(found, 0, of="broker"), "its of is 'broker' and not 'bridge'"),
        (lambda found: changed(found, 5, row={"name": "x"}), r"its rows 1 to \d+ of \w+ do not fit the table"),
        (lambda found: changed(found, 5, table="none"), r"it is no export \(KeyError\)"),
    ],
)
def test_of_a_bad_file_nothing_is_written(make: Make, spoil: Callable[[list[str]], list[str]], told: str) -> None:
    before, after = make("sqlite"), make("sqlite")
    fill(before)
    kept = [rows(after, table) for table in SCHEMA.metadata.sorted_tables]
    with pytest.raises(SetupError, match=told):
        import_all(after, KEYS, spoil(list(export(before))))
    assert [rows(after, table) for table in SCHEMA.metadata.sorted_tables] == kept


def test_another_key_ring_is_found(make: Make) -> None:
    before, after = make("sqlite"), make("sqlite")
    fill(before)
    with pytest.raises(SetupError, match="made with another key ring"):
        import_all(after, Keys(KeyRing({"2": bytes(32)}, "2")), export(before))
    assert rows(after, EXTERNAL) == []
