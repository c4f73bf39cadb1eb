"""Instances of Drycc's helmbroker become ours: nothing of them is touched, and everything works afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus, RecordSecret
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.errors import Gone
from helmbroker.broker.domain.operation import REDEPLOYED, Kind, Phase
from helmbroker.broker.domain.requests import BindRequest, UnbindRequest, UpdateRequest
from helmbroker.broker.migration.taking import Verdict
from tests.fakes.cluster import Thing
from tests.fakes.drycc_directory import (
    CREDENTIALS,
    LARGE_ID,
    SERVICE_ID,
    SMALL_ID,
    OldInstance,
    bound,
    last,
)
from tests.operations.broker.move import DB, REF, SHOP, Move, move
from tests.operations.broker.world import BROKER, World

__all__ = ["move"]


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


def test_another_secret_of_that_name_is_nobodys_to_write(move: Move) -> None:
    move.has(DB)
    move.world.cluster.kept[REF] = RecordSecret(REF, {"helmbroker.io/broker": "theirs"}, b"")
    found = move.one()
    assert (found.verdict, "is not this broker's and is left alone" in found.detail) == (Verdict.LEFT, True)
