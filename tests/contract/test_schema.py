"""How databases are made and brought up to date: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from helmbroker.broker.store.schema import SCHEMA as BROKER
from helmbroker.controller_bridge.store import SCHEMA as BRIDGE
from helmbroker.database import Schema, UnusableDatabase, connect, prepare
from tests.postgresql import empty_database

SCHEMAS = pytest.mark.parametrize("schema", [BROKER, BRIDGE], ids=["broker", "bridge"])
_MORE = {
    "sqlite": ["SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"],
    "postgresql": [
        "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()",
        """SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
           WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace""",
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
    ],
}
REVISION = sa.text("SELECT version_num FROM alembic_version")


def nothing_more(_conn: sa.Connection) -> None:
    """There are no facts to check."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], sa.Engine]]:
    """Makes engines, each of an empty database."""
    made = []

    def make_one(name: str) -> sa.Engine:
        if request.param == "sqlite":
            made.append(connect(f"sqlite:///{tmp_path / name}.db"))
        else:
            made.append(connect(empty_database(request.getfixturevalue("postgresql_url"))))
        return made[-1]

    yield make_one
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(make: Callable[[str], sa.Engine]) -> sa.Engine:
    return make("one")


def make_old(engine: sa.Engine, schema: Schema) -> None:
    """A database as it was before revisions were counted."""
    folder = str(schema.migrations)
    baseline = ScriptDirectory(folder, version_locations=[folder]).get_revision(schema.revisions[0])
    assert baseline is not None
    with engine.begin() as conn, Operations.context(MigrationContext.configure(conn)):
        baseline.module.upgrade()
        if schema is BROKER:
            conn.execute(schema.facts.insert().values(name="schema_version", value="2"))


def described(engine: sa.Engine) -> dict[str, Any]:
    """All that the database knows about its tables, in no order of columns."""
    with engine.connect() as conn:
        seen = sa.inspect(conn)
        tables: dict[str, Any] = {}
        for table in seen.get_table_names():
            tables[table] = {
                "columns": {
                    c["name"]: (repr(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)
                },
                "key": seen.get_pk_constraint(table)["constrained_columns"],
                "foreign": sorted(str(sorted(k.items(), key=str)) for k in seen.get_foreign_keys(table)),
                "unique": sorted(str(u["column_names"]) for u in seen.get_unique_constraints(table)),
                "checks": sorted(str(c["sqltext"]) for c in seen.get_check_constraints(table)),
            }
        return {"tables": tables, "more": _more(conn)}


def _more(conn: sa.Connection) -> list[str]:
    """Indexes, triggers and functions, in the database's own words."""
    found = [str(row) for query in _MORE[conn.dialect.name] for row in conn.scalars(sa.text(query))]
    plain = (re.sub(r'"?test_[0-9a-f]{32}"?', "here", text).replace('"', "") for text in found)
    return sorted(" ".join(text.split()) for text in plain)


@SCHEMAS
def test_a_new_database_and_one_brought_up_to_date_are_the_same(
    make: Callable[[str], sa.Engine], schema: Schema
) -> None:
    new, old = make("new"), make("old")
    make_old(old, schema)
    for engine in (new, old):
        prepare(engine, schema, nothing_more)
    assert described(new) == described(old)
    with old.connect() as conn:
        found = compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), schema.metadata)
        ours = {table.name for table in schema.metadata.tables.values()}
        assert [d for d in found if not (d[0] == "remove_table" and d[1].name not in ours)] == []
        assert conn.scalar(REVISION) == schema.revisions[-1]


@SCHEMAS
def test_revisions_are_one_line_in_the_order_of_their_files(schema: Schema) -> None:
    folder = str(schema.migrations)
    directory = ScriptDirectory(folder, version_locations=[folder])
    line = [script.revision for script in directory.walk_revisions()]
    assert line == list(reversed(schema.revisions))
    assert len({script.path for script in directory.walk_revisions()}) == len(
        [p for p in schema.migrations.glob("*.py") if p.name != "__init__.py"]
    )
    assert not any(hasattr(script.module, "downgrade") for script in directory.walk_revisions())


@SCHEMAS
def test_a_second_start_changes_nothing(engine: sa.Engine, schema: Schema) -> None:
    prepare(engine, schema, nothing_more)
    before = described(engine)
    prepare(engine, schema, nothing_more)
    assert described(engine) == before


@SCHEMAS
def test_replicas_that_start_together_bring_it_up_to_date_once(engine: sa.Engine, schema: Schema) -> None:
    make_old(engine, schema)
    failed: list[BaseException] = []

    def start() -> None:
        try:
            prepare(engine, schema, nothing_more)
        except BaseException as error:
            failed.append(error)
            raise

    replicas = [threading.Thread(target=start) for _ in range(4)]
    for each in replicas:
        each.start()
    for each in replicas:
        each.join()
    assert failed == []
    with engine.connect() as conn:
        assert list(conn.scalars(REVISION)) == [schema.revisions[-1]]


@SCHEMAS
def test_a_program_of_the_version_before_changes_nothing(engine: sa.Engine, schema: Schema) -> None:
    """It starts on what a newer one has made of the database, as long as the epoch fits."""
    prepare(engine, schema, nothing_more)
    newer = f"{schema.owner}_9999"
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = :newer"), {"newer": newer})
        conn.execute(sa.text("ALTER TABLE operations ADD COLUMN newer INTEGER"))
    before = described(engine)
    prepare(engine, schema, nothing_more)
    assert described(engine) == before
    with engine.connect() as conn:
        assert conn.scalar(REVISION) == newer


@SCHEMAS
@pytest.mark.parametrize(
    ("epoch", "cure"), [(99, "run a newer version"), (0, "there is no way up"), ("x", "run a newer version")]
)
def test_another_epoch_is_refused_untouched(engine: sa.Engine, schema: Schema, epoch: object, cure: str) -> None:
    prepare(engine, schema, nothing_more)
    with engine.begin() as conn:
        conn.execute(schema.facts.update().values(value=str(epoch)))
        conn.execute(sa.text("DROP TABLE alembic_version"))
    before = described(engine)
    with pytest.raises(UnusableDatabase, match=f"schema version {epoch}, .*{cure}"):
        prepare(engine, schema, nothing_more)
    assert described(engine) == before


@SCHEMAS
def test_what_then_refuses_takes_the_new_schema_with_it(engine: sa.Engine, schema: Schema) -> None:
    make_old(engine, schema)
    before = described(engine)

    def refuse(_conn: sa.Connection) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        prepare(engine, schema, refuse)
    assert described(engine) == before


def test_broker_and_bridge_share_no_database(make: Callable[[str], sa.Engine]) -> None:
    for number, (first, second) in enumerate([(BROKER, BRIDGE), (BRIDGE, BROKER)]):
        engine = make(f"of-{number}")
        prepare(engine, first, nothing_more)
        with pytest.raises(UnusableDatabase, match="another program"):
            prepare(engine, second, nothing_more)


@pytest.mark.postgresql
def test_a_table_in_use_is_waited_for(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait behind us for as long as we wait, so we stand back and try again."""
    engine = connect(empty_database(postgresql_url))
    prepare(engine, BROKER, nothing_more)
    monkeypatch.setattr("helmbroker.database.migrate._LOCK_WAIT", "50ms")
    monkeypatch.setattr("helmbroker.database.migrate._PAUSE_S", 0.01)
    reader = engine.connect()
    reader.execute(sa.text("LOCK TABLE operations IN ACCESS SHARE MODE"))
    tried = threading.Event()

    def alter(conn: sa.Connection) -> None:
        conn.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        tried.set()
        conn.execute(sa.text("ALTER TABLE operations ADD COLUMN newer INTEGER"))

    going_on = threading.Thread(target=prepare, args=(engine, BROKER, alter))
    going_on.start()
    assert tried.wait(10)
    tried.clear()
    assert tried.wait(10)
    reader.close()
    going_on.join(10)
    assert not going_on.is_alive()
    assert "newer" in described(engine)["tables"]["operations"]["columns"]
    engine.dispose()


def test_alembic_is_loaded_only_for_a_change(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from helmbroker.broker.store.schema import SCHEMA\n"
        "from helmbroker.database import connect, prepare\n"
        "for _ in range(2):\n"
        f"    prepare(connect('sqlite:///{tmp_path}/x.db'), SCHEMA, lambda conn: None)\n"
        "print([name for name in sys.modules if name.startswith('alembic')])\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout == "[]\n"


@pytest.mark.processes
@SCHEMAS
def test_who_is_killed_while_changing_the_schema_has_changed_nothing(engine: sa.Engine, schema: Schema) -> None:
    make_old(engine, schema)
    before = described(engine)
    url = engine.url.render_as_string(hide_password=False)
    program = (
        "import sys\n"
        "from helmbroker.broker.store.schema import SCHEMA as broker\n"
        "from helmbroker.controller_bridge.store import SCHEMA as bridge\n"
        "from helmbroker.database import connect, prepare\n"
        "def wait(conn):\n    print('changed', flush=True)\n    sys.stdin.read()\n"
        f"prepare(connect({url!r}), {schema.owner}, wait)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"changed\n"
        killed.kill()
    assert described(engine) == before
    prepare(engine, schema, nothing_more)
    with engine.connect() as conn:
        assert conn.scalar(REVISION) == schema.revisions[-1]


@pytest.mark.processes
@SCHEMAS
def test_revisions_are_in_the_wheel(tmp_path: Path, schema: Schema) -> None:
    for each in ("helmbroker", "pyproject.toml", "README.md", "LICENSE"):
        source = Path(__file__).parents[2] / each
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / each)
    build = "import setuptools.build_meta as b; b.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    engine = connect(f"sqlite:///{tmp_path}/old.db")
    make_old(engine, schema)
    program = (
        "from helmbroker.broker.store.schema import SCHEMA as broker\n"
        "from helmbroker.controller_bridge.store import SCHEMA as bridge\n"
        "from helmbroker.database import connect, prepare\n"
        f"prepare(connect('sqlite:///{tmp_path}/old.db'), {schema.owner}, lambda conn: None)\n"
        "print(broker.migrations)\n"
    )
    places = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd="/", env=places, check=True, capture_output=True, text=True
    )
    assert shown.stdout.startswith(f"{tmp_path}/installed/")
    with engine.connect() as conn:
        assert conn.scalar(REVISION) == schema.revisions[-1]
    engine.dispose()
