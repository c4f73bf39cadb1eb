"""A database is made, or brought up to the schema of this program, while others work on it: decision 0018.

Migrations only expand, so a program of the version before works on the new schema. Two things are written in the
database: the revision says what has been done to it; the epoch (the fact `schema_version`) says how much a program
has to know to work on it, and grows only when the version before could not.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from helmbroker.database.errors import UnusableDatabase
from helmbroker.database.facts import fact
from helmbroker.database.place import MOUNTS, place, refuse_other_host, refuse_shared_file

_LOG = logging.getLogger("helmbroker.database")
_EPOCH = "schema_version"
_LOCK = 0x68656C6D  # PostgreSQL advisory lock: replicas start together, and do this one after the other
_LOCK_WAIT = "3s"  # everybody else waits behind us for a table as long as we wait for it
_TRIES, _PAUSE_S = 20, 1.0
_LOCKED = frozenset({"40P01", "55P03"})  # PostgreSQL: deadlock detected, lock not available
_FILE = re.compile(r"(?P<revision>(?P<owner>[a-z]+)_\d{4})_\w+\.py", re.ASCII)

# as alembic defines it: its own tools can read it
_VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True)
class Schema:
    """The tables of one program.

    owner: the word its revisions begin with. own: the table by which its databases are known.
    metadata: all tables, as a new database gets them. migrations: the folder of alembic revisions that lead
    there, in files OWNER_0001_WORDS.py, the first of which (the baseline) made databases without revisions.
    """

    owner: str
    own: sa.Table
    facts: sa.Table
    metadata: sa.MetaData
    migrations: Path
    epoch: int

    @cached_property
    def revisions(self) -> list[str]:
        """From the baseline to the newest one."""
        found = (_FILE.fullmatch(file.name) for file in self.migrations.iterdir())
        return sorted(match["revision"] for match in found if match and match["owner"] == self.owner)


def prepare(
    engine: sa.Engine, schema: Schema, then: Callable[[sa.Connection], None], *, mounts: Path = MOUNTS
) -> None:
    """Make the tables or bring them up to date, then call `then`, all in one transaction that is alone.

    Raises UnusableDatabase, or what `then` raises; then nothing has changed.
    """
    refuse_shared_file(engine, mounts)
    for tries_left in reversed(range(_TRIES)):
        try:
            with engine.begin() as conn:
                if conn.dialect.name == "postgresql":
                    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                refuse_other_host(conn)
                _bring_up(conn, schema)
                then(conn)
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCKED or not tries_left:
                raise
            _LOG.info("the database's tables are in use; its schema is brought up to date a little later")
            time.sleep(_PAUSE_S)
        else:
            return


def describe(engine: sa.Engine, schema: Schema) -> str:
    """In words for the operator: which database, where, its revision and its epoch."""
    with engine.connect() as conn:
        revision = conn.scalar(sa.select(_VERSIONS.c.version_num))
        epoch = conn.scalar(sa.select(schema.facts.c.value).where(schema.facts.c.name == _EPOCH))
    newer = "" if revision in schema.revisions else " of a newer version"
    kind = place(engine)
    where = engine.dialect.name if kind is None else f"{engine.dialect.name} on {kind}"
    return f"{where}, revision {revision}{newer}, schema version {epoch}"


def _bring_up(conn: sa.Connection, schema: Schema) -> None:
    tables = set(sa.inspect(conn).get_table_names())
    head = schema.revisions[-1]
    if schema.own.name not in tables:
        if others := sorted(tables & {_VERSIONS.name, *schema.metadata.tables}):
            raise UnusableDatabase(
                f"the database has tables of another program ({', '.join(others)}): give this one its own database"
            )
        schema.metadata.create_all(conn)
        _stamp(conn, head)
    else:
        if schema.facts.name in tables:
            _check_epoch(fact(conn, schema.facts, _EPOCH, str(schema.epoch)), schema.epoch)
        revision = conn.scalar(sa.select(_VERSIONS.c.version_num)) if _VERSIONS.name in tables else None
        _upgrade(conn, schema, revision or schema.revisions[0], head)
    fact(conn, schema.facts, _EPOCH, str(schema.epoch))


def _check_epoch(found: str, known: int) -> None:
    if not found.isdecimal() or int(found) > known:
        raise UnusableDatabase(
            f"the database has schema version {found}, this program knows {known}: run a newer version of it, "
            "or restore the backup that was made before the database was upgraded"
        )
    if int(found) < known:
        raise UnusableDatabase(
            f"the database has schema version {found}, of a version before the first release, and this program "
            f"needs {known}: there is no way up. Remove what it manages with the version it belongs to, then "
            "start with an empty database"
        )


def _upgrade(conn: sa.Connection, schema: Schema, revision: str, head: str) -> None:
    if revision not in schema.revisions:
        if not revision.startswith(f"{schema.owner}_"):
            raise UnusableDatabase(
                f"the database has revision {revision!r} of another program: give this one its own database"
            )
        _LOG.info("the database has revision %s of a newer version; this one knows %s", revision, head)
        return
    if revision != head:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
        _run(conn, schema, revision, head)
        _LOG.info("the database was brought from revision %s to %s", revision, head)
    _stamp(conn, head)


def _run(conn: sa.Connection, schema: Schema, revision: str, head: str) -> None:
    """With alembic, which is loaded only when it is needed: most starts do without."""
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    folder = str(schema.migrations)
    steps = list(ScriptDirectory(folder, version_locations=[folder]).iterate_revisions(head, revision))
    with Operations.context(MigrationContext.configure(conn)):
        for step in reversed(steps):
            step.module.upgrade()


def _stamp(conn: sa.Connection, revision: str) -> None:
    _VERSIONS.create(conn, checkfirst=True)
    if conn.execute(_VERSIONS.update().values(version_num=revision)).rowcount == 0:
        conn.execute(_VERSIONS.insert().values(version_num=revision))
