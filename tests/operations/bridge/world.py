"""A platform side whose broker, apps and clock are the test's: rows and operations are real, on SQLite."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from helmbroker.controller_bridge import sealing
from helmbroker.controller_bridge.apps.given import GivenSecrets
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.broker_port import DEFAULT, EXTERNAL, Broker
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.external import ExternalBroker
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.controller_bridge.operations.finish import on_finish
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource, Service
from helmbroker.controller_bridge.sharing import Sharing
from helmbroker.controller_bridge.store import OPERATIONS, Store
from helmbroker.database import connect
from helmbroker.durable import Operation
from helmbroker.sealing import KeyRing, Keys
from tests.fakes.app_releases import FakeAppReleases
from tests.fakes.kube import FakeKube
from tests.fakes.osb_broker import FakeBroker
from tests.operations.course import Course, Memory, Watched
from tests.operations.harness import Case, Hand

APP, OTHER_APP, DB = "shop", "blog", "my-db"
SEALER = sealing.Sealer(Keys(KeyRing({"k1": bytes(32)}, "k1")))


def breaks(variables: dict[str, str] | object) -> str | None:
    """The app does not run with a port of 666."""
    bad = isinstance(variables, dict) and variables.get("MY_DB_PORT") == "666"
    return "process type web: container web ended with exit code 3 (Error)" if bad else None


@cache
def _kept(folder: Path, sealer: sealing.Sealer) -> Store:
    """One database per folder: compiled statements are kept with their engine."""
    engine = connect(f"sqlite:///{folder / 'bridge.db'}")
    sa.event.listen(engine, "connect", _careless)
    return _prepared(engine, sealer)


def _careless(connection: sqlite3.Connection, _record: object) -> None:
    """Programs have worlds, too, and no conftest.py that says it for them."""
    connection.execute("PRAGMA synchronous=OFF")


def _prepared(engine: sa.Engine, sealer: sealing.Sealer) -> Store:
    store = Store(engine)
    store.prepare(sealer.keys)
    return store


def empty_store(folder: Path, engine: sa.Engine | None = None, sealer: sealing.Sealer = SEALER) -> Store:
    """The database of `folder`, or of `engine`, with nothing in it but what was audited."""
    store = _kept(folder, sealer) if engine is None else _prepared(engine, sealer)
    with store.writing() as conn:
        for table in ("operations", "resources", "external", "drycc_apps", "drycc_releases", "drycc_turns"):
            conn.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - names of ours
    return store


class World:
    """Everything of one test; the database of `folder`, or of `engine`, is emptied.

    `looks`: how often asynchronous work of broker and apps is in progress. first: the release before all of ours.
    """

    first = 1

    def __init__(
        self,
        folder: Path,
        *,
        looks: int = 1,
        engine: sa.Engine | None = None,
        grace_s: float = 0.0,
        sealer: sealing.Sealer = SEALER,
    ) -> None:
        self.store = empty_store(folder, engine, sealer)
        self.service = Service(self.store, sealer)
        self.broker = FakeBroker(looks=looks)
        self.apps = FakeAppReleases(rolling_looks=looks, breaks=breaks)
        self.apps.add_app(APP)
        self.apps.add_app(OTHER_APP)
        self.kube = FakeKube(APP, OTHER_APP)
        self.external = ExternalBroker(self.store, sealer, GivenSecrets(lambda: self.kube))
        self.each_broker: dict[str, Broker] = {DEFAULT: self.broker, EXTERNAL: self.external}
        self.brokers = Brokers(self.each_broker)
        self.sharing = Sharing(self.store)
        ports = Ports(self.store, self.brokers, self.apps, sealer, Pace(0.0, 0.0), grace_s)
        self.hand = Hand(self.store.engine, OPERATIONS, handlers(ports), on_finish=on_finish(self.store))

    def create(self, name: str = DB, plan: str = "small", *, app: str = APP, **options: str) -> Resource:
        """Ask for a resource; nothing is done yet."""
        return self.service.create(NewResource(app, name, "postgresql", plan, options), "alice")

    def elsewhere(self, name: str = DB, plan: str = "credentials", **options: str) -> Resource:
        """A resource of the class `external` that is ready."""
        asked = NewResource(APP, name, "external", plan, options or {"uri": "postgres://one", "port": "5432"})
        self.run(self.service.create(asked, "alice").instance_operation)
        return self.resource(name)

    def shared(self) -> Resource:
        """A resource that has the instance of the other app's one."""
        self.run(self.create(app=OTHER_APP).instance_operation)
        return self.sharing.share(APP, DB, (OTHER_APP, DB), "alice")

    def run(self, operation_id: str | None) -> Operation:
        """Run one operation to its end."""
        assert operation_id is not None
        return self.hand.run(operation_id)

    def shorten(self, operation_id: str, *, to_s: float) -> None:
        """Leave an operation only so many seconds until its deadline."""
        with self.store.writing() as conn:
            values = {"to_s": to_s, "id": operation_id}
            conn.execute(sa.text("UPDATE operations SET deadline = created_at + :to_s WHERE id = :id"), values)

    def created(self, name: str = DB) -> Resource:
        """A resource that is ready."""
        self.run(self.create(name).instance_operation)
        return self.resource(name)

    def bound(self, name: str = DB) -> Resource:
        """A resource whose credentials are live in the app."""
        self.created(name)
        self.run(self.service.bind(APP, name, "alice").binding_operation)
        return self.resource(name)

    def resource(self, name: str = DB, *, app: str = APP) -> Resource:
        """The row as it is now."""
        return self.service.look(app, name)[0]

    def message(self, name: str = DB) -> str:
        """What users are told about the resource now."""
        return self.service.look(APP, name)[1]

    def states(self, name: str = DB) -> tuple[InstanceState, BindingState]:
        """Where instance and binding stand."""
        resource = self.resource(name)
        return resource.instance, resource.binding

    def watched_apps(self, course: Course) -> AppReleases:
        """The port, whose calls are places."""
        return cast("AppReleases", Watched(self.apps, "apps", course))

    def memory(self) -> Memory:
        """What is not in the database, to be put back."""
        return Memory(self.broker, self.apps)

    def config(self) -> list[str]:
        """The config groups that the app's next release begins with."""
        newest = self.apps.page(APP, limit=1, offset=0)[1]
        return sorted(newest[0].config) if newest else []

    def lose_credentials(self) -> None:
        """A build whose repository brings its own config."""
        self.apps.replace_config(APP)

    def environment(self) -> dict[str, str]:
        """What the app's pods have from us."""
        return self.apps.apps[APP].running

    def kept(self) -> int:
        """Of how many instances and bindings of external services something is kept."""
        with self.store.reading() as conn:
            return int(conn.scalar(sa.text("SELECT count(*) FROM external")) or 0)

    def offered(self) -> list[str]:
        """The Secrets for others in the app's namespace."""
        return sorted(self.apps.apps[APP].offered)

    def ledger(self) -> list[tuple[int, str, list[str]]]:
        """Releases of the app, oldest first: number, state, config groups."""
        return [(one.version, str(one.state), sorted(one.config)) for one in reversed(self.apps.releases(APP))]

    def case(self, operation_id: str | None) -> Case:
        """For `assert_same_end`: what users, broker and app see must be the same after every disturbance."""
        assert operation_id is not None
        return Case(self.hand, operation_id, self.observe)

    def observe(self) -> object:
        """Everything that outlives an operation, without ids that differ from run to run."""
        count, rows = self.service.page(APP, limit=10, offset=0)
        states = [(row.name, row.instance, row.binding, len(row.bindings), row.message) for row in rows]
        things = (len(self.broker.instances), len(self.broker.bindings), self.kept())
        return count, states, things, self.ledger(), sorted(self.environment()), self.offered()
