"""The platform side's rows: `resources`, and `external` for credentials that users give, sealed.

SQL is only here, in `drycc_store`, `numbers` and in `durable`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from helmbroker import durable
from helmbroker.controller_bridge import drycc_tables, sealing
from helmbroker.controller_bridge.audited import AUDIT_KEY, Audited, AuditedQueue, define_audit
from helmbroker.controller_bridge.broker_port import DEFAULT
from helmbroker.controller_bridge.delivery import EnvMapping
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.database import Schema, define_facts, now, partial_index, prepare, reader, seen
from helmbroker.durable import JSON
from helmbroker.durable.queue import read_row
from helmbroker.sealing import Keys
from helmbroker.sealing.stored import Column, check, sealed_facts
from helmbroker.status.workers import WorkerSeen
from helmbroker.telemetry.carried import carried

_METADATA = sa.MetaData()
OPERATIONS = durable.define(_METADATA)
sa.Index("operations_counted", OPERATIONS.c.id, OPERATIONS.c.kind, OPERATIONS.c.state)  # as in the broker
WORKERS = _METADATA.tables["workers"]
DRYCC = drycc_tables.define(_METADATA)
_FACTS = define_facts(_METADATA)
_ALIVE = sa.text("deleted IS NULL")
_MISSING = sa.select(DRYCC.apps.c.app).where(DRYCC.apps.c.missing_since.is_not(None))
RESOURCES = sa.Table(
    "resources",
    _METADATA,
    sa.Column("uuid", sa.String(36), primary_key=True),
    sa.Column("app", sa.String(63), nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    sa.Column("service", sa.String(255), nullable=False),
    sa.Column("plan", sa.String(255), nullable=False),
    sa.Column("service_id", sa.String(255)),
    sa.Column("plan_id", sa.String(255)),
    sa.Column("instance_id", sa.String(36), nullable=False, unique=True),
    sa.Column("binding_id", sa.String(36), unique=True),
    sa.Column("instance", sa.String(32), nullable=False),
    sa.Column("binding", sa.String(32), nullable=False),
    sa.Column("instance_operation", sa.String(36), nullable=False),
    sa.Column("binding_operation", sa.String(36)),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("sealed_options", sa.Text),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("created", sa.Double, nullable=False),  # seconds since the epoch, like the other two
    sa.Column("updated", sa.Double, nullable=False),
    sa.Column("deleted", sa.Double),
    sa.Column("other_bindings", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("rotate_every_s", sa.Double),
    sa.Column("renew_before", sa.Double),
    sa.Column("rotate_at", sa.Double, index=True),
    sa.Column("env", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("broker", sa.String(63), nullable=False, server_default=DEFAULT),
    sa.Column("shared_from", sa.String(36), index=True),  # uuid of the resource that has the instance
    partial_index("resources_name", "app", "name", unique=True, where=_ALIVE),
)
_AUDIT = define_audit(_METADATA)
EXTERNAL = sa.Table(
    "external",
    _METADATA,
    sa.Column("id", sa.String(36), primary_key=True),  # of an instance, or of a binding
    sa.Column("instance_id", sa.String(36), nullable=False, index=True),
    sa.Column("sealed_credentials", sa.Text, nullable=False),
)
SCHEMA = Schema(
    owner="bridge",
    own=RESOURCES,
    facts=_FACTS,
    metadata=_METADATA,
    migrations=Path(__file__).parent / "migrations" / "versions",
    epoch=1,
)
_T = RESOURCES.c
_OWN = [column for column in _T if column.name not in {"sealed_options", "deleted"}]
# What a sharing resource has of the one whose instance it is; its own columns of that name hold nothing of use.
_OF = RESOURCES.alias("source")
_FOLLOWED = ("service", "plan", "service_id", "plan_id", "instance_id", "broker")
_SHOWN: list[sa.ColumnElement[Any]] = [
    *(column for column in _OWN if column.name not in {*_FOLLOWED, "instance"}),
    *(sa.func.coalesce(_OF.c[name], _T[name]).label(name) for name in _FOLLOWED),
    sa.case(
        (_T.instance == InstanceState.READY, sa.func.coalesce(_OF.c.instance, _T.instance)), else_=_T.instance
    ).label("instance"),
    sa.case((_OF.c.uuid.is_not(None), _OF.c.app + "/" + _OF.c.name)).label("source"),
]
_ROWS = sa.select(*_SHOWN).select_from(RESOURCES.outerjoin(_OF, _OF.c.uuid == _T.shared_from))


class NameTaken(Exception):
    """The app has a living resource of this name."""


class Store:
    """Rows of resources. Methods that take a connection work in the caller's transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._reader = reader(engine)
        self.audit = Audited(*_AUDIT, self._reader, _name)
        # in the same database: a row and its operation change in one transaction
        self.queue: durable.Queue = AuditedQueue(engine, OPERATIONS, self.audit, carried)
        self._options = Column(engine, RESOURCES.c.sealed_options, sealing.place, sealing.TEXT)
        external = partial(sealing.place, what=sealing.CREDENTIALS)
        self._external = Column(engine, EXTERNAL.c.sealed_credentials, external, sealing.TEXT)

    def prepare(self, keys: Keys) -> None:
        """Make the tables or bring them up to date; others may work on them meanwhile.

        Raises UnusableDatabase, KeyRingError; then nothing has changed.
        """
        prepare(self.engine, SCHEMA, partial(self.check_facts, keys))

    def check_facts(self, keys: Keys, conn: sa.Connection) -> None:
        """Whether the keys are those of this database. The caller is alone. Raises KeyRingError."""
        check(conn, _FACTS, keys, self._options)
        self.audit.open(conn, _FACTS, keys)

    def sealed(self) -> list[Column]:
        """The columns that hold sealed secrets."""
        return [self._options, self._external, sealed_facts(self.engine, _FACTS, AUDIT_KEY)]

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that may write."""
        with self.engine.begin() as conn:
            yield conn

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A snapshot that waits for no writer."""
        with self._reader.connect() as conn:
            yield conn

    def insert(self, conn: sa.Connection, resource: Resource, sealed_options: str | None) -> None:
        """Add a row. Raises NameTaken."""
        values = {column.name: getattr(resource, column.name) for column in _OWN} | {"env": resource.env.stored()}
        try:
            with conn.begin_nested():
                conn.execute(sa.insert(RESOURCES).values(**values, sealed_options=sealed_options))
        except sa.exc.IntegrityError:
            raise NameTaken(resource.name) from None

    def find(self, conn: sa.Connection, app: str, name: str, *, lock: bool = False) -> Resource | None:
        """The living resource of this name; `lock` keeps others from changing it until the transaction ends."""
        return _one(conn, _ROWS.where(_T.app == app, _T.name == name, _T.deleted.is_(None)), lock=lock)

    def get(self, conn: sa.Connection, uuid: str, *, lock: bool = False) -> Resource | None:
        """The resource, also when it is deleted; `lock` as in `find`."""
        return _one(conn, _ROWS.where(_T.uuid == uuid), lock=lock)

    def sharing(self, conn: sa.Connection, uuid: str) -> list[str]:
        """Which living resources have the instance of this one, as `app/name`."""
        query = sa.select(_T.app, _T.name).where(_T.shared_from == uuid, _T.deleted.is_(None))
        return [f"{app}/{name}" for app, name in conn.execute(query.order_by(_T.app, _T.name))]

    def page(self, conn: sa.Connection, app: str, *, limit: int, offset: int) -> tuple[int, Sequence[Resource]]:
        """How many living resources the app has, and some of them, newest first."""
        mine = (_T.app == app, _T.deleted.is_(None))
        count = conn.scalar(sa.select(sa.func.count()).select_from(RESOURCES).where(*mine)) or 0
        query = _ROWS.where(*mine).order_by(_T.created.desc(), _T.uuid).limit(limit).offset(offset)
        return count, [_resource(row) for row in conn.execute(query).mappings()]

    def sealed_options(self, conn: sa.Connection, uuid: str) -> str | None:
        """What has to be sent to the broker still; None when there is nothing, or nothing any more."""
        return conn.scalar(sa.select(_T.sealed_options).where(_T.uuid == uuid))

    def forget_options(self, conn: sa.Connection, uuid: str) -> None:
        """The broker has accepted them: they are its matter now."""
        conn.execute(sa.update(RESOURCES).where(_T.uuid == uuid).values(sealed_options=None))

    def set_catalog_ids(self, conn: sa.Connection, uuid: str, broker: str, service_id: str, plan_id: str) -> None:
        """Which broker has the service, and what it calls it and the plan."""
        values = {"broker": broker, "service_id": service_id, "plan_id": plan_id}
        conn.execute(sa.update(RESOURCES).where(_T.uuid == uuid).values(**values))

    def change(
        self,
        conn: sa.Connection,
        uuid: str,
        *,
        instance: InstanceState | None = None,
        binding: BindingState | None = None,
        message: str | None = None,
        **others: JSON,
    ) -> None:
        """Change states and message, and (as keywords) ids of bindings and operations, and when it is rotated."""
        values: dict[str, Any] = {"updated": time.time(), **others}
        given = {"instance": instance, "binding": binding, "message": message}
        values |= {name: value for name, value in given.items() if value is not None}
        conn.execute(sa.update(RESOURCES).where(_T.uuid == uuid).values(**values))

    def living(self, conn: sa.Connection, app: str, *, lock: bool = False) -> list[Resource]:
        """The resources of an app, by name; `lock` as in `find`."""
        query = _ROWS.where(_T.app == app, _T.deleted.is_(None)).order_by(_T.name)
        rows = conn.execute(query.with_for_update(of=RESOURCES) if lock else query).mappings()
        return [_resource(row) for row in rows]

    def gone(self, conn: sa.Connection, app: str) -> set[str]:
        """The names of resources that the app has had, while their tombstones last."""
        return set(conn.scalars(sa.select(_T.name).where(_T.app == app, _T.deleted.is_not(None))))

    def missing(self, conn: sa.Connection, app: str) -> bool:
        """Whether its controller does not know the app, or has another one of its name."""
        return conn.scalar(_MISSING.where(DRYCC.apps.c.app == app)) is not None

    def now(self, conn: sa.Connection) -> float:
        """Seconds since the epoch on the database's clock: by it credentials become due, whoever looks."""
        return float(conn.execute(sa.select(now(conn))).scalar_one())

    def due(self, conn: sa.Connection) -> list[Resource]:
        """Whose credentials are to be replaced by now, oldest first, locked; not while they change anyway.

        Nor those of an app that is missing: whoever has its name would get them.
        """
        due = (_T.rotate_at <= now(conn), _T.binding == BindingState.READY, _T.deleted.is_(None))
        query = (
            _ROWS.where(*due, _T.app.not_in(_MISSING))
            .order_by(_T.rotate_at)
            .with_for_update(skip_locked=True, of=RESOURCES)
        )
        return [_resource(row) for row in conn.execute(query).mappings()]

    def left(self, conn: sa.Connection) -> list[Resource]:
        """What has bindings beside that of its app while nothing changes them, locked."""
        others = sa.cast(_T.other_bindings, sa.Text) != "[]"
        query = _ROWS.where(others, _T.binding == BindingState.READY, _T.deleted.is_(None)).order_by(_T.uuid)
        found = conn.execute(query.with_for_update(skip_locked=True, of=RESOURCES)).mappings()
        return [_resource(row) for row in found]

    def rotating(self, conn: sa.Connection) -> int:
        """Of how many resources the credentials are being replaced."""
        going_on = (_T.binding == BindingState.ROTATING, _T.deleted.is_(None))
        return int(conn.execute(sa.select(sa.func.count()).where(*going_on)).scalar_one())

    def keep_external(self, conn: sa.Connection, id_: str, instance_id: str, sealed: str) -> None:
        """What an external service is reached by: `id_` is that of the instance, or of one of its bindings."""
        values = {"id": id_, "instance_id": instance_id, "sealed_credentials": sealed}
        if not conn.execute(sa.update(EXTERNAL).where(EXTERNAL.c.id == id_).values(**values)).rowcount:
            conn.execute(sa.insert(EXTERNAL).values(**values))

    def external(self, conn: sa.Connection, id_: str) -> str | None:
        """What was kept, sealed; None when there is nothing, or nothing any more."""
        return conn.scalar(sa.select(EXTERNAL.c.sealed_credentials).where(EXTERNAL.c.id == id_))

    def forget_external(self, conn: sa.Connection, id_: str) -> None:
        """Of a binding; of an instance with all its bindings."""
        conn.execute(sa.delete(EXTERNAL).where(sa.or_(EXTERNAL.c.id == id_, EXTERNAL.c.instance_id == id_)))

    def operations(self, conn: sa.Connection, resource: Resource, *, most: int) -> list[durable.Operation]:
        """Those of this resource, newest first; they are kept for as long as `retention` says."""
        t = OPERATIONS.c
        mine = (
            t.subject.in_([resource.subject, resource.app_subject]),
            t.params["resource"].as_string() == resource.uuid,
        )
        query = sa.select(OPERATIONS).where(*mine).order_by(t.seq.desc()).limit(most)
        return [read_row(row) for row in conn.execute(query)]

    def workers(self, conn: sa.Connection) -> list[WorkerSeen]:
        """All workers that have told of themselves."""
        return [WorkerSeen(*row) for row in seen(conn, WORKERS)]

    def delete(self, conn: sa.Connection, uuid: str) -> None:
        """Tombstone: the name is free again, the row stays for whoever looks for traces."""
        moment = time.time()
        values = {"deleted": moment, "updated": moment, "sealed_options": None}
        conn.execute(sa.update(RESOURCES).where(_T.uuid == uuid).values(**values))


def _name(conn: sa.Connection, uuid: str) -> str | None:
    return conn.scalar(sa.select(_T.name).where(_T.uuid == uuid))


def _one(conn: sa.Connection, query: sa.Select[Any], *, lock: bool) -> Resource | None:
    row = conn.execute(query.with_for_update(of=RESOURCES) if lock else query).mappings().first()
    return None if row is None else _resource(row)


def _resource(row: sa.RowMapping) -> Resource:
    states = {"instance": InstanceState(row["instance"]), "binding": BindingState(row["binding"])}
    lists = {"other_bindings": tuple(row["other_bindings"]), "env": EnvMapping.read(row["env"])}
    return Resource(**{**row, **states, **lists})
