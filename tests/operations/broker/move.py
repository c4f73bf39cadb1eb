"""A data directory of Drycc's helmbroker, its cluster, and the broker that is to have its instances."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.domain.requests import DeprovisionRequest
from helmbroker.broker.migration.directory import DataDirectory
from helmbroker.broker.migration.everything import migrate
from helmbroker.broker.migration.staging import Stager
from helmbroker.broker.migration.taking import Outcome, Taking
from helmbroker.broker.service import Accepted, Service
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import handlers
from helmbroker.catalog import formats
from helmbroker.catalog.model import Catalog, Object
from tests.fakes.drycc_directory import (
    CHART,
    OldInstance,
    bound,
    write_addon,
    write_root,
)
from tests.fakes.survey import FakeSurvey
from tests.fakes.takeover import FakeTakeover
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.broker.world import KEYS, NAMESPACE, World
from tests.operations.harness import Hand

SHOP = "shop"
DB = OldInstance("5f0c", "mydb", SHOP, parameters={"auth.password": "c4n4ry"}, binding=bound())
REF = ReleaseRef(SHOP, "mydb")


@dataclass
class Move:
    """A data directory, the cluster that it tells of, and the broker that is to have its instances."""

    world: World
    root: Path
    folder: Path
    overrides: dict[str, Object] = field(default_factory=dict)
    offers: bool = True

    def __post_init__(self) -> None:
        self.world.cluster.namespaces.add(SHOP)
        addon = formats.load(write_addon(self.folder / "addon"))
        catalog = Catalog((addon,)) if self.offers else Catalog()
        self.world.store.keep(catalog)
        self.stager = Stager(catalog, DataDirectory(write_root(self.root)).addons)
        self.takeover = FakeTakeover(self.world.cluster)
        revisions = UnpackedRevisions(self.folder / "cache", self.world.store.packed)
        tools = replace(self.world.tools, revisions=revisions, overrides=self.overrides)
        self.world.tools = tools
        self.world.hand = Hand(self.world.store.engine, operations, handlers(self.world.store, tools))
        room = FakeWaitingRoom(self.world.store)
        self.world.service = Service(self.world.store, lambda: catalog, revisions, NAMESPACE, room)

    def runs(self, old: OldInstance, status: HelmStatus = HelmStatus.DEPLOYED, **changed: Any) -> ReleaseRef:
        """The old broker's helm, which was helm 3, has made its release."""
        ref = ReleaseRef(old.namespace, old.name)
        manifest = self.world.helm.render(Path(), {}, ref, stop=threading.Event())
        deployment = Deployment(ref, Path(), old.set_values(), manifest, {}, 1.0)
        self.world.helm.deploy(deployment, threading.Event())
        made = replace(self.world.cluster.releases[ref], status=status, chart=CHART, client_side=True)
        self.world.cluster.releases[ref] = replace(made, **changed)
        self.takeover.manifests[ref] = manifest
        self.world.helm.calls.clear()
        return ref

    def has(self, *olds: OldInstance) -> None:
        """They run, and the data directory tells of them."""
        for old in olds:
            old.write(self.root)
            self.runs(old)

    def migrate(self, *, valkey: Path | None = None, dry_run: bool = False) -> dict[str, Outcome]:
        world, tools = self.world, self.world.tools
        taking = Taking(
            world.store, world.cluster, self.takeover, world.helm, KEYS, self.overrides, tools.grants, dry_run
        )
        return {each.instance_id: each for each in migrate(DataDirectory(self.root, valkey), self.stager, taking)}

    def one(self, **how: Any) -> Outcome:
        (found,) = self.migrate(**how).values()
        return found

    def findings(self) -> list[tuple[str, str]]:
        survey = FakeSurvey(self.world.cluster)
        check = DriftCheck(self.world.store, self.world.cluster, survey, KEYS, NAMESPACE)
        return [(each.kind, each.detail) for each in check.look()]

    def phase(self, instance_id: str) -> Phase | None:
        with self.world.store.read() as records:
            found = records.instance(instance_id)
        return None if found is None else found.phase

    def done(self, answer: object) -> None:
        assert isinstance(answer, Accepted)
        self.world.succeed(answer.operation_id)

    def delete(self, instance_id: str) -> None:
        self.done(self.world.service.deprovision(DeprovisionRequest(instance_id, accepts_incomplete=True)))


@pytest.fixture
def move(world: World, tmp_path: Path) -> Move:
    root = tmp_path / "old"
    root.mkdir()
    return Move(world, root, tmp_path)
