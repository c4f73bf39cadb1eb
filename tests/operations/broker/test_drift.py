"""The check of records against the cluster: what it finds in a broker at work, and what it keeps of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.operation import Schedule
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import checked
from tests.fakes.survey import FakeSurvey
from tests.operations.broker.world import BINDING_RELEASE, BROKER, KEYS, NAMESPACE, RELEASE, World
from tests.operations.harness import Hand


def drift(world: World) -> DriftCheck:
    return DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)


def kinds(world: World) -> list[str]:
    return [each.kind for each in drift(world).look()]


def bound(world: World) -> None:
    world.succeed(world.provision(text="given", pin="c4n4ry"))
    world.succeed(world.bind(pin="c4n4ry"))


def test_a_broker_at_work_agrees_with_its_cluster(either_world: World) -> None:
    """After every kind of operation, however it ends, and while one waits."""
    world = either_world
    assert kinds(world) == []
    waiting = world.provision(text="given")
    assert kinds(world) == []
    world.succeed(waiting)
    world.succeed(world.bind())
    assert kinds(world) == []
    world.succeed(world.update(plan="large", text="changed"))
    assert kinds(world) == []
    world.fail(world.update(make="echo broken; exit 1"))
    assert kinds(world) == [], "an update that was undone"
    world.succeed(world.unbind())
    assert kinds(world) == []
    world.succeed(world.deprovision())
    assert (kinds(world), world.cluster.kept) == ([], {})


def test_what_failed_leaves_nothing_to_find(world: World) -> None:
    world.fail(world.provision(make="echo broken; exit 1"))
    assert kinds(world) == []
    world.succeed(world.deprovision())
    assert (kinds(world), world.cluster.kept) == ([], {})


def test_differences_are_found_kept_and_forgotten(either_world: World) -> None:
    world = either_world
    bound(world)
    release = world.cluster.releases.pop(BINDING_RELEASE)
    world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], status=HelmStatus.FAILED)
    found = drift(world).check()
    assert [(each.kind, each.subject.split()[0]) for each in found] == [
        (FindingKind.CHANGED, "instance"),
        (FindingKind.LOST, "binding"),
    ]
    with world.store.read() as records:
        first = records.findings()
    assert [each.finding for each in first] == found
    world.cluster.releases[BINDING_RELEASE] = release
    drift(world).check()
    with world.store.read() as records:
        (second,) = records.findings()
    assert (second.finding.kind, second.since) == (FindingKind.CHANGED, first[0].since)
    assert second.seen > first[0].seen
    assert "c4n4ry" not in repr(first)


def test_the_schedule_tells_what_it_found(world: World) -> None:
    hand = Hand(world.store.engine, operations, checked(drift(world)))
    with world.store.engine.begin() as conn:
        hand.queue.schedule(conn, Schedule.DRIFT, 3600.0)

    def told() -> str:
        hand.pass_time()
        assert hand.turn()
        return hand.operation(f"schedule:{Schedule.DRIFT}").description

    assert told() == "records and cluster agree"
    bound(world)
    world.cluster.releases.clear()
    assert told() == "found 2: run `helmbroker doctor`"
    with world.store.read() as records:
        assert len(records.findings()) == 2
        assert "schedule" not in str(records.instance_ids())


def test_somebody_elses_release_under_our_name(world: World) -> None:
    bound(world)
    world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], labels={})
    assert kinds(world) == [FindingKind.FOREIGN]


def test_a_release_without_record(world: World) -> None:
    ref = replace(RELEASE, name="hb-other")
    bound(world)
    labels = naming.instance_labels(BROKER, "other")
    world.cluster.releases[ref] = replace(world.cluster.releases[RELEASE], ref=ref, labels=labels)
    assert kinds(world) == [FindingKind.ORPHAN]


def test_what_another_key_ring_sealed_is_not_remembered(world: World) -> None:
    bound(world)
    world.cluster.kept[RELEASE] = replace(world.cluster.kept[RELEASE], sealed=b"\x011" + bytes(60))
    assert kinds(world) == [FindingKind.UNREMEMBERED]


@pytest.mark.bug(54)
def test_what_is_remembered_cannot_be_read_without_the_keys(world: World) -> None:
    bound(world)
    assert b"c4n4ry" not in b"".join(record.sealed for record in world.cluster.kept.values())
    assert "c4n4ry" not in repr(world.cluster.kept)
