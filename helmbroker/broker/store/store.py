"""The database as a whole: tables, transactions, addon revisions."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from helmbroker.audit import Verdict, who
from helmbroker.audit.chain import KEY_BYTES, Chain
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.audit import BROKER, Entry, Event
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.sources import Provenance, Retired
from helmbroker.broker.store import catalog, polling, revisions
from helmbroker.broker.store.audit import entry, row
from helmbroker.broker.store.operators import ending
from helmbroker.broker.store.overview import SqlOverview
from helmbroker.broker.store.records import SqlRecords
from helmbroker.broker.store.schema import (
    SCHEMA,
    addon_revisions,
    audit,
    audit_head,
    facts,
    instances,
    operations,
)
from helmbroker.broker.store.sealed import AUDIT_KEY
from helmbroker.broker.store.watch import SqlWatch
from helmbroker.catalog.model import Catalog
from helmbroker.catalog.sources.model import Listed
from helmbroker.catalog.sources.reading import Reading
from helmbroker.database import OUTAGE, at_one_moment, connect, describe, fact, prepare, reader
from helmbroker.durable import Operation, Queue
from helmbroker.sealing import Keys, KeysAway
from helmbroker.sealing.stored import check, sealed_fact
from helmbroker.telemetry.carried import carried

_LOG = logging.getLogger("helmbroker.store")
_TURN_S = 20.0
_LOCK = 0x68656C6D  # PostgreSQL advisory locks of ours
_LOCK_INSTANCE = sa.text(f"SELECT pg_advisory_xact_lock({_LOCK}, :number)")


class SqlStore:
    """The port Store. Make it after a fork, never before."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.engine = connect(url)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _overwrite_what_is_deleted)
        self.queue = Queue(self.engine, operations, carried)
        self._reader = reader(self.engine)
        # one statement needs no transaction, which on PostgreSQL would be two more ways to the server
        postgresql = self.engine.dialect.name == "postgresql"
        self._poller = self.engine.execution_options(isolation_level="AUTOCOMMIT") if postgresql else self._reader
        self._keys = keys
        self._writing = threading.Lock()

    def prepare(self) -> None:
        """Make the tables or bring them up to date; others may work on them meanwhile.

        Raises UnusableDatabase, KeyRingError; then nothing has changed.
        """
        prepare(self.engine, SCHEMA, self._check_facts)

    def describe(self) -> str:
        """In words for the operator: which database, where, its schema."""
        return describe(self.engine, SCHEMA)

    def _check_facts(self, conn: sa.Connection) -> None:
        fact(conn, facts, "broker_id", secrets.token_hex(8))
        check(conn, facts, self._keys)
        key = sealed_fact(conn, facts, AUDIT_KEY, self._keys, secrets.token_bytes(KEY_BYTES))
        Chain(audit, audit_head, key).begin(conn)

    @cached_property
    def broker_id(self) -> str:
        """16 hex digits, made once per database: how what we make in the cluster is told from everything else."""
        with self._reader.connect() as conn:
            return str(conn.scalar(sa.select(facts.c.value).where(facts.c.name == "broker_id")))

    @cached_property
    def audit(self) -> Chain:
        """Who did what. Raises Unavailable, KeyRingError."""
        with _outages(), self._reader.connect() as conn:
            return Chain(audit, audit_head, sealed_fact(conn, facts, AUDIT_KEY, self._keys, b""))

    def ended(self, conn: sa.Connection, operation: Operation) -> None:
        """For the worker: an operation has ended, in the transaction `conn` that says so."""
        self.audit.append(conn, [row(BROKER, ending(operation))])

    def entries(self, *, instance_id: str | None = None, newest: int | None = None) -> Iterator[Entry]:
        """Of the audit, in their order: of one instance, or the newest ones alone. Raises Unavailable."""
        with _outages(), self._reader.connect() as conn:
            where = [] if instance_id is None else [audit.c.instance_id == instance_id]
            yield from map(entry, self.audit.entries(conn, *where, newest=newest))

    def verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        """See helmbroker.audit.chain. Raises Unavailable."""
        chain = self.audit
        with _outages(), at_one_moment(self._reader).connect() as conn:
            return chain.verify(conn, anchor)

    def poll(self, instance_id: str, binding_id: str | None, operation_id: str | None) -> Operation | None:
        """See the port."""
        with _outages(), self._poller.connect() as conn:
            return polling.poll(conn, instance_id, binding_id, operation_id)

    @contextmanager
    def read(self) -> Iterator[SqlRecords]:
        """Raises Unavailable."""
        with _outages(), self._reader.connect() as conn:
            yield SqlRecords(conn, self.queue, self._keys)

    @contextmanager
    def transaction(self) -> Iterator[SqlRecords]:
        """Raises Unavailable."""
        chain, events = self.audit, list[Event]()
        with _outages(), self._turn(), self.engine.begin() as conn:
            yield SqlRecords(conn, self.queue, self._keys, alone=self._alone, tell=events.append)
            if events:
                chain.append(conn, [row(who(BROKER), event) for event in events])

    @contextmanager
    def watch(self) -> Iterator[SqlWatch]:
        """Raises Unavailable."""
        with _outages(), self._reader.connect() as conn:
            yield SqlWatch(conn, self.queue)

    @contextmanager
    def overview(self) -> Iterator[SqlOverview]:
        """What operators see. Raises Unavailable."""
        with _outages(), self._reader.connect() as conn:
            yield SqlOverview(conn)

    def on(self, conn: sa.Connection, *, decides: bool = False) -> SqlRecords:
        """Records in somebody else's transaction: that of a durable operation, with its fence.

        decides: about instances, as requests do, and so alone with each.
        """
        alone = self._alone if decides else None
        return SqlRecords(conn, self.queue, self._keys, alone=alone, tell=partial(self._tell, conn))

    def _tell(self, conn: sa.Connection, event: Event) -> None:
        self.audit.append(conn, [row(who(BROKER), event)])

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite one writer at a time, in this process: its own way of waiting is to sleep and try again."""
        if self.engine.dialect.name != "sqlite":
            yield
            return
        if not self._writing.acquire(timeout=_TURN_S):
            raise Unavailable("The broker's database is busy. Try again.")
        try:
            yield
        finally:
            self._writing.release()

    def _alone(self, conn: sa.Connection, instance_id: str) -> None:
        """Let nobody else decide about this instance until the transaction ends."""
        if conn.dialect.name == "postgresql":  # on SQLite transactions that may write are alone anyway
            number = int(naming.digest(instance_id, length=8), 16)
            conn.execute(_LOCK_INSTANCE, {"number": number - (1 << 31)})

    def keep(self, offered: Catalog) -> None:
        """Keep every addon of a catalog as a revision, so that instances can pin it."""
        with self.engine.begin() as conn:
            _one_at_a_time(conn)
            catalog.keep(conn, offered.addons)

    def listed(self) -> tuple[Listed, ...]:
        """See the port Catalogs."""
        with _outages(), self._reader.connect() as conn:
            return catalog.listed(conn)

    def retired(self) -> frozenset[Retired]:
        """See the port Catalogs."""
        with _outages(), self._reader.connect() as conn:
            return catalog.retirements(conn)

    def provenance(self) -> Provenance:
        """See the port Catalogs."""
        with _outages(), self._reader.connect() as conn:
            return Provenance(catalog.sources(conn), catalog.listed(conn))

    def replace(self, before: Sequence[Listed], names: Sequence[str], reading: Reading) -> bool:
        """See the port Catalogs."""
        with _outages(), self._turn(), self.engine.begin() as conn:
            _one_at_a_time(conn)
            if catalog.listed(conn) != tuple(before):
                return False
            catalog.note(conn, names, reading.standings)
            if reading.changed:
                catalog.keep(conn, reading.catalog.addons)
                catalog.list_anew(conn, reading.listed)
            return True

    def is_empty(self) -> bool:
        """See the port Restorable."""
        with self._reader.connect() as conn:
            return conn.scalar(sa.select(sa.func.count()).select_from(instances)) == 0

    def become(self, broker_id: str) -> None:
        """See the port Restorable."""
        with self.engine.begin() as conn:
            conn.execute(facts.update().where(facts.c.name == "broker_id").values(value=broker_id))
        self.__dict__.pop("broker_id", None)

    def keep_revision(self, digest: str, packed: bytes | None) -> bool:
        """See the port Restorable."""
        if self.packed(digest) is not None:
            return True
        if packed is None or not revisions.is_that(packed, digest):
            return False
        with self.engine.begin() as conn:
            conn.execute(addon_revisions.insert().values(digest=digest, packed=packed))
        return True

    def packed(self, digest: str) -> bytes | None:
        """An addon revision as it was packed."""
        with self._reader.connect() as conn:
            query = sa.select(addon_revisions.c.packed).where(addon_revisions.c.digest == digest)
            packed: bytes | None = conn.scalar(query)
            return packed

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _overwrite_what_is_deleted(connection: Any, _record: object) -> None:
    """Of forgotten credentials not even the ciphertext stays in the file."""
    connection.execute("PRAGMA secure_delete=ON")


@contextmanager
def _outages() -> Iterator[None]:
    """A database that is away, full or locked, or keys that are away: nobody's fault who calls. 503, and a log."""
    try:
        yield
    except OUTAGE as error:
        _LOG.error("the database cannot be used: %s", error.orig if isinstance(error, sa.exc.DBAPIError) else error)
        raise Unavailable(
            "The broker's database cannot be used now (away, or its disk is full). Try again."
        ) from None
    except KeysAway as error:
        _LOG.error("%s", error)
        raise Unavailable(
            "The broker cannot open what it keeps sealed now: the keys are away. Try again."
        ) from None


def _one_at_a_time(conn: sa.Connection) -> None:
    """Replicas start together: they do this one after the other."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
