"""Instances of Drycc's helmbroker become ours: nothing of them is touched, and everything works afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus, RecordSecret
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.errors import Gone
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import REDEPLOYED, Kind, Phase
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.domain.requests import BindRequest, DeprovisionRequest, UnbindRequest, UpdateRequest
from helmbroker.broker.migration.directory import DataDirectory
from helmbroker.broker.migration.everything import migrate
from helmbroker.broker.migration.staging import Stager
from helmbroker.broker.migration.taking import Outcome, Taking, Verdict
from helmbroker.broker.service import Accepted, Service
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import handlers
from helmbroker.catalog import formats
from helmbroker.catalog.model import Catalog, Object
from tests.fakes.cluster import Thing
from tests.fakes.drycc_directory import (
    CHART,
    CREDENTIALS,
    LARGE_ID,
    SERVICE_ID,
    SMALL_ID,
    OldInstance,
    bound,
    last,
    plan_files,
    write_addon,
    write_root,
)
from tests.fakes.survey import FakeSurvey
from tests.fakes.takeover import FakeTakeover
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.broker.world import BROKER, KEYS, NAMESPACE, World
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


def test_nothing_but_labels_is_changed(move: Move) -> None:
    move.has(DB)
    before, things = move.world.cluster.releases[REF], move.world.cluster.all()
    found = move.one()
    assert (found.verdict, found.detail) == (Verdict.MIGRATED, "made: Helm release mydb in namespace shop")
    after = move.world.cluster.releases[REF]
    assert replace(after, labels={}) == replace(before, labels={})
    assert after.belongs_to(naming.instance_labels(BROKER, "5f0c"))
    assert move.world.cluster.all() == things
    assert [call.verb for call in move.world.helm.calls] == ["render"]
    assert "c4n4ry" not in repr((found, move.world.cluster.kept))
    assert move.findings() == []


def test_afterwards_it_is_an_instance_like_others(move: Move) -> None:
    move.has(DB)
    move.one()
    world, service = move.world, move.world.service
    view = service.instance("5f0c")
    assert (view.service_id, view.plan_id) == (SERVICE_ID, SMALL_ID)
    assert service.instance_operation("5f0c", None).description == "migrated from Drycc's helmbroker"
    with world.store.read() as records:
        kept = records.binding("5f0c", "b1")
    assert kept is not None
    assert kept.binding.credentials is not None
    assert kept.binding.credentials.reveal() == CREDENTIALS
    bind = BindRequest("5f0c", "b2", SERVICE_ID, SMALL_ID, None, Parameters({}), {}, accepts_incomplete=True)
    move.done(service.bind(bind))
    password = world.cluster.thing("Secret", SHOP, "helmbroker-mydb")
    with world.store.read() as records:
        second = records.binding("5f0c", "b2")
    assert password is not None
    assert second is not None
    assert second.binding.credentials is not None
    assert second.binding.credentials.reveal()["password"] == password.texts["password"]
    assert move.findings() == []
    given = Parameters({"settings.mode": "fast"})
    update = UpdateRequest("5f0c", SERVICE_ID, LARGE_ID, given, None, None, accepts_incomplete=True)
    move.done(service.update(update))
    values = world.cluster.releases[REF].given
    assert values["fullnameOverride"] == "helmbroker-mydb"
    assert values["settings"] == {"size": "large", "mode": "fast"}
    assert move.findings() == []
    move.done(service.unbind(UnbindRequest("5f0c", "b1", accepts_incomplete=True)))
    with pytest.raises(Gone):
        service.unbind(UnbindRequest("5f0c", "unknown", accepts_incomplete=True))
    others = [
        Thing("Secret", SHOP, "theirs", "mydb"),  # of somebody who has chosen that label, too
        Thing("PersistentVolumeClaim", SHOP, "data-theirs-0", "mydb"),
    ]
    for each in others:
        world.cluster.put(each)
    move.delete("5f0c")
    assert world.cluster.all() == others
    assert (world.cluster.releases, world.cluster.kept, move.findings()) == ({}, {}, [])
    assert move.one().verdict is Verdict.KNOWN, "it does not come back"


def test_a_release_of_helm_3_is_repaired_without_force(move: Move) -> None:
    move.has(DB)
    move.one()
    world = move.world
    world.cluster.releases[REF] = replace(world.cluster.releases[REF], status=HelmStatus.FAILED)
    assert [kind for kind, _ in move.findings()] == [FindingKind.CHANGED]
    with world.store.transaction() as tx:
        repair = tx.start(Kind.REPAIR, "5f0c", None, timeout_s=600, about={REDEPLOYED: ["mydb"]})
    world.succeed(repair.id)
    assert move.findings() == []


def test_every_kind_of_instance(move: Move) -> None:
    grown = OldInstance("grown", "grown", SHOP, plan="large", changed_from="small")
    raw = OldInstance("raw", "raw", SHOP, raw={"settings": {"tier": "c4n4ry"}}, parameters={"settings.mode": "x"})
    unbound = OldInstance("unbound", "unbound", SHOP, binding=bound(description="unbind done"))
    failed = OldInstance("failed", "failed", SHOP, last=last("failed"))
    begun = OldInstance("begun", "begun", SHOP, last=last("in progress", None))
    going = OldInstance("going", "going", SHOP, last=last("in progress", "deprovision"))
    gone = OldInstance("gone", "gone", SHOP, last=last("succeeded", "deprovision"))
    stuck = OldInstance("stuck", "stuck", SHOP, last=last("failed", "deprovision"))
    move.has(DB, grown, unbound, going)
    raw.write(move.root)
    given = {**raw.set_values(), "settings": {"size": "small", "tier": "c4n4ry", "mode": "x"}}
    move.runs(raw, given=given)
    for old in (failed, begun, gone, stuck):
        old.write(move.root)
    move.runs(failed, HelmStatus.FAILED)
    found = move.migrate()
    assert {id_: (each.verdict, each.detail.partition(":")[0]) for id_, each in found.items()} == {
        "5f0c": (Verdict.MIGRATED, "made"),
        "grown": (Verdict.MIGRATED, "made"),
        "raw": (Verdict.MIGRATED, "made"),
        "unbound": (Verdict.MIGRATED, "made"),
        "failed": (Verdict.MIGRATED, "making"),
        "begun": (Verdict.MIGRATED, "making"),
        "going": (Verdict.MIGRATED, "removing"),
        "stuck": (Verdict.MIGRATED, "removing"),
        "gone": (Verdict.GONE, "it was deleted there; a platform that asks gets 410 Gone"),
    }
    phases = {id_: move.phase(id_) for id_ in found if id_ != "gone"}
    assert {id_ for id_, phase in phases.items() if phase is Phase.READY} == {"5f0c", "grown", "raw", "unbound"}
    assert phases["failed"] == phases["begun"] == Phase.MAKE_FAILED
    assert phases["going"] == phases["stuck"] == Phase.REMOVE_FAILED
    assert move.world.service.instance("grown").plan_id == LARGE_ID
    assert not any("will also change" in note for note in found["raw"].notes), found["raw"].notes
    with move.world.store.read() as records:
        assert [len(records.bindings(id_)) for id_ in ("5f0c", "unbound")] == [1, 0]
    assert all(any("Others are unknown" in note for note in found[id_].notes) for id_ in ("5f0c", "unbound"))
    assert move.findings() == []
    again = move.migrate()
    assert {each.verdict for id_, each in again.items() if id_ != "gone"} == {Verdict.KNOWN}
    for id_ in phases:
        move.delete(id_)
    assert (move.world.cluster.releases, move.world.cluster.kept) == ({}, {})


def test_a_dry_run_changes_nothing(move: Move) -> None:
    move.has(DB)
    releases = dict(move.world.cluster.releases)
    files = sorted(move.root.rglob("*"))
    dry = move.one(dry_run=True)
    assert (move.world.cluster.releases, move.world.cluster.kept, move.phase("5f0c")) == (releases, {}, None)
    assert sorted(move.root.rglob("*")) == files
    assert move.one() == dry


@pytest.mark.parametrize("at", ["claim", "keep"])
def test_who_dies_between_is_followed_by_one_who_ends_it(move: Move, at: str) -> None:
    """The cluster goes away after the first change, and after the second."""
    move.has(DB)
    port = move.takeover if at == "claim" else move.world.cluster
    real: Callable[..., None] = getattr(port, at)

    def die(*given: Any, **how: Any) -> None:
        real(*given, **how)
        raise KeyboardInterrupt

    setattr(port, at, die)
    with pytest.raises(KeyboardInterrupt):
        move.migrate()
    assert move.phase("5f0c") is None
    setattr(port, at, real)
    assert move.one().verdict is Verdict.MIGRATED
    assert move.findings() == []


@pytest.mark.bug(54)
def test_what_is_not_this_instances_is_left_alone(move: Move) -> None:
    other = naming.instance_labels("another", "5f0c")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"given": {"fullnameOverride": "mine"}}, "was not made by Drycc's helmbroker"),
        ({"given": {}}, "was not made by Drycc's helmbroker"),
        ({"chart": "store-chart-2.0.0"}, "runs store-chart-2.0.0, and chart/ is store-chart-1.0.3"),
        ({"labels": other}, "is marked as that of another broker"),
        (
            {"labels": naming.instance_labels(BROKER, "6")},
            "is marked as that of another broker, or of another inst",
        ),
        ({"status": HelmStatus.PENDING_UPGRADE}, "helm is at work on it, or died. See `helm history mydb -n shop`"),
        ({"status": HelmStatus.UNREADABLE}, "is unreadable"),
    ]
    move.has(DB)
    before = move.world.cluster.releases[REF]
    for changed, why in cases:
        move.world.cluster.releases[REF] = replace(before, **changed)
        found = move.one()
        assert (found.verdict, why in found.detail) == (Verdict.LEFT, True), found
        assert move.world.cluster.releases[REF] == replace(before, **changed)
    assert (move.world.cluster.kept, move.phase("5f0c")) == ({}, None)
    del move.world.cluster.releases[REF]
    assert "is gone: nothing runs. Let the platform delete it" in move.one().detail


@pytest.mark.bug(54)
def test_two_instances_of_one_release(move: Move) -> None:
    """The second could not be made, as the name was in use."""
    second = OldInstance("0first", "mydb", SHOP, last=last("failed"))
    move.has(DB)
    second.write(move.root)
    found = move.migrate()
    assert (found["5f0c"].verdict, found["0first"].verdict) == (Verdict.MIGRATED, Verdict.LEFT)
    assert "another instance has the Helm release mydb, too" in found["0first"].detail
    replace(second, id="third", last=last("succeeded")).write(move.root)
    again = move.migrate()
    assert (again["5f0c"].verdict, again["third"].verdict) == (Verdict.LEFT, Verdict.LEFT)


def test_an_update_that_would_lose_data_is_found_before(move: Move) -> None:
    move.has(DB)
    move.takeover.manifests[REF] += "---\nkind: StatefulSet\nmetadata: {name: helmbroker-mydb-old}\n"
    found = move.one()
    assert found.verdict is Verdict.LEFT
    assert "would lose StatefulSet helmbroker-mydb-old: there would be none of this name" in found.detail


def test_the_operators_values_have_to_be_the_operators_again(move: Move) -> None:
    old = replace(DB, operator={"image": "r.example.com/c4n4ry", "settings": {"size": "9"}})
    move.has(old)
    found = move.one()
    assert found.verdict is Verdict.LEFT
    assert "what addon-values.yaml sets is not set here: image; put it below store-1 into" in found.detail
    move.overrides["store-1"] = {"1.0": {"image": "r.example.com/c4n4ry"}}
    assert move.one().verdict is Verdict.MIGRATED


def test_what_an_update_will_change_besides_is_told(move: Move) -> None:
    move.has(replace(DB, parameters={"auth.password": "x", "image": "theirs"}))
    given = {**move.world.cluster.releases[REF].given, "left": "c4n4ry"}  # of a plan before (B45)
    move.world.cluster.releases[REF] = replace(move.world.cluster.releases[REF], given=given)
    move.world.helm.manifest = move.takeover.manifests[REF] + "---\nkind: Pod\nmetadata: {name: pod}\n"
    found = move.one()
    assert found.verdict is Verdict.MIGRATED
    notes = " | ".join(found.notes)
    for part in (
        "will also change what helm was given there: left",
        "not allowed here: parameters: unknown 'image'",
        "(HELMBROKER_GRANTS_FILE): Pod pod",
    ):
        assert part in notes, notes
    assert "c4n4ry" not in notes


def test_an_addon_that_is_in_no_catalog(world: World, tmp_path: Path) -> None:
    """The old catalogue knows it: it can go on, but not to another plan."""
    root = tmp_path / "old"
    root.mkdir()
    move = Move(world, root, tmp_path, offers=False)
    move.has(DB, OldInstance("grown", "grown", SHOP, plan="large", changed_from="small"))
    for found in move.migrate().values():
        assert found.verdict is Verdict.MIGRATED, found
        assert "its addon is not in the catalog, so it cannot change its plan" in found.notes
    move.delete("5f0c")
    (root / "addons" / "addons.json").unlink()
    move.stager = replace(move.stager, listed={})
    move.has(OldInstance("new", "new", SHOP), OldInstance("new2", "new2", SHOP, plan="large", changed_from="small"))
    left = move.migrate()
    assert "is not in the catalog; add it to a source" in left["new"].detail
    assert "no addon of the catalog has its plan" in left["new2"].detail


def test_valkey_wins_and_remembers_the_deleted(move: Move, tmp_path: Path) -> None:
    move.has(DB)
    changed = replace(DB, last=last("failed", "deprovision")).described()
    dump = tmp_path / "valkey.json"
    keys = {
        "helmbroker:instance:5f0c": json.dumps(changed),
        "helmbroker:instance:../x": DB.described(),
        "helmbroker:binding:5f0c": "{",
    }
    dump.write_text(json.dumps(keys))
    found = move.migrate(valkey=dump)
    assert "binding:5f0c of Valkey is not valid JSON" in found["5f0c"].detail
    assert "only Valkey knows it" in found["../x"].detail
    dump.write_text(json.dumps({key: value for key, value in keys.items() if "binding" not in key}))
    assert move.migrate(valkey=dump)["5f0c"].detail.startswith("removing")


def test_a_chart_without_what_it_depends_on_gets_the_catalogs(move: Move) -> None:
    files = {name: text for name, text in DB.chart.items() if not name.startswith("charts/")}
    move.has(replace(DB, chart=files))
    assert move.one().verdict is Verdict.MIGRATED
    with move.world.store.read() as records:
        record = records.instance("5f0c")
    assert record is not None
    assert (move.world.tools.revisions.addon(record.instance.addon_digest).chart / "charts" / "common").is_dir()


def test_bad_folders_are_told_one_by_one(move: Move) -> None:
    def broken(id_: str, change: Callable[[Path], object]) -> None:
        old = OldInstance(id_, id_, SHOP)
        move.has(old)
        change(old.folder(move.root))

    other_plan = plan_files("large")
    cases: dict[str, tuple[Callable[[Path], object], str]] = {
        "cut": (lambda at: (at / "instance.json").write_text('{"id": "cu'), "instance.json is not valid JSON"),
        "bytes": (lambda at: (at / "instance.json").write_bytes(b"\xff"), "instance.json is not UTF-8 text"),
        "deep": (lambda at: (at / "instance.json").write_text("[" * 100_000), "instance.json is not valid JSON"),
        "none": (lambda at: (at / "instance.json").unlink(), "instance.json is missing"),
        "noplan": (lambda at: (at / "plan" / "meta.yaml").unlink(), "plan/ has no meta.yaml"),
        "nochart": (lambda at: (at / "chart" / "Chart.yaml").unlink(), "chart/ has no Chart.yaml"),
        "half": (
            lambda at: (at / "plan" / "meta.yaml").write_text(other_plan["meta.yaml"]),
            "a change of the plan was cut short",
        ),
        "link": (
            lambda at: (at / "chart" / "x").symlink_to("/etc/passwd"),
            "its addon cannot be kept: x is a link",
        ),
        "values": (
            lambda at: (at / "custom-addon-values.yaml").write_text("a: c4n4ry: b"),
            "not valid YAML at line 1",
        ),
        "list": (
            lambda at: (at / "addon-values.yaml").write_text("- c4n4ry"),
            "addon-values.yaml must be a mapping",
        ),
        "bind": (lambda at: (at / "plan" / "bind.yaml").write_text("{{ x"), "its addon cannot be used: plans/"),
        "folder": (lambda at: (at / "binding.json").mkdir(), "binding.json is not there as a plain file"),
    }
    for id_, (change, _) in cases.items():
        broken(id_, change)
    (move.root / "instances" / "file").write_text("")
    (move.root / "instances" / "away").symlink_to("/etc")
    (move.root / "instances" / "..%2fx;touch x").mkdir()
    move.has(DB)
    found = move.migrate()
    for id_, (_, why) in cases.items():
        assert (found[id_].verdict, why in found[id_].detail) == (Verdict.LEFT, True), found[id_]
    assert "is no folder" in found["file"].detail
    assert "is no folder" in found["away"].detail
    assert "instance.json is missing" in found["..%2fx;touch x"].detail
    assert found["5f0c"].verdict is Verdict.MIGRATED
    assert "c4n4ry" not in repr(found)


def test_what_the_cluster_refuses_is_told_with_the_rights_that_lack(move: Move) -> None:
    move.has(DB)
    move.world.cluster.namespaces.remove(SHOP)
    found = move.one()
    assert found.verdict is Verdict.LEFT
    assert "In the namespace shop the broker needs the rights that it has where its instances are." in found.detail


def test_a_chart_that_helm_cannot_render_is_told_without_secrets(move: Move) -> None:
    move.has(DB)

    def refuse(_call: object) -> None:
        raise HelmError(HelmFault.RENDER, "at <.Values.auth.password>: c4n4ry is wrong.")

    move.world.helm.before = refuse
    assert move.one().detail == (
        "the chart cannot be rendered: at <.Values.auth.password>: <hidden> is wrong; mend that, and migrate again"
    )


def test_updates_that_failed_there_are_taken_as_they_run(move: Move) -> None:
    move.has(replace(DB, last=last("failed")))
    world = move.world
    world.cluster.releases[REF] = replace(world.cluster.releases[REF], revision=3, status=HelmStatus.FAILED)
    found = move.one()
    assert (found.verdict, move.phase("5f0c")) == (Verdict.MIGRATED, Phase.READY)
    assert "its last update failed half-way" in found.notes[0]
    assert [kind for kind, _ in move.findings()] == [FindingKind.CHANGED]


def test_another_secret_of_that_name_is_nobodys_to_write(move: Move) -> None:
    move.has(DB)
    move.world.cluster.kept[REF] = RecordSecret(REF, {"helmbroker.io/broker": "theirs"}, b"")
    found = move.one()
    assert (found.verdict, "is not this broker's and is left alone" in found.detail) == (Verdict.LEFT, True)
