"""The database is lost: everything comes back from the cluster and the key ring, and works as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.helm_errors import ClusterRefused, HelmError, HelmFault
from helmbroker.broker.domain.kept import Kept, Stage, opened, sealed
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.purge import Purges
from helmbroker.broker.service.restore import Refused, Restore, Restored
from helmbroker.broker.store.schema import bindings, instances
from helmbroker.durable import State
from helmbroker.sealing import KeyRing, Keys
from tests.fakes.helm import Call
from tests.fakes.survey import FakeSurvey
from tests.operations.broker import world as worlds
from tests.operations.broker.world import (
    ADDON,
    BINDING_RELEASE,
    BROKER,
    KEYS,
    NAMESPACE,
    RELEASE,
    World,
)
from tests.postgresql import empty_database, postgresql_url

__all__ = ["postgresql_url"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Two empty databases."""
    if request.param == "sqlite":
        return [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    server = request.getfixturevalue("postgresql_url")
    return [empty_database(server), empty_database(server)]


@contextmanager
def lost(urls: list[str], *, offered: bool = False) -> Iterator[tuple[World, World]]:
    """The broker before, with a binding of an instance, and one with nothing but its cluster and its key ring."""
    with worlds.world(urls[0]) as before, worlds.world(urls[1], broker_id="f" * 16, offers=offered) as after:
        before.succeed(before.provision(text="given", pin="c4n4ry"))
        before.succeed(before.bind(pin="c4n4ry"))
        after.take_over(before)
        yield before, after


def rebuild(world: World, broker_id: str | None = None, keys: Keys = KEYS) -> Restored:
    return Restore(world.store, world.cluster, keys).rebuild([NAMESPACE], broker_id)


def look(world: World) -> list[str]:
    check = DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)
    return [each.kind for each in check.look()]


def test_everything_works_as_before(urls: list[str]) -> None:
    with lost(urls) as (before, world):
        expected = before.observe()
        restored = rebuild(world)
        assert (len(restored.done), restored.left) == (2, [])
        assert (world.store.broker_id, world.observe(), look(world)) == (BROKER, expected, [])
        old, new = before.binding(), world.binding()
        assert old is not None
        assert new is not None
        assert (new.binding, new.phase) == (old.binding, Phase.READY)
        world.service_again()
        world.succeed(world.bind("another"))
        world.succeed(world.update(plan="large", text="changed"))
        world.succeed(world.unbind())
        world.succeed(world.deprovision())
        assert (world.cluster.all(), world.cluster.releases, world.cluster.kept) == ([], {}, {})


def test_what_cannot_come_back_is_told(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls) as (_, world):
        world.cluster.kept[RELEASE] = replace(world.cluster.kept[RELEASE], addon=b"not it")
        restored = rebuild(world)
        assert restored.done == []
        instance, binding = restored.left
        assert f"its addon revision {ADDON.digest[:12]} is neither remembered nor in the catalog" in instance
        assert "its instance could not be restored" in binding


def test_a_revision_that_is_still_offered_need_not_be_remembered(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls, offered=True) as (_, world):
        world.cluster.kept[RELEASE] = replace(world.cluster.kept[RELEASE], addon=None)
        assert rebuild(world).left == []


@pytest.mark.parametrize(
    ("stage", "phase", "says"),
    [
        (Stage.MAKING, Phase.MAKE_FAILED, "it was being made when the database was lost; delete it"),
        (Stage.REMOVING, Phase.REMOVE_FAILED, "it was being removed when the database was lost; delete it again"),
    ],
)
def test_what_was_half_done_can_be_deleted(tmp_path: Path, stage: Stage, phase: Phase, says: str) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls) as (_, world):
        for ref in (RELEASE, BINDING_RELEASE):
            record = world.cluster.kept[ref]
            half = replace(opened(KEYS, record), stage=stage)
            world.cluster.kept[ref] = replace(record, sealed=sealed(KEYS, half))
        rebuild(world)
        binding = world.binding()
        assert binding is not None
        assert (world.instance().phase, binding.phase) == (phase, phase)
        assert says in world.instance().operation.description
        world.service_again()
        world.succeed(world.deprovision())
        assert (world.cluster.all(), world.cluster.releases, world.cluster.kept) == ([], {}, {})


@pytest.mark.parametrize("what", ["instance", "binding"])
def test_a_removal_that_has_begun_is_remembered(world: World, what: str) -> None:
    """Whoever restores the database then does not take it for something that runs."""
    prepared(world)
    world.deprovision() if what == "instance" else world.unbind()

    def away(_call: Call) -> None:
        raise HelmError(HelmFault.UNREACHABLE, "nobody is at home")

    world.helm.before = away
    assert world.hand.turn()
    ref = RELEASE if what == "instance" else BINDING_RELEASE
    assert opened(KEYS, world.cluster.kept[ref]).stage is Stage.REMOVING


def test_a_database_with_records_is_left_alone(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls) as (before, _), pytest.raises(Refused, match="an empty one only"):
        rebuild(before)


def test_another_key_ring_opens_nothing(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls) as (_, world):
        with pytest.raises(Refused, match=r"can be opened with this key ring; Secret .*-record: .* sealed under"):
            rebuild(world, keys=Keys(KeyRing({"1": b"\x01" * 32}, "1")))
        assert world.store.is_empty()
        assert world.store.broker_id == "f" * 16


def test_one_of_several_brokers_is_chosen(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with lost(urls) as (_, world):
        record = world.cluster.kept[RELEASE]
        thing = replace(opened(KEYS, record).thing, release=ReleaseRef(NAMESPACE, "hb-other"))
        labels = {**record.labels, "helmbroker.io/broker": "e" * 16}
        kept = sealed(KEYS, Kept(thing, Stage.MADE, 1))
        world.cluster.kept[thing.release] = replace(record, ref=thing.release, labels=labels, sealed=kept)
        with pytest.raises(Refused, match=f"choose one with --broker-id: {BROKER}, {'e' * 16}"):
            rebuild(world)
        assert len(rebuild(world, BROKER).done) == 2


def forget_rows(world: World) -> None:
    """Of this instance alone, as a restored backup of the database may lack it."""
    with world.store.engine.begin() as conn:
        conn.execute(bindings.delete())
        conn.execute(instances.delete())


def prepared(world: World) -> None:
    world.succeed(world.provision(text="given", pin="c4n4ry"))
    world.succeed(world.bind(pin="c4n4ry"))


def test_an_orphan_is_adopted_with_its_bindings(either_world: World) -> None:
    world = either_world
    prepared(world)
    binding, expected = world.binding(), world.observe()
    forget_rows(world)
    assert look(world) == ["orphan", "orphan"]
    restored = Restore(world.store, world.cluster, KEYS).adopt(RELEASE)
    again = world.binding()
    assert (len(restored.done), look(world), world.observe()) == (2, [], expected)
    assert binding is not None
    assert again is not None
    assert isinstance(again.binding.credentials, Credentials)
    assert again.binding == binding.binding
    with pytest.raises(Refused, match="has a record"):
        Restore(world.store, world.cluster, KEYS).adopt(RELEASE)


def test_a_binding_is_not_adopted_without_its_instance(world: World) -> None:
    prepared(world)
    forget_rows(world)
    with pytest.raises(Refused, match="its instance could not be restored"):
        Restore(world.store, world.cluster, KEYS).adopt(BINDING_RELEASE)


def test_what_is_not_ours_is_neither_adopted_nor_purged(world: World) -> None:
    prepared(world)
    forget_rows(world)
    world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], labels={})
    world.cluster.kept[RELEASE] = replace(world.cluster.kept[RELEASE], labels={})
    with pytest.raises(Refused, match="nothing that this broker remembers"):
        Restore(world.store, world.cluster, KEYS).adopt(RELEASE)
    with pytest.raises(Refused, match="is not this broker's and is left alone"):
        Purges(world.store, world.cluster).check(RELEASE)
    operation = Purges(world.store, world.cluster).begin(RELEASE, with_data=True)
    assert "is not this broker's and is left alone" in world.fail(operation)
    assert RELEASE in world.cluster.releases


@pytest.mark.parametrize("with_data", [False, True])
def test_an_orphan_is_purged(either_world: World, with_data: bool) -> None:
    world = either_world
    prepared(world)
    forget_rows(world)
    purges = Purges(world.store, world.cluster)
    for ref in (BINDING_RELEASE, RELEASE):
        purges.check(ref)
        end = world.succeed(purges.begin(ref, with_data=with_data))
        assert end.description.endswith("is removed" if with_data else "its volumes are kept")
    kinds = [thing.kind for thing in world.cluster.all()]
    assert (kinds, world.cluster.releases, world.cluster.kept) == (
        [] if with_data else ["PersistentVolumeClaim"],
        {},
        {},
    )
    with pytest.raises(Refused, match="there is nothing of this broker's"):
        purges.check(RELEASE)


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("fails_at", range(4))
def test_a_purge_that_failed_on_its_way_can_be_asked_for_again(
    world: World, remembered: bool, fails_at: int
) -> None:
    """The release goes last: without it and without a record nobody could tell whose its volumes are."""
    prepared(world)
    forget_rows(world)
    if not remembered:
        world.cluster.kept.clear()
    removals = 0

    def refused() -> None:
        nonlocal removals
        removals += 1
        if removals == fails_at + 1:
            raise ClusterRefused("The cluster refused a call of the broker: cannot delete.")

    def at_helm(call: Call) -> None:
        if call.verb == "uninstall":
            refused()

    world.cluster.before_removal, world.helm.before = refused, at_helm
    purges = Purges(world.store, world.cluster)
    assert "cannot delete" in world.fail(purges.begin(RELEASE, with_data=True))
    purges.check(RELEASE)
    world.succeed(purges.begin(RELEASE, with_data=True))
    assert RELEASE not in world.cluster.releases.keys() | world.cluster.kept.keys()
    assert [thing for thing in world.cluster.all() if thing.label == RELEASE.name] == []


def test_what_has_a_record_is_not_purged(world: World) -> None:
    prepared(world)
    for ref in (RELEASE, BINDING_RELEASE):
        with pytest.raises(Refused, match="has a record; delete"):
            Purges(world.store, world.cluster).check(ref)
    operation = Purges(world.store, world.cluster).begin(RELEASE, with_data=True)
    assert "has a record by now" in world.fail(operation)
    assert world.cluster.releases.keys() == {RELEASE, BINDING_RELEASE}


def test_a_purge_ends_with_the_operation(world: World) -> None:
    """A worker that dies after the uninstall leaves the rest to the next one."""
    prepared(world)
    forget_rows(world)
    operation = Purges(world.store, world.cluster).begin(RELEASE, with_data=True)
    world.cluster.down = True
    assert world.hand.turn()
    assert world.hand.operation(operation).state is State.QUEUED
    world.cluster.down = False
    world.succeed(operation)
    assert RELEASE not in world.cluster.releases.keys() | world.cluster.kept.keys()
