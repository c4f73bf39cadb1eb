"""All that the bridge has recorded as one file, and back into an empty database. What is sealed stays sealed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from helmbroker.audit import Outcome
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.settings import SetupError
from helmbroker.controller_bridge.store import DRYCC, OPERATIONS, SCHEMA, WORKERS, Store
from helmbroker.database import at_one_moment, reader
from helmbroker.database.rows import NotExported, lines, restore
from helmbroker.durable import State
from helmbroker.sealing import KeyRingError, Keys

_NAMED = 5  # so many operations are named
_OF_THE_MOMENT = (WORKERS, DRYCC.turns)
_BEGUN = (SCHEMA.facts, SCHEMA.metadata.tables["audit_head"])  # what a new database has rows in


def export(store: Store) -> Iterator[str]:
    """A line for each row of the database, all of one moment. Raises SetupError, before the first line.

    Not while there are operations that have not ended: another bridge would go on with them as well. Schedules
    never end, and begin again there.
    """
    with at_one_moment(reader(store.engine)).connect() as conn:
        columns = OPERATIONS.c
        unfinished = (columns.state.in_([State.QUEUED, State.RUNNING]), columns.kind.in_(list(Kind)))
        query = sa.select(columns.kind, columns.params).where(*unfinished).order_by(columns.seq)
        if busy := conn.execute(query.limit(_NAMED)).all():
            named = ", ".join(f"{kind} of {params.get('app')}" for kind, params in busy)
            raise SetupError(f"there are operations that have not ended ({named}); wait for them")
        yield from lines(conn, SCHEMA, without=_OF_THE_MOMENT)


def import_all(store: Store, keys: Keys, found: Iterable[str]) -> dict[str, int]:
    """What was exported, into an empty database; how many rows each table got.

    Raises SetupError; then nothing is written.
    """
    try:
        with store.writing() as conn:
            _make_way(conn)
            numbers = restore(conn, SCHEMA, found)
            store.check_facts(keys, conn)
            store.audit.tell(conn, Event("import", Outcome.DONE, detail=dict(numbers)))
    except NotExported as error:
        raise SetupError(f"the file cannot be imported: {error}") from None
    except KeyRingError as error:
        raise SetupError(f"the file was made with another key ring: {error}") from None
    return numbers


def _make_way(conn: sa.Connection) -> None:
    """Take away what a new database begins with. Raises SetupError when it has more."""
    for table in SCHEMA.metadata.sorted_tables:
        if table in _BEGUN:
            conn.execute(sa.delete(table))
        elif table not in _OF_THE_MOMENT and conn.execute(sa.select(table).limit(1)).first() is not None:
            raise SetupError(f"the database has {table.name} already; import writes into an empty one only")
