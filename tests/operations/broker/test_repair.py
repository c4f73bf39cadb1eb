"""Repairs: whatever somebody has done to the cluster, it is as recorded again, with the passwords of before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.repair import Repairs
from helmbroker.durable import State
from tests.fakes.survey import FakeSurvey
from tests.operations.broker.test_disturbed import Disturbance, clear, disturb
from tests.operations.broker.world import BINDING_RELEASE, INSTANCE, KEYS, NAMESPACE, RELEASE, World
from tests.operations.harness import Case, assert_same_end

NAME = "ledger"
Harm = Callable[[World], None]


def _uninstall(world: World, ref: ReleaseRef) -> None:
    """By hand: claims stay, Secrets go."""
    del world.cluster.releases[ref]
    for thing in world.cluster.all():
        if thing.owner == ref.name or (thing.kind == "Pod" and thing.label == ref.name):
            world.cluster.remove(thing.kind, thing.namespace, thing.name)


def uninstalled(world: World) -> None:
    _uninstall(world, RELEASE)


def user_uninstalled(world: World) -> None:
    _uninstall(world, BINDING_RELEASE)


def forgotten_by_helm(world: World) -> None:
    """Helm's own Secrets alone are gone; everything runs."""
    del world.cluster.releases[RELEASE]


def upgraded(world: World) -> None:
    release = world.cluster.releases[RELEASE]
    values = {**release.values, "text": "changed by hand"}
    world.cluster.releases[RELEASE] = replace(release, revision=release.revision + 1, values=values)


def upgrade_hangs(world: World) -> None:
    release = world.cluster.releases[RELEASE]
    world.helm._earlier.setdefault(RELEASE, []).append(release)
    world.cluster.releases[RELEASE] = replace(
        release, revision=release.revision + 1, status=HelmStatus.PENDING_UPGRADE
    )


def not_remembered(world: World) -> None:
    world.cluster.kept.clear()


def unreadable(world: World) -> None:
    """Nobody can read the Secret of the release any more."""
    known = world.cluster.releases[RELEASE]
    world.cluster.releases[RELEASE] = replace(known, status=HelmStatus.UNREADABLE, values={})


HARM: dict[str, Harm] = {
    "uninstalled": uninstalled,
    "forgotten by helm": forgotten_by_helm,
    "user uninstalled": user_uninstalled,
    "upgraded": upgraded,
    "upgrade hangs": upgrade_hangs,
    "not remembered": not_remembered,
    "unreadable": unreadable,
}


def look(world: World) -> list[Finding]:
    return DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE).look()


def begin(world: World) -> str:
    (begun,) = Repairs(world.store, world.revisions).begin(look(world))
    assert begun.operation_id is not None
    return begun.operation_id


def prepared(world: World) -> None:
    world.succeed(world.provision(text="given", pin="c4n4ry"))
    world.succeed(world.bind(pin="c4n4ry"))


def seen(world: World) -> object:
    """All that must be as before; the passwords, too."""
    passwords = sorted(thing.texts["password"] for thing in world.cluster.all() if thing.kind == "Secret")
    binding = world.binding()
    return world.observe(), passwords, None if binding is None else binding.binding.credentials


@pytest.mark.parametrize("harm", HARM)
def test_everything_is_as_before(either_world: World, harm: str) -> None:
    world = either_world
    prepared(world)
    before, latest = seen(world), world.instance().operation
    HARM[harm](world)
    end = world.succeed(begin(world))
    assert (end.kind, end.description) == (Kind.REPAIR, f"{NAME} is as it is recorded")
    assert (seen(world), world.instance().operation, look(world)) == (before, latest, [])
    clear(world)


@pytest.mark.parametrize("harm", ["uninstalled", "user uninstalled", "upgraded"])
def test_a_repair_may_be_disturbed_at_every_step(either_world: World, harm: str) -> None:
    def case() -> Case:
        clear(either_world)
        prepared(either_world)
        HARM[harm](either_world)
        return Case(either_world.hand, begin(either_world), either_world.observe)

    assert_same_end(case)


@pytest.mark.parametrize("how", Disturbance)
def test_every_command_of_a_repair_may_be_disturbed(world: World, how: Disturbance) -> None:
    prepared(world)
    before, so_far = seen(world), len(world.helm.calls)
    _harm_both(world)
    world.succeed(begin(world))
    commands = len(world.helm.calls) - so_far
    assert commands >= 4
    for number in range(commands):
        _harm_both(world)
        operation = begin(world)
        disturb(world, number, how)
        end = world.run(operation)
        assert (end.state, seen(world)) == (State.SUCCEEDED, before), (number, end.description)
        world.helm.before = world.helm.after = None


def _harm_both(world: World) -> None:
    uninstalled(world)
    user_uninstalled(world)


def test_what_does_not_differ_is_not_deployed(world: World) -> None:
    prepared(world)
    not_remembered(world)
    so_far = len(world.helm.calls)
    world.succeed(begin(world))
    assert world.helm.calls[so_far:] == []
    upgraded(world)
    world.succeed(begin(world))
    assert world.helm.verbs(BINDING_RELEASE) == ["deploy"], "the binding was not touched"


def test_passwords_that_are_lost_are_not_made_anew(world: World) -> None:
    """They would not fit the data; and nothing is changed."""
    prepared(world)
    uninstalled(world)
    not_remembered(world)
    reason = world.fail(begin(world))
    assert "new ones would not fit the volumes that are still there (PersistentVolumeClaim data-" in reason
    assert RELEASE not in world.cluster.releases
    clear(world)


def test_a_user_whose_password_is_lost_is_told(world: World) -> None:
    prepared(world)
    user_uninstalled(world)
    not_remembered(world)
    end = world.succeed(begin(world))
    assert end.description.endswith("what was delivered to these bindings is lost, so bind anew: a binding")
    assert BINDING_RELEASE not in world.cluster.releases.keys() | world.cluster.kept.keys()


def test_somebody_elses_release_is_not_touched(world: World) -> None:
    prepared(world)
    uninstalled(world)
    operation = begin(world)
    theirs = replace(world.cluster.releases[BINDING_RELEASE], ref=RELEASE, labels={})
    world.cluster.releases[RELEASE] = theirs
    assert "is not this broker's and is left alone" in world.fail(operation)
    assert world.cluster.releases[RELEASE] == theirs


def test_a_deletion_stops_a_repair(world: World) -> None:
    prepared(world)
    uninstalled(world)
    repair = begin(world)
    world.succeed(world.deprovision())
    assert world.hand.operation(repair).state is State.CANCELLED
    assert (world.cluster.all(), world.cluster.releases, world.cluster.kept) == ([], {}, {})


def test_who_is_busy_is_not_repaired(world: World) -> None:
    prepared(world)
    uninstalled(world)
    found = look(world)
    world.update(text="changed")
    (begun,) = Repairs(world.store, world.revisions).begin(found)
    assert (begun.instance_id, begun.operation_id) == (INSTANCE, None)


def test_orphans_are_not_repaired(world: World) -> None:
    prepared(world)
    other = replace(RELEASE, name="hb-other")
    world.cluster.releases[other] = replace(world.cluster.releases[RELEASE], ref=other)
    found = look(world)
    assert [each.kind for each in found] == [FindingKind.ORPHAN]
    assert Repairs(world.store, world.revisions).begin(found) == []
