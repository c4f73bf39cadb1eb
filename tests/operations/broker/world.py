"""A broker without processes: the real service, store, operations and engine; helm and cluster are fakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.kept import Kept, Stage, opened
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import (
    BindRequest,
    DeprovisionRequest,
    ProvisionRequest,
    UnbindRequest,
    UpdateRequest,
)
from helmbroker.broker.gate import Grants
from helmbroker.broker.operations.work import Patience, Tools
from helmbroker.broker.service import Accepted, Service
from helmbroker.broker.store.schema import facts, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.broker.worker import handlers
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import JSON, Addon, Catalog, Object
from helmbroker.durable import Operation, State
from helmbroker.sealing import KeyRing, Keys
from tests.fakes.cluster import FakeCluster
from tests.fakes.helm import FakeHelm
from tests.fakes.revisions import FakeAddonRevisions
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.harness import Hand

ADDON = native.load(Path(__file__).parent / "ledger")
TEMPLATE = "chart/bind.yaml"  # of the same revision, if it had no binding chart
SHARING = replace(ADDON, plans=tuple(replace(plan, credentials_template=TEMPLATE) for plan in ADDON.plans))
NAMESPACE, INSTANCE, BINDING, BROKER = "instances", "an instance", "a binding", "0123456789abcdef"
KEYS = Keys(KeyRing({"1": bytes(32)}, "1"))
RELEASE = naming.instance_release(NAMESPACE, BROKER, INSTANCE)
BINDING_RELEASE = naming.binding_release(RELEASE, INSTANCE, BINDING)
CANARY = "c4n4ry-7f3a"  # a parameter whose value nobody may read anywhere


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Everything, and what a platform may ask."""

    store: SqlStore
    cluster: FakeCluster
    helm: FakeHelm
    service: Service
    hand: Hand
    clock: Clock
    tools: Tools
    revisions: FakeAddonRevisions

    def offer(self, addon: Addon) -> None:
        """The broker is restarted with this revision of the addon in its catalog."""
        self.store.keep(Catalog((addon,)))
        self.revisions.put(addon)
        catalog, room = Catalog((addon,)), FakeWaitingRoom(self.store)
        self.service = Service(self.store, lambda: catalog, self.revisions, NAMESPACE, room)

    def take_over(self, other: World) -> None:
        """The cluster of another broker, whose database is lost."""
        self.cluster, self.helm = other.cluster, other.helm
        self.tools = replace(self.tools, helm=other.helm, cluster=other.cluster)

    def service_again(self) -> None:
        """The broker is started on what its database has by now."""
        self.store.keep(Catalog((ADDON,)))
        self.tools = replace(self.tools, broker_id=self.store.broker_id)
        self.hand = Hand(self.store.engine, operations, handlers(self.store, self.tools))
        room = FakeWaitingRoom(self.store)
        self.service = Service(self.store, lambda: Catalog((ADDON,)), self.revisions, NAMESPACE, room)

    def grant(self, **given: Any) -> None:
        """The operator grants this to the addon, and starts the worker anew."""
        self.tools = replace(self.tools, grants={ADDON.name: Grants(**given)})
        self.hand = Hand(self.store.engine, operations, handlers(self.store, self.tools))

    def provision(self, *, plan: str = "small", **parameters: JSON) -> str:
        chosen = next(each for each in ADDON.plans if each.name == plan)
        request = ProvisionRequest(
            INSTANCE, ADDON.id, chosen.id, "org", "space", Parameters(parameters), {}, None, accepts_incomplete=True
        )
        return _id(self.service.provision(request))

    def update(self, *, plan: str | None = None, version: str | None = None, **parameters: JSON) -> str:
        """Ask for a change; `version`: of the addon revision to upgrade to."""
        plan_id = next((each.id for each in ADDON.plans if each.name == plan), None)
        request = UpdateRequest(INSTANCE, ADDON.id, plan_id, Parameters(parameters), None, version, True)
        return _id(self.service.update(request))

    def bind(self, binding_id: str = BINDING, context: Object | None = None, **parameters: JSON) -> str:
        plan = self.instance().instance.plan_id
        request = BindRequest(
            INSTANCE,
            binding_id,
            ADDON.id,
            plan,
            None,
            Parameters(parameters),
            context or {},
            accepts_incomplete=True,
        )
        return _id(self.service.bind(request))

    def unbind(self, binding_id: str = BINDING) -> str:
        return _id(self.service.unbind(UnbindRequest(INSTANCE, binding_id, accepts_incomplete=True)))

    def deprovision(self) -> str:
        return _id(self.service.deprovision(DeprovisionRequest(INSTANCE, accepts_incomplete=True)))

    def run(self, operation_id: str) -> Operation:
        return self.hand.run(operation_id)

    def succeed(self, operation_id: str) -> Operation:
        end = self.run(operation_id)
        assert end.state is State.SUCCEEDED, end.description
        return end

    def fail(self, operation_id: str) -> str:
        end = self.run(operation_id)
        assert end.state is State.FAILED, end
        return end.description

    def time_is_over(self) -> None:
        """The deadlines of all operations have passed; they had a second."""
        with self.store.engine.begin() as conn:
            conn.execute(self.hand.table.update().values(deadline=1.0, created_at=0.0))

    def instance(self) -> InstanceRecord:
        with self.store.read() as records:
            found = records.instance(INSTANCE)
        assert found is not None
        return found

    def binding(self, binding_id: str = BINDING) -> BindingRecord | None:
        with self.store.read() as records:
            return records.binding(INSTANCE, binding_id)

    def observe(self) -> object:
        """What is in the cluster and in the records, ids of operations and passwords apart."""
        releases = {
            ref.name: (release.status, sorted(release.labels), dict(release.values))
            for ref, release in self.cluster.releases.items()
        }
        things = sorted((thing.kind, thing.name) for thing in self.cluster.all())
        record, binding = self.instance(), self.binding()
        delivered = None if binding is None else binding.binding.credentials
        shown = None if delivered is None else sorted(delivered.reveal())
        instance = record.instance
        recorded = instance.plan_id, instance.parameters.reveal(), instance.addon_digest
        unsettled = record.wanted, record.return_to
        phases = record.phase, None if binding is None else binding.phase
        return releases, things, phases, recorded, unsettled, shown, self.remembered()

    def remembered(self) -> dict[str, object]:
        """What the cluster remembers: the stage, whether it is the record's thing, and its very Helm release."""
        instance, things = self.instance(), {}
        things[instance.instance.release] = Kept(instance.instance, Stage.MADE, instance.deployed)
        with self.store.read() as records:
            bound = [each for each in records.bindings(INSTANCE) if each.phase is not Phase.GONE]
        things |= {each.binding.release: Kept(each.binding, Stage.MADE, each.deployed) for each in bound}
        found: dict[str, object] = {}
        for ref, record in self.cluster.kept.items():
            kept, recorded = opened(self.tools.keys, record), things[ref]
            running = self.cluster.releases[ref].revision if ref in self.cluster.releases else None
            exact = kept.stage is not Stage.MADE or kept.revision == recorded.revision == running
            secrets = [(each.name, sorted(each.data)) for each in kept.secrets]
            found[ref.name] = kept.stage, kept.same_thing(recorded.thing), exact, secrets, record.addon is not None
        return found

    def in_force(self) -> tuple[object, ...]:
        """All that an update changes, apart from numbers of revisions and from Jobs that failed."""
        release, record = self.cluster.releases[RELEASE], self.instance()
        things = sorted((t.kind, t.name, sorted(t.texts.items())) for t in self.cluster.all() if t.kind != "Job")
        status = release.status, dict(release.values), dict(release.labels)
        return status, things, record.instance, record.wanted, record.return_to


def _id(answer: object) -> str:
    assert isinstance(answer, Accepted), answer
    return answer.operation_id


@contextmanager
def world(
    url: str,
    overrides: Object | None = None,
    *,
    broker_id: str = BROKER,
    offers: bool = True,
    keys: Keys = KEYS,
) -> Iterator[World]:
    """A fresh one in an empty database."""
    store = SqlStore(url, keys)
    store.prepare()
    with store.engine.begin() as conn:  # a known one, so that names in tests are
        conn.execute(facts.update().where(facts.c.name == "broker_id").values(value=broker_id))
    if offers:
        store.keep(Catalog((ADDON,)))
    cluster, clock = FakeCluster(NAMESPACE), Clock()
    helm, revisions = FakeHelm(cluster, {"default": "of the chart"}), FakeAddonRevisions(ADDON)
    given = {ADDON.name: overrides or {}}
    tools = Tools(helm, cluster, revisions, store.broker_id, given, {}, Patience(120.0, clock), keys)
    service = Service(store, lambda: Catalog((ADDON,)), revisions, NAMESPACE, FakeWaitingRoom(store))
    hand = Hand(store.engine, operations, handlers(store, tools))
    try:
        yield World(store, cluster, helm, service, hand, clock, tools, revisions)
    finally:
        store.close()
