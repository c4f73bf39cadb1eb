"""What keeps an instance of Drycc's helmbroker where it is, or will change it later, is told with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.migration.taking import Verdict
from tests.fakes.drycc_directory import (
    OldInstance,
    last,
    plan_files,
)
from tests.operations.broker.move import DB, REF, SHOP, Move, move
from tests.operations.broker.world import BROKER

__all__ = ["move"]


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
